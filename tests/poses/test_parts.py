"""Recordings of several files on one time axis."""

import numpy as np
import pandas as pd
import pose_files
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vame_pipe.core.errors import InputError
from vame_pipe.poses import parts
from vame_pipe.poses.contract import Poses
from vame_pipe.poses.parts import PoseSource, read_parts
from vame_pipe.poses.simulate import KEYPOINTS, simulate, write_deeplabcut

FPS = 20
POSITION, CONFIDENCE, _ = simulate(120, FPS, 0)


def write(path, rows, first_frame=0):
    """Write some frames of the recording, numbered from a first frame."""
    write_deeplabcut(path, POSITION[rows], CONFIDENCE[rows], KEYPOINTS)
    lines = path.read_text().splitlines()
    body = [f"{first_frame + i},{line.partition(',')[2]}" for i, line in enumerate(lines[3:])]
    path.write_text("\n".join([*lines[:3], *body]) + "\n")
    return path


def read(*paths, **more):
    animals, found = read_parts(PoseSource(paths, FPS, **more))
    return animals["id_0"], found


@settings(max_examples=5, deadline=None)
@given(cut=st.integers(2, 118), numbered=st.booleans(), late=st.integers(0, 50))
def test_files_that_go_on_are_the_recording_that_was_cut(tmp_path_factory, cut, numbered, late):
    """By their frame numbers, or by the time at which each begins."""
    folder = tmp_path_factory.mktemp("parts")
    whole, _ = read(write(folder / "whole.csv", slice(None), late))
    first = write(folder / "1.csv", slice(0, cut), late)
    second = write(folder / "2.csv", slice(cut, 120), late + cut if numbered else 0)
    starts = None if numbered else (late / FPS, (late + cut) / FPS)
    joined, found = read(first, second, starts_s=starts)
    np.testing.assert_array_equal(joined.position, whole.position)
    np.testing.assert_array_equal(joined.confidence, whole.confidence)
    assert joined.first_frame == late and joined.source == "1.csv + 2.csv"
    assert [(p.source, p.first_frame, p.n_frames) for p in found] == [
        ("1.csv", late, cut),
        ("2.csv", late + cut, 120 - cut),
    ]


def test_between_files_that_do_not_tell_lies_a_gap_that_is_never_interpolated(tmp_path, caplog):
    first = write(tmp_path / "1.csv", slice(0, 50))
    second = write(tmp_path / "2.csv", slice(50, 120))
    joined, found = read(first, second)
    assert found[1].first_frame == 50 + 21  # a second, and a frame
    assert np.isnan(joined.position[50:71]).all() and np.isnan(joined.confidence[50:71]).all()
    np.testing.assert_array_equal(joined.position[71:], read(second)[0].position)
    assert "2.csv: its frame numbers start again" in caplog.text and "set starts_s" in caplog.text
    source = PoseSource((first, second), FPS)
    assert read_parts(source, min_gap_s=3)[1][1].first_frame == 50 + 61


def test_a_camera_that_stopped_leaves_as_many_missing_frames(tmp_path):
    first = write(tmp_path / "1.csv", slice(0, 50), 7)
    second = write(tmp_path / "2.csv", slice(50, 120), 60)
    joined, found = read(first, second)
    assert [part.first_frame for part in found] == [7, 60]
    assert np.isnan(joined.position[50:53]).all() and len(joined.position) == 123


def test_files_that_overlap_or_differ_are_refused(tmp_path):
    first = write(tmp_path / "1.csv", slice(0, 50))
    second = write(tmp_path / "2.csv", slice(50, 120), 30)
    with pytest.raises(
        InputError, match=r"2\.csv: begins at frame 30, but 1\.csv ends at frame 49"
    ):
        read(first, second)
    with pytest.raises(InputError, match=r"2\.csv: begins 2\.000 s .* but 1\.csv ends at 2\.500 s"):
        read(first, second, starts_s=(0, 2))
    second.write_text(second.read_text().replace("nose", "snout"))
    with pytest.raises(
        InputError, match=r"other keypoints than 1\.csv, they differ in nose, snout"
    ):
        read(first, second)
    with pytest.raises(InputError) as error:
        read(tmp_path / "a.csv", first, tmp_path / "b.csv")
    assert len(error.value.problems) == 2  # both at once


