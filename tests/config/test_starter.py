"""A configuration that is written for a folder of pose files."""

import shutil

import numpy as np
import pose_files
import pyarrow.parquet as pq
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from vame_pipe.alignment.session import align_session
from vame_pipe.cli.main import main
from vame_pipe.config import check
from vame_pipe.config.starter import make_starter
from vame_pipe.config.starter_files import choose_files, find_files
from vame_pipe.config.starter_text import text
from vame_pipe.config.starter_windows import CHOICES, choose_windows
from vame_pipe.core.errors import InputError
from vame_pipe.poses.simulate import KEYPOINTS, simulate, write_deeplabcut
from vame_pipe.poses.video_rate import VideoFacts
from vame_pipe.windows.build import build
from vame_pipe.windows.data import window_starts
from vame_pipe.windows.split import segments, split_frames


def write(path, seed, names=KEYPOINTS, **changed):
    path.parent.mkdir(parents=True, exist_ok=True)
    position, confidence, _ = simulate(300, 30, seed)
    for name, value in changed.items():
        position[:, names.index(name)] = value
    write_deeplabcut(path, position, confidence, names)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Two groups of two recordings, which name some keypoints differently, and files of other kinds."""
    monkeypatch.chdir(tmp_path)
    other = tuple(
        {"nose": "Snout", "left_ear": "earL", "tail_tip": "Lamp"}.get(k, k) for k in KEYPOINTS
    )
    for i, group in enumerate(("drug", "drug", "control", "control"), 1):
        name = f"data/{group}/mouse {i}DLC_resnet50_homeShuffle1_1000.csv"
        write(tmp_path / name, i, KEYPOINTS if i < 4 else other)
    shutil.copy(
        next(tmp_path.glob("data/drug/mouse 1*")),
        tmp_path / "data/drug/mouse 1DLC_resnet50_homeShuffle1_1000_filtered.csv",
    )
    (tmp_path / "data/notes.csv").write_text("a,b\n1,2\n")
    (tmp_path / "data/.hidden.csv").touch()
    return tmp_path


def test_the_configuration_runs_as_written(folder, capsys):
    assert main(["init", "data", "--fps", "30"]) == 0
    config = check.load("config.yaml", generated={})
    assert list(config.sessions) == ["mouse_3", "mouse_4", "mouse_1", "mouse_2"]
    assert [s.group for s in config.sessions.values()] == ["control"] * 2 + ["drug"] * 2
    assert {s.fps for s in config.sessions.values()} == {30}
    assert config.aliases["nose"] == ["nose", "Snout"]
    assert config.aliases["left_ear"] == ["left_ear", "earL"]
    assert "tail_tip" not in config.aliases and len(config.aliases) == 7
    assert (config.align.centre, config.align.forward) == ("tailbase", "nose")
    shown = (folder / "config.yaml").read_text()
    assert "# not used: tail_tip: not in all files" in shown
    assert "mouse 1DLC_resnet50_homeShuffle1_1000_filtered.csv: the same recording as" in shown
    assert "# not used: one table is no pose file: data/notes.csv\n" in shown
    assert shown.count("CHECK:") == 5  # frame rate, groups, reference, subjects, names
    assert "CHECK: the others are compared with control, the first group here. To" in shown
    assert "the same subject, as in subject: m1.\n" in shown
    assert "rules.all.input" in (folder / "Snakefile").read_text()
    assert "config.yaml and Snakefile: written (4 sessions)" in capsys.readouterr().err


def test_a_configuration_for_another_folder_has_absolute_paths(folder, capsys):
    assert main(["init", "data", "--fps", "30", "--out", "project/mine.yaml"]) == 0
    config = check.load("project/mine.yaml", generated={})
    assert config.sessions["mouse_1"].files[0].startswith(f"{folder}/data/drug/")
    command = "snakemake --cores 4 --resources gpu=1 --configfile mine.yaml"
    assert f"Next in project: {command}" in capsys.readouterr().err
    assert (folder / "project/Snakefile").exists()


def test_windows_fit_into_short_recordings(tmp_path, monkeypatch, capsys):
    """What is written can be split into training and validation."""
    monkeypatch.chdir(tmp_path)
    position, confidence, _ = simulate(90, 30, 0)
    write_deeplabcut(tmp_path / "m.csv", position, confidence, KEYPOINTS)
    assert main(["init", "m.csv", "--fps", "30"]) == 0
    shown = (tmp_path / "config.yaml").read_text()
    assert "# Shorter than usual: the longest run of valid frames is 90 (3.00 s); with 1 s" in shown
    config = check.load("config.yaml", generated={})
    assert (config.windows.length_s, config.windows.future_s) == (0.5, 0.25)
    aligned, out = tmp_path / "m.parquet", tmp_path / "windows"
    align_session(
        *("m", config.sessions["m"], config.align, config.aliases, aligned, tmp_path / "m.json")
    )
    build([aligned], config.windows, out)
    split = pq.read_table(out / "windows.parquet")["split"].to_pylist()
    assert min(split.count("train"), split.count("val")) > 0

    write_deeplabcut(tmp_path / "m.csv", position[:30], confidence[:30], KEYPOINTS)
    assert main(["init", "m.csv", "--fps", "30", "--out", "short.yaml"]) == 0
    line = "the longest run of valid frames is 30 (1.00 s); with 0.3 s + 0.15 s, validation needs one of 38"
    assert f"no windows fit: {line}" in capsys.readouterr().err
    assert f"# CHECK: these windows do not fit: {line}" in (tmp_path / "short.yaml").read_text()


@given(st.lists(st.integers(2, 400), min_size=1, max_size=5), st.sampled_from([10, 30, 150]))
@settings(max_examples=30, deadline=None)
def test_chosen_windows_are_the_longest_that_give_training_and_validation(runs, fps):
    def n_windows(length_s, future_s):
        """Of each split, if each recording is one run."""
        window = round(length_s * fps) + round(future_s * fps)
        rng = np.random.default_rng(0)
        splits = [split_frames(np.array([run]), window, 0.1, rng) for run in runs]
        stretches = [np.zeros(run, int) for run in runs]
        counts = [
            [len(window_starts(segments(run, split, i), window)) for i in (0, 1)]
            for run, split in zip(stretches, splits, strict=True)
        ]
        return np.array(counts)

    def can_be_used(length_s, future_s):
        counts = n_windows(length_s, future_s)
        with_windows = (counts.sum(axis=1) > 0).sum()
        both = (counts.sum(axis=0) > 0).all() or with_windows > 1
        return round(length_s * fps) >= 5 and both and with_windows >= len(runs) / 2

    found = choose_windows(runs, fps)
    usable = [choice for choice in CHOICES if can_be_used(*choice)]
    assert found.fits == bool(usable)
    assert (found.settings.length_s, found.settings.future_s) == (usable or CHOICES)[0]


def test_recordings_from_below_are_recognised_by_left_and_right(folder, capsys):
    """Where all that tell agree, the setting is written; otherwise a person has to decide."""
    for i, path in enumerate(sorted(folder.glob("data/*/*.csv"))):
        position, confidence, _ = simulate(300, 30, i)
        position[..., 1] = 500 - position[..., 1]
        write_deeplabcut(path, position, confidence, KEYPOINTS)
    assert main(["init", "data", "--fps", "30"]) == 0
    assert check.load("config.yaml", generated={}).align.camera == "below"
    assert "camera: below  # CHECK: left and right are swapped" in (
        (folder / "config.yaml").read_text()
    )
    write(folder / "data/control/mouse 3DLC_resnet50_homeShuffle1_1000.csv", 3)
    assert main(["init", "data", "--fps", "30", "--out", "other.yaml"]) == 0
    assert check.load("other.yaml", generated={}).align.camera == "above"
    line = "left and right are swapped in some recordings only"
    assert f"{line}: mouse_4, mouse_1, mouse_2\n" in capsys.readouterr().err
    assert f"# CHECK: {line}" in (folder / "other.yaml").read_text()


def test_an_existing_configuration_is_never_overwritten(folder, capsys):
    (folder / "config.yaml").write_text("mine")
    assert main(["init", "data", "--fps", "30"]) == 2
    assert "config.yaml: exists and is not overwritten" in capsys.readouterr().err
    assert (folder / "config.yaml").read_text() == "mine" and not (folder / "Snakefile").exists()


def test_an_unknown_frame_rate_is_asked_for_in_one_line(folder, capsys):
    assert main(["init", "data"]) == 2
    (line,) = [x for x in capsys.readouterr().err.splitlines() if x.startswith("ERROR")]
    assert "frame rate unknown for mouse 3DLC" in line and "Give it with --fps NUMBER" in line
    assert not (folder / "config.yaml").exists()


def test_a_recording_that_cannot_be_aligned_is_excluded_with_the_reason(folder):
    write(folder / "data/control/still.csv", 9, nose=[5.0, 5.0], tailbase=[50.0, 50.0])
    starter = make_starter([folder / "data"], 30)
    (still,) = [each for each in starter.sessions if each.exclude]
    assert still.name == "still" and "egocentric already" in still.exclude
    raw = yaml.safe_load(text(starter, small=False))
    assert raw["sessions"]["still"]["exclude"] == still.exclude and "model" not in raw


def test_a_fragment_of_a_track_does_not_exclude_the_recording(tmp_path):
    """The workflow leaves such an animal out, and uses the others."""
    position, confidence, _ = simulate(300, 30, 0)
    fragment = position.copy()
    fragment[10:] = np.nan
    fragment[:10, KEYPOINTS.index("nose")] = np.nan
    two = np.stack([position, fragment], axis=1), np.stack([confidence, confidence], axis=1)
    made = pose_files.Recording(*two, ("a", "b"), KEYPOINTS)
    pose_files.write_sleap_analysis(tmp_path / "tracks.h5", made)
    (session,) = make_starter([tmp_path], 30).sessions
    assert session.exclude is None and [a.name for a in session.summary.animals] == ["a", "b"]


def test_a_warning_about_a_file_is_there_once(tmp_path, capsys):
    """Although each file is read twice, and each of its animals is looked at."""
    made = pose_files.recording(n_frames=300)
    pose_files.write_sleap_analysis(tmp_path / "tracks.h5", made, scores=False)
    config = tmp_path / "config.yaml"
    assert main(["init", str(tmp_path), "--fps", "30", "--out", str(config)]) == 0
    assert capsys.readouterr().err.count("tracks.h5: no likelihood for") == 1


def test_the_rate_of_a_video_comes_before_the_one_that_is_given(folder, monkeypatch):
    """Which is for the recordings without a video."""
    facts = VideoFacts(25.0, 300)
    monkeypatch.setattr("vame_pipe.config.starter.video_facts", lambda _: facts)
    video = "data/control/mouse 3.mp4"
    monkeypatch.setattr(
        "vame_pipe.config.starter.video_of", lambda path: video if "mouse 3" in path.name else None
    )
    found = {each.name: (each.fps, each.fps_from) for each in make_starter([folder], 30).sessions}
    assert found == {"mouse_3": (25.0, "video")} | {f"mouse_{i}": (30, "option") for i in (1, 2, 4)}
    facts = VideoFacts(25.0, 360)  # of other poses than these 300
    assert {(each.fps, each.fps_from) for each in make_starter([folder], 30).sessions} == {
        (30, "option")
    }
    monkeypatch.setattr("vame_pipe.config.starter.video_of", lambda _: video)
    without = make_starter([folder])
    assert {(each.fps, each.fps_from) for each in without.sessions} == {(25.0, "other video")}
    line = "# CHECK: the frame rate of mouse_3, mouse_4, mouse_1, mouse_2 is that of a video with another"
    assert line in text(without, small=True)


def test_files_of_one_name_in_several_groups_may_be_of_one_animal(tmp_path):
    for group in ("after", "before"):
        for name in ("m1", "m2"):
            write(tmp_path / group / f"{name}.csv", 1)
    shown = text(make_starter([tmp_path], 30), small=True)
    assert "Files in several groups have the same name: m1, m2.\n" in shown
    assert "are compared with after, the first group here" in shown


def test_recordings_of_other_animals_are_not_mixed(folder):
    write(folder / "data/fly.csv", 9, ("head", "thorax", "abdomen", *"abcde"))
    starter = make_starter([folder / "data"], 30)
    assert len(starter.sessions) == 4
    assert any("fly.csv: has other keypoints than most of the files" in s for s in starter.skipped)


def test_folders_without_pose_files_are_refused(tmp_path):
    with pytest.raises(InputError, match="no usable pose file: there are none"):
        make_starter([tmp_path], 30)
    with pytest.raises(InputError, match="gone: no such file or folder"):
        find_files([tmp_path / "gone"])


def test_other_rates_are_resampled_to_the_lowest(folder, monkeypatch):
    rates = iter([30.0, 25.0, 30.0, 30.0])
    monkeypatch.setattr("vame_pipe.config.starter._frame_rate", lambda *_: (next(rates), "video"))
    starter = make_starter([folder / "data"])
    assert starter.align.fps == 25.0
    assert "fps: 25  # the recordings differ" in text(starter, small=True)


def test_real_folders_get_a_configuration_that_can_be_loaded(real_poses, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("vame-sample", "two-mice", "sleap"):
        assert main(["init", str(real_poses / name), "--fps", "30", "--out", f"{name}.yaml"]) == 0
        config = check.load(f"{name}.yaml", generated={})
        assert not config.excluded, name
        assert config.align.camera == ("below" if name == "vame-sample" else "above")
        (session,) = config.sessions.values()
        assert session.poses.endswith((".nc", ".csv", "predictions.slp"))  # one of its files
    chosen, _ = choose_files(find_files([real_poses / "vame-sample"]))
    assert [each[0].name for each in chosen] == ["cropped_video.nc"] and len(chosen[0]) == 3
    assert np.isclose(
        check.load("vame-sample.yaml", generated={}).sessions["cropped_video"].fps, 30
    )


def test_a_recording_is_used_if_any_of_its_files_can_be_used(folder):
    """A damaged file does not take the place of a good one, and results are not recordings."""
    good = folder / "data/control/mouse 3DLC_resnet50_homeShuffle1_1000.csv"
    lines = good.read_text().splitlines()
    damaged = "\n".join(line if i < 3 else "x" for i, line in enumerate(lines))
    (good.parent / good.name.replace(".csv", ".analysis.csv")).write_text(good.read_text())
    good.write_text(damaged)
    (folder / "data/results/logs").mkdir(parents=True)
    (folder / "data/results/config.yaml").touch()
    shutil.copy(folder / "data/notes.csv", folder / "data/results/compare.csv")
    starter = make_starter([folder / "data"], 30)
    assert sorted(each.name for each in starter.sessions) == [f"mouse_{i}" for i in (1, 2, 3, 4)]
    assert not any("compare.csv" in line for line in starter.skipped)
    assert any(str(good) in line for line in starter.skipped)


def test_recordings_of_other_dimensions_are_told_from_those_of_other_keypoints(real_poses):
    starter = make_starter([real_poses / "dlc-3d"], 150)
    (line,) = starter.skipped
    assert "has 3 dimensions, but most of the files have 2" in line
    assert {starter.align.centre, starter.align.forward}.isdisjoint({"nose", "joystick"})
    assert starter.windows.settings.length_s == 0.5 and starter.windows.fits
    assert "is 442 (2.95 s); with 1 s + 0.5 s, validation needs one of 674" in starter.windows.note
