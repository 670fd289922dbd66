"""Recognition of formats, names of keypoints, and real files."""

from types import SimpleNamespace
from typing import get_args

import h5py
import numpy as np
import pandas as pd
import pytest
from pose_files import read_keypoints
from test_conversion import HEADER, refuse

from vame_pipe.cli.main import main
from vame_pipe.config.sections import Align, Session
from vame_pipe.core.errors import InputError
from vame_pipe.core.pose_formats import POSE_FORMATS
from vame_pipe.poses import simulate
from vame_pipe.poses.hdf5_formats import FORMATS as HDF5_FORMATS
from vame_pipe.poses.keypoint_names import missing_keypoints
from vame_pipe.poses.readers import CSV_FORMATS, read_poses


def read_one(path, fps=30.0):
    (poses,) = read_poses(path, fps).values()
    return poses


@pytest.fixture(scope="module")
def recording(tmp_path_factory):
    """The same recording as CSV and as HDF5, and its positions."""
    folder = tmp_path_factory.mktemp("recording")
    position, confidence, _ = simulate.simulate(200, 30, 0)
    csv, hdf5 = folder / "r.csv", folder / "r.h5"
    simulate.write_deeplabcut(csv, position, confidence, simulate.KEYPOINTS)
    table = pd.read_csv(csv, header=[0, 1, 2], index_col=0)
    table.to_hdf(hdf5, key="df_with_missing", format="table")
    return csv, hdf5, position


def test_csv_and_hdf5_of_one_recording_agree(recording):
    csv, hdf5, position = recording
    a, b = read_one(csv), read_one(hdf5)
    np.testing.assert_array_equal(a.position, b.position)
    np.testing.assert_allclose(a.position, position, atol=1e-5)
    assert a.keypoints == b.keypoints == simulate.KEYPOINTS
    assert read_keypoints(csv) == read_keypoints(hdf5) == list(simulate.KEYPOINTS)


@pytest.mark.parametrize("kind", [0, 1])
def test_a_format_is_recognised_by_the_content_of_the_file(recording, tmp_path, kind):
    path = tmp_path / "poses"
    path.write_bytes(recording[kind].read_bytes())
    for format in (None, "deeplabcut"):
        (poses,) = read_poses(path, 30, format).values()
        np.testing.assert_allclose(poses.position, recording[2], atol=1e-5)
        assert read_keypoints(path, format) == list(simulate.KEYPOINTS)


def test_an_unknown_format_is_refused_with_those_that_are_known(recording):
    with pytest.raises(
        InputError, match=r"format 'other' is not known\. Known formats: deeplabcut, anipose, sl"
    ):
        read_poses(recording[0], 30, "other")


def test_a_format_that_is_not_that_of_the_file_is_refused(recording):
    with pytest.raises(
        InputError, match=r"r\.csv: is not an HDF5 file, as those of format 'sleap'"
    ):
        read_poses(recording[0], 30, "sleap")
    with pytest.raises(InputError, match=r"r\.h5: is an HDF5 file, but format is 'anipose'"):
        read_poses(recording[1], 30, "anipose")
    with pytest.raises(InputError, match=r"r\.h5: is not a pose file of JABS: it has no poseest"):
        read_keypoints(recording[1], "jabs")


def test_every_format_of_the_configuration_and_of_the_commands_has_a_reader(capsys):
    (names, _) = get_args(Session.model_fields["format"].annotation)
    assert get_args(names) == POSE_FORMATS
    assert set(POSE_FORMATS) == set(CSV_FORMATS) | set(HDF5_FORMATS)
    with pytest.raises(SystemExit):
        main(["align", "--help"])
    assert f"format of the pose file: {', '.join(POSE_FORMATS)}" in " ".join(
        capsys.readouterr().out.split()
    )


def test_a_file_of_no_format_is_refused_with_the_reason_of_each(tmp_path, monkeypatch):
    path = tmp_path / "f.csv"
    path.write_text("frame,x,y\n0,1,2\n")

    def refuse(path):
        raise InputError(f"{path}: has no tracks.")

    added = SimpleNamespace(read_header=refuse)
    monkeypatch.setitem(CSV_FORMATS, "other", added)
    with pytest.raises(InputError) as error:
        read_keypoints(path)
    (line,) = error.value.problems
    assert line.startswith(
        f"{path}: is not in a supported format, or damaged. deeplabcut: is not a "
    )
    assert " anipose: is not an Anipose CSV file: " in line and line.endswith(
        "other: has no tracks."
    )


def test_a_format_without_frame_rate_requires_one(recording):
    with pytest.raises(InputError, match=r"r\.csv: the file does not store the frame rate"):
        read_poses(recording[0])


