"""What is done, missing or outdated, and what the next run would do."""

import shutil
from pathlib import Path

import pytest
import yaml

from vame_pipe.alignment.aligned_file import write_rejection
from vame_pipe.cli.main import main
from vame_pipe.config.loading import load
from vame_pipe.core import source
from vame_pipe.core.files import file_fingerprint
from vame_pipe.core.layout import Layout
from vame_pipe.reporting.status import describe, find_status, plan

AFTER_ALIGNMENT = "1 set of windows, 2 models, 4 encodings, 1 comparison, 1 report"


@pytest.fixture
def finished(tiny_run, tmp_path):
    """Configuration of a finished run of two sessions and two models, its results in a folder to change."""
    content = yaml.safe_load((tiny_run / "config.yaml").read_text())
    shutil.copytree(tiny_run / "results", tmp_path / "results")
    for name, session in content["sessions"].items():
        session["poses"] = str(shutil.copy(session["poses"], tmp_path / f"{name}.csv"))
    return content | {"results": str(tmp_path / "results")}


def status(content):
    config = load(content)
    digests = {name: file_fingerprint(s.poses) for name, s in config.sessions.items()}
    return find_status(config, digests)


def test_a_finished_run_has_nothing_to_do(finished):
    items = status(finished)
    assert {item.state for item in items} == {"done"}
    assert plan(items) == []
    assert describe(items)[:2] == ["align    2 done", "windows  1 done"]


def test_nothing_is_there_before_the_first_run(finished, tmp_path):
    items = status(finished | {"results": str(tmp_path / "elsewhere")})
    assert {item.state for item in items} == {"missing"}
    assert plan(items) == [f"not computed yet: 2 alignments, {AFTER_ALIGNMENT}"]


def test_a_changed_pose_file_is_named_with_all_that_follows(finished):
    with open(finished["sessions"]["m1"]["poses"], "a") as file:
        file.write("\n")
    assert plan(status(finished)) == [f"m1.csv changed: 1 alignment, {AFTER_ALIGNMENT}"]


def test_a_changed_setting_of_one_model_concerns_that_model_only(finished):
    finished["models"]["wide"]["zdims"] = 7
    work = "1 model, 2 encodings, 1 comparison, 1 report"
    assert plan(status(finished)) == [f"model.zdims was 6, is 7: {work}"]


def test_a_changed_setting_of_alignment_or_windows_says_what_it_was(finished):
    finished["align"]["max_gap_s"] = 0.5
    finished["windows"]["length_s"] = 0.6
    assert plan(status(finished)) == [
        f"align.max_gap_s was 0.25, is 0.5: 2 alignments, {AFTER_ALIGNMENT}",
        f"windows.length_s was 0.5, is 0.6: {AFTER_ALIGNMENT}",
    ]


def test_a_session_to_encode_trains_nothing(finished):
    finished["sessions"]["m3"] = finished["sessions"]["m1"] | {"use": "encode"}
    work = "1 alignment, 2 encodings, 1 comparison, 1 report"
    assert plan(status(finished)) == [f"not computed yet: {work}"]


def test_a_session_that_is_new_or_removed_is_named(finished):
    finished["sessions"]["m3"] = finished["sessions"].pop("m2")
    lines = plan(status(finished))
    assert f"session m3 is new, session m2 was removed: {AFTER_ALIGNMENT}" in lines


def test_a_new_version_of_a_stage_is_a_reason(finished, monkeypatch):
    monkeypatch.setattr(source, "ENCODE", source.ENCODE + 1)
    (line,) = plan(status(finished))
    before, after = source.ENCODE - 1, source.ENCODE
    assert line.startswith(
        f"encoding of vame_pipe changed (version {before} to {after}): 4 encodings"
    )


def test_an_interrupted_training_run_resumes(finished):
    layout = Layout(Path(finished["results"]))
    layout.model("vame").run.unlink()
    (line,) = plan(status(finished))
    assert line.startswith("training was interrupted and resumes: 1 model, 2 encodings")


def test_a_recording_that_could_not_be_aligned_says_why(finished):
    layout = Layout(Path(finished["results"]))
    write_rejection("m1", ["session m1: no frames"], layout.aligned("m1"), layout.quality("m1"))
    items = status(finished)
    assert items[0].causes == ("session m1: no frames",)


def test_the_command_prints_status_and_plan(finished, tmp_path, capsys):
    finished["models"]["wide"]["zdims"] = 7
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump(finished))
    assert main(["status", "--config", str(path)]) == 0
    printed = capsys.readouterr().out
    assert "train    1 done, 1 outdated" in printed
    assert "         wide: model.zdims was 6, is 7\n" in printed
    assert "         wide/m1, wide/m2: model.zdims was 6, is 7\n" in printed
    assert printed.splitlines()[-1].startswith("model.zdims was 6, is 7: 1 model")
