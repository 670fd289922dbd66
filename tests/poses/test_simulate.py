"""Simulated recordings: reproducible, with motifs that show, and with detectable tracking errors."""

import filecmp

import numpy as np
import pandas as pd
import pytest

from vame_pipe.alignment.session import align
from vame_pipe.cli.main import main
from vame_pipe.config.sections import Align
from vame_pipe.poses import simulate
from vame_pipe.poses.contract import Poses
from vame_pipe.poses.readers import read_poses


def test_recordings_are_reproducible_and_differ_from_each_other(tmp_path):
    for folder in ("one", "two"):
        simulate.write_recordings(tmp_path / folder, n_sessions=2, n_frames=200, fps=30, seed=3)
    names = ["sim-1.csv", "sim-1.motifs.csv", "sim-2.csv", "sim-2.motifs.csv"]
    same, _, _ = filecmp.cmpfiles(tmp_path / "one", tmp_path / "two", names, shallow=False)
    assert same == names
    assert not filecmp.cmp(tmp_path / "one/sim-1.csv", tmp_path / "one/sim-2.csv", shallow=False)


def test_the_true_motif_of_every_frame_is_written_next_to_the_recording(recordings):
    motifs = pd.read_csv(recordings / "sim-1.motifs.csv")
    assert motifs["frame"].tolist() == list(range(900))
    assert set(motifs["motif"]) <= set(simulate.MOTIFS)
    changes = np.flatnonzero(motifs["motif"].ne(motifs["motif"].shift()))
    # each motif lasts at least its minimum, except for the last, which the recording cuts
    assert np.diff(changes).min() >= round(simulate.MIN_MOTIF_S * 30)


def test_each_motif_moves_as_its_name_promises():
    position, confidence, motif = simulate.simulate(20_000, 30, 0)
    named = {name: motif == i for i, name in enumerate(simulate.MOTIFS)}
    poses = Poses(position, confidence, simulate.KEYPOINTS, 30, "simulated")
    aligned = align(poses, Align(centre="tailbase", forward="nose"))
    feature = dict(zip(aligned.names, aligned.features.T, strict=True))
    mean = {m: {f: np.nanmedian(v[named[m]]) for f, v in feature.items()} for m in named}
    assert mean["walk"]["speed_forward"] > 1.5 > 0.2 > abs(mean["still"]["speed_forward"])
    assert mean["turn_right"]["turn_rate"] > 1 and mean["turn_left"]["turn_rate"] < -1
    assert mean["rear"]["nose_x"] < 0.8 * mean["still"]["nose_x"]
    assert mean["groom"]["log_posture_speed"] > mean["still"]["log_posture_speed"] + np.log(2)


def test_alignment_detects_simulated_tracking_errors(tmp_path):
    simulate.write_recordings(tmp_path, n_sessions=1, n_frames=5000, fps=30, seed=0)
    (poses,) = read_poses(tmp_path / "sim-1.csv", 30).values()
    assert 0.005 < (poses.confidence < 0.6).mean() < 0.05
    keypoints = align(poses, Align(centre="tailbase", forward="nose")).quality.keypoints
    assert keypoints["nose"].interpolated > 0.005
    # only the hips are swapped
    swapped = {name for name, quality in keypoints.items() if quality.outliers > 0}
    assert swapped == {"left_hip", "right_hip"}


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("--frames=0", "argument --frames: must be a whole number above 0, found '0'"),
        ("--sessions=-1", "argument --sessions: must be a whole number above 0, found '-1'"),
        ("--seed=-1", "argument --seed: must be a whole number, 0 or more, found '-1'"),
    ],
)
def test_recordings_that_cannot_exist_are_refused(tmp_path, capsys, option, message):
    with pytest.raises(SystemExit) as ended:
        main(["simulate", str(tmp_path / "d"), option])
    assert ended.value.code == 2 and message in capsys.readouterr().err
    assert not (tmp_path / "d").exists()


def test_the_shortest_recording_has_one_frame(tmp_path, capsys):
    assert main(["simulate", str(tmp_path), "--sessions=1", "--frames=1"]) == 0
    assert "1 recording of 1 frame in" in capsys.readouterr().err
    assert len(pd.read_csv(tmp_path / "sim-1.motifs.csv")) == 1