def test_other_formats_and_missing_files_are_refused(tmp_path):
    refuse(
        tmp_path, "x", "is not in a supported format, or damaged. deeplabcut: ", name="poses.mat"
    )
    refuse(tmp_path, "not hdf5", "cannot be read as HDF5", name="poses.h5")
    long = tmp_path / "long.csv"
    long.write_text("\n".join(",".join(f"{i} {'x' * 60}" for i in range(n)) for n in (9, 8, 7, 9)))
    with pytest.raises(InputError) as error:
        read_poses(long, 30)
    assert len(error.value.problems) == 1 and len(str(error.value)) < len(str(long)) + 550
    with pytest.raises(InputError, match="no such file"):
        read_poses(tmp_path / "gone.csv", 30)
    with pytest.raises(InputError, match="cannot be read"):
        read_poses(tmp_path / ("x" * 300 + ".csv"), 30)
    with h5py.File(tmp_path / "poses.mat", "w") as file:
        file["tracks"] = np.zeros(3)
    with pytest.raises(InputError, match="without poses of a known format: it has tracks"):
        read_keypoints(tmp_path / "poses.mat")


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("", "the file is empty"),
        ("<!DOCTYPE html>\n<html></html>\n", "web page"),
        ("0,1,2,3\n1,1,2,3\n2,1,2,3\n", "expected three header rows"),
        (HEADER + "0,1,2,0.5,3,4,0.9\n1,5,6\n", "truncated"),
    ],
)
def test_a_file_that_is_not_a_pose_file_is_refused_in_one_line(tmp_path, text, match):
    refuse(tmp_path, text, match)


def test_hundreds_of_names_do_not_fill_a_message():
    names = [f"keypoint number {i}" for i in range(300)]
    problems = missing_keypoints(names, Align(centre="a", forward="b"), None)
    assert len(problems) == 2 and all("(300 in all)" in p and len(p) < 500 for p in problems)


@pytest.mark.parametrize(
    ("wanted", "aliases", "message"),
    [
        ("tailbase", None, "Set align.centre to one of these. Did you mean 'Tail-Base'?"),
        ("tail bas", None, "Set align.centre to one of these. Did you mean 'Tail-Base'?"),
        ("belly", None, "Set align.centre to one of these."),
        ("tail", {"tail": ["rump", "TAIL BASE"]}, "from this list. Did you mean 'Tail-Base'?"),
    ],
)
def test_a_keypoint_that_is_not_in_the_file_is_compared_with_its_names(wanted, aliases, message):
    settings = Align(centre=wanted, forward="Nose")
    (problem,) = missing_keypoints(["Nose", "Tail-Base", "left_ear"], settings, aliases)
    assert "is not in its file, which has: Nose, Tail-Base, left_ear." in problem
    assert problem.endswith(message)


def test_an_alias_that_matches_several_names_is_ambiguous():
    settings = Align(centre="tail", forward="nose")
    aliases = {"tail": ["Tail"], "nose": ["Nose", "Snout"]}
    assert missing_keypoints(["Tail", "Nose", "Snout"], settings, aliases) == [
        "keypoint 'nose' matches several names in its file: Nose and Snout. Keep one of them in "
        "keypoints.nose."
    ]


def test_real_files(real_poses):
    """Sizes from the descriptions of the files; two formats of one recording agree."""
    (csv,) = (real_poses / "bsoid-openfield").glob("*.csv")
    (hdf5,) = (real_poses / "bsoid-openfield").glob("*.h5")
    a, b = read_one(csv, 60), read_one(hdf5, 60)
    assert a.position.shape == (7200, 6, 2)
    assert {"Snout", "Butt/Proximal Tail"} <= set(a.keypoints)
    assert a.keypoints == b.keypoints
    np.testing.assert_allclose(a.position, b.position, rtol=1e-6)
    (csv,) = (real_poses / "odor").glob("Odortest*.csv")
    c, d = read_one(csv), read_one(csv.with_suffix(".h5"))
    assert c.keypoints == d.keypoints
    np.testing.assert_allclose(c.position, d.position, rtol=1e-12)
    np.testing.assert_allclose(c.confidence, d.confidence, rtol=1e-12)
    (maze,) = (real_poses / "elevated-plus-maze").glob("*.csv")
    assert read_one(maze, 25).position.shape == (962, 25, 2)
    sample = read_one(real_poses / "vame-sample/cropped_video.csv")
    assert sample.position.shape == (750, 6, 2)


@pytest.mark.parametrize("name", ["CollectedData_Pranav.csv", "CollectedData_Pranav.h5"])
def test_real_labelled_frames_are_refused(real_poses, name):
    with pytest.raises(InputError, match="human-labelled training frames"):
        read_poses(real_poses / "reject" / name, 30)