def test_an_animal_that_is_in_one_file_only_is_missing_in_the_other(tmp_path, monkeypatch):
    def poses(name, first_frame):
        return Poses(np.ones((10, 2, 2)), np.ones((10, 2)), ("a", "b"), FPS, "x", first_frame, name)

    of_files = {"1": {"one": poses("one", 0)}, "2": {n: poses(n, 10) for n in ("one", "two")}}
    monkeypatch.setattr(parts, "read_poses", lambda path, *_, **__: of_files[path.name])
    animals, _ = read_parts(PoseSource((tmp_path / "1", tmp_path / "2"), FPS))
    assert np.isfinite(animals["one"].position).all() and len(animals["two"].position) == 20
    assert np.isnan(animals["two"].position[:10]).all()
    assert np.isfinite(animals["two"].position[10:]).all()


def tracks(path, animals, n_frames=30, keypoints=("nose", "tail")):
    """Write an analysis file of SLEAP."""
    position = np.ones((n_frames, len(animals), len(keypoints), 2))
    made = pose_files.Recording(position, np.ones(position.shape[:3]), tuple(animals), keypoints)
    pose_files.write_sleap_analysis(path, made)
    return path


def test_an_animal_that_is_selected_needs_to_be_in_one_file_only(tmp_path):
    """It leaves the cage before the second file begins; a name that is in no file is a mistake."""
    paths = tracks(tmp_path / "1.h5", "ab"), tracks(tmp_path / "2.h5", "b")
    animals, _ = read_parts(PoseSource(paths, FPS, individuals=("a", "b")))
    known = {name: np.isfinite(poses.position[:, 0, 0]) for name, poses in animals.items()}
    assert known["a"].sum() == 30 and known["a"][:30].all() and known["b"].sum() == 60
    with pytest.raises(InputError, match="individuals 'c' are in none of its 2 files"):
        read_parts(PoseSource(paths, FPS, individuals=("b", "c")))
    with pytest.raises(InputError, match="individuals 'a' are not in its file"):
        read_parts(PoseSource(paths[1:], FPS, individuals=("a", "b")))


def test_keypoints_of_every_animal_are_compared(tmp_path, monkeypatch):
    def poses(name, keypoints, first_frame):
        shape = (10, len(keypoints))
        return Poses(
            np.ones((*shape, 2)), np.ones(shape), keypoints, FPS, "x", first_frame, individual=name
        )

    of_files = {
        "1": {"one": poses("one", ("a", "b"), 0), "two": poses("two", ("a", "b"), 0)},
        "2": {"one": poses("one", ("a", "b"), 10), "two": poses("two", ("a", "c"), 10)},
    }
    monkeypatch.setattr(parts, "read_poses", lambda path, *_, **__: of_files[path.name])
    with pytest.raises(InputError, match="other keypoints than 1, they differ in b, c"):
        read_parts(PoseSource((tmp_path / "1", tmp_path / "2"), FPS))


def test_a_keypoint_that_is_never_tracked_in_one_file_is_missing_there(tmp_path):
    paths = [write(tmp_path / "1.csv", slice(0, 60)), write(tmp_path / "2.csv", slice(60, 120), 60)]
    table = pd.read_csv(paths[1], header=[0, 1, 2], index_col=0)
    nose = table.columns.get_level_values(1) == KEYPOINTS[0]
    table.loc[:, nose] = np.nan
    table.to_csv(paths[1])
    joined, _ = read(*paths)
    assert not joined.faults
    np.testing.assert_array_equal(np.isfinite(joined.position[:, 0, 0]), np.arange(120) < 60)
