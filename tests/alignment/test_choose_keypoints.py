"""Keypoints that are badly tracked are left out of all sessions."""

import json

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from vame_pipe.alignment.choose_keypoints import choose_keypoints
from vame_pipe.cli import main
from vame_pipe.config.sections import Align, Session
from vame_pipe.core import keypoint_choice
from vame_pipe.core.errors import InputError
from vame_pipe.poses import simulate

SETTINGS = Align(centre="tailbase", forward="nose", drop_bad_keypoints=0.5)


@pytest.fixture
def sessions(tmp_path):
    """Two recordings: the left ear is bad in both, the nose in both, the spine in one."""
    found = {}
    for seed, name in enumerate(("a", "b")):
        position, confidence, _ = simulate.simulate(300, 30, seed)
        confidence[:] = 0.9
        for keypoint, n_bad in (("left_ear", 240), ("nose", 200), ("spine", 220 * seed)):
            confidence[:n_bad, simulate.KEYPOINTS.index(keypoint)] = 0.1
        path = tmp_path / f"{name}.csv"
        simulate.write_deeplabcut(path, position, confidence, simulate.KEYPOINTS)
        found[name] = Session(poses=str(path), fps=30)
    return found


def choice_of(sessions, settings, folder, keypoints=None):
    choose_keypoints(sessions, settings, keypoints, folder / "keypoints.json")
    return keypoint_choice.read(folder / "keypoints.json")


def test_a_keypoint_is_left_out_if_it_is_missing_in_most_frames_of_all_sessions(
    sessions, tmp_path, caplog
):
    choice = choice_of(sessions, SETTINGS, tmp_path)
    assert choice.dropped == ["left_ear"]
    assert choice.kept == {n: [n] for n in simulate.KEYPOINTS if n != "left_ear"}
    assert choice.missing["left_ear"] == pytest.approx(0.8, abs=0.01)
    assert choice.missing["spine"] == pytest.approx(220 / 600, abs=0.01)
    assert "keypoint 'left_ear' is left out of all sessions: missing in 80% of the" in caplog.text
    assert "keypoint 'nose' is missing in 67% of the frames" in caplog.text  # the axis needs it


def test_a_keypoint_that_is_never_tracked_is_left_out(sessions, tmp_path):
    for source in sessions.values():
        table = pd.read_csv(source.poses, header=[0, 1, 2], index_col=0)
        table.loc[:, table.columns.get_level_values(1) == "spine"] = np.nan
        table.to_csv(source.poses)
    choice = choice_of(sessions, SETTINGS, tmp_path)
    assert choice.dropped == ["left_ear", "spine"] and choice.missing["spine"] == 1


def test_names_in_the_files_stay_and_thresholds_of_what_is_left_out_do_no_harm(sessions, tmp_path):
    keypoints = {"ear": ["left_ear", "LeftEar"], "nose": ["nose"], "tailbase": ["tailbase"]}
    thresholds = {"min_confidence": {"ear": 0.5}}
    choice = choice_of(sessions, SETTINGS.model_copy(update=thresholds), tmp_path, keypoints)
    assert choice.kept == {"nose": ["nose"], "tailbase": ["tailbase"]}
    with pytest.raises(InputError, match="min_confidence names 'eer', but the keypoints are: ear"):
        wrong = SETTINGS.model_copy(update={"min_confidence": {"eer": 0.5}})
        choice_of(sessions, wrong, tmp_path, keypoints)


def test_nothing_changes_if_all_are_tracked_or_no_file_can_be_read(sessions, tmp_path):
    lenient = SETTINGS.model_copy(update={"drop_bad_keypoints": 0.9})
    assert choice_of(sessions, lenient, tmp_path).kept is None
    missing = {"a": Session(poses=str(tmp_path / "no.csv"), fps=30)}
    assert choice_of(missing, SETTINGS, tmp_path).dropped == []


def test_the_alignment_uses_what_was_chosen(sessions, tmp_path):
    recordings = {name: {"poses": s.poses, "fps": 30} for name, s in sessions.items()}
    chosen, out, config = (tmp_path / n for n in ("keypoints.json", "a.parquet", "config.yaml"))
    config.write_text(json.dumps({"sessions": recordings, "align": SETTINGS.model_dump()}))
    assert main.main(["keypoints", str(tmp_path), "--out", str(chosen)]) == 0
    arguments = ["--settings", SETTINGS.model_dump_json()]
    command = ["align", "--session=a", "--poses", sessions["a"].poses, "--fps=30"]
    command += ["--keypoints-from", str(chosen), "--out", str(out)]
    assert main.main([*command, *arguments, "--qc", str(tmp_path / "a.qc.json")]) == 0
    names = pq.read_schema(out).names
    assert "spine_x" in names and "left_ear_x" not in names
    assert np.isfinite(pq.read_table(out)["spine_x"].to_numpy()).any()


def test_a_damaged_choice_is_refused(tmp_path):
    path = tmp_path / "keypoints.json"
    for content in ("{", "[1]", '{"kept": null}'):
        path.write_text(content)
        with pytest.raises(InputError, match="no list of keypoints to use"):
            keypoint_choice.read(path)
