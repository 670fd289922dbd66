"""Reading a configuration, and what is wrong with one."""

import json

import jsonschema
import pytest
import yaml
from conftest import ROOT
from hypothesis import assume, given
from hypothesis import strategies as st
from minimal_config import MINIMAL, load, problems

from vame_pipe.config import loading
from vame_pipe.core.errors import InputError
from vame_pipe.core.layout import MOTIF_TABLES


def test_the_schema_file_is_up_to_date():
    assert (ROOT / "workflow/schemas/config.schema.json").read_text() == loading.schema()


def test_the_default_configuration_agrees_with_the_schema():
    raw = yaml.safe_load((ROOT / "config.yaml").read_text())
    jsonschema.validate(raw, json.loads(loading.schema()))
    loaded = loading.load(ROOT / "config.yaml")
    assert list(loaded.sessions) == [f"sim-{i}" for i in range(1, 11)]


def test_the_defaults_are_the_sizes_of_vame():
    loaded = load()
    assert loaded.model.zdims == 30
    assert loaded.model.hidden_size_layer_1 == 256
    assert loaded.train.max_epochs == 20
    assert loaded.results == "results"
    assert list(loaded.models) == ["vame"]


def test_all_problems_are_reported_together_one_line_each():
    found = problems(
        sessions={"bad name": {"poses": "a.csv", "fps": 30}, "b": {"poses": "b.csv", "fps": "x"}},
        trian={},
        train={"max_epochs": 0},
        model={"zdim": 3},
    )
    assert len(found) == 5
    assert all("\n" not in line for line in found)
    text = "\n".join(found)
    for part in ("bad name", "sessions.b.fps", "'train'", "train.max_epochs", "'zdims'"):
        assert part in text


def test_different_frame_rates_need_a_common_one():
    """Also if one of the sessions is only encoded."""
    for use in ("train", "encode"):
        sessions = {
            "a": {"poses": "a.csv", "fps": 30},
            "b": {"poses": "b.csv", "fps": 25, "use": use},
        }
        (line,) = problems(sessions=sessions)
        assert "25 fps: b; 30 fps: a" in line and "align.fps" in line
        align = {"centre": "tail", "forward": "nose", "fps": 25}
        assert load(sessions=sessions, align=align).align.fps == 25


def test_a_session_cannot_have_the_name_of_a_file_of_the_motifs():
    session = {"poses": "a.csv", "fps": 30}
    (line,) = problems(sessions={"bouts": session, "other": session})
    assert line == (
        "config: sessions.bouts: a file of the results has this name. Rename the session."
    )


def test_at_least_one_session_is_trained_on():
    session = {"poses": "a.csv", "fps": 30, "use": "encode"}
    (line,) = problems(sessions={"a": session})
    assert "every session has use: encode or is excluded, so there is nothing to train on" in line
    assert problems(sessions={}) == ["config: sessions is empty. Add at least one recording."]
    loaded = load(sessions={"a": session, "b": session | {"use": "train"}})
    assert (loaded.training_sessions, loaded.new_sessions) == (["b"], ["a"])


@pytest.mark.parametrize(
    ("results", "fault"),
    [("a {b}", "contains { } < or >"), ("a <b>", "contains { } < or >"), ("-a", "starts with '-'")],
)
def test_results_folders_that_snakemake_cannot_take_are_refused(results, fault):
    (line,) = problems(results=results)
    assert line.startswith(f"config: results '{results}' {fault}, which ")
    assert line.endswith(" Set results to another path.")


@pytest.mark.parametrize(
    ("keypoints", "message"),
    [
        (
            ["nose"],
            "align.centre 'tail' is not in keypoints, which has: nose. Set it to one of these.",
        ),
        (["nose", "tail", "nose"], "keypoints lists a keypoint twice"),
        ([], "keypoints has no keypoint, alignment needs at least two on the animal"),
        (3, "keypoints: Input should be a valid list. Found 3."),
        ({"nose": "Nose", "tail": ["Tail"]}, "keypoints.nose: Input should be a valid list"),
    ],
)
def test_keypoints_that_cannot_be_used_are_named(keypoints, message):
    assert message in problems(keypoints=keypoints)[0]


@given(st.text(min_size=1, max_size=12) | st.text("aZ0._-", min_size=1, max_size=4))
def test_session_names_are_restricted(name):
    assume(name not in MOTIF_TABLES)  # which has a message of its own
    allowed = all(c.isascii() and (c.isalnum() or c in "._-") for c in name)
    allowed = allowed and name[0] not in ".-"  # no path upwards, no option of a command
    raw = {
        "sessions": {name: {"poses": "a.csv", "fps": 30}},
        "align": {"centre": "tail", "forward": "nose"},
    }
    if allowed:
        assert list(loading.load(raw).sessions) == [name]
    else:
        with pytest.raises(InputError, match="letters, digits"):
            loading.load(raw)


def test_credentials_belong_in_the_environment():
    (line,) = problems(mlflow={"tracking_uri": "https://me:secret@lab.example/mlflow"})
    assert "MLFLOW_TRACKING_PASSWORD" in line and "secret" not in line


def test_an_empty_section_has_its_defaults():
    assert load(model=None, train=None, keypoints=None) == load()


def test_a_later_configuration_takes_precedence(tmp_path):
    """Sections are merged key by key; sessions, models and keypoints are replaced."""
    first, second = tmp_path / "first.yaml", tmp_path / "second.yaml"
    first.write_text(
        yaml.safe_dump(MINIMAL | {"train": {"seed": 1, "beta": 2}, "models": {"a": {}}})
    )
    session = {"poses": "b.csv", "fps": 30}
    second.write_text(
        yaml.safe_dump({"train": {"seed": 3}, "models": {"b": {}}, "sessions": {"b": session}})
    )
    loaded = loading.load(first, second, {"train": {"patience": "7"}, "results": "there"})
    assert (loaded.train.seed, loaded.train.beta, loaded.train.patience) == (3, 2, 7)
    assert (list(loaded.models), list(loaded.sessions)) == (["b"], ["b"])
    assert loaded.align.centre == "tail" and loaded.results == "there"


def test_an_empty_section_of_a_later_configuration_changes_nothing():
    first = MINIMAL | {"train": {"seed": 1}, "models": {"a": {}}, "keypoints": ["nose", "tail"]}
    assert loading.load(first, {"train": None, "models": None}) == loading.load(first)
    assert loading.load(first, {"keypoints": None}).keypoints is None


def test_the_resolved_configuration_makes_the_same_models(tmp_path):
    """Also if a preset fills in what is not set."""
    models = {
        "plain": {"zdims": 4},
        "published": {"preset": "vame", "learning_rate": 1e-4},
        "sweep": {"grid": {"zdims": [4, 8], "beta": [0.5, 1]}, "seeds": [1, 2]},
        "both": {"grid": {"preset": [None, "vame"]}, "seeds": [3]},
    }
    for train in ({}, {"beta": 2.0}, {"preset": "vame", "patience": 7}):
        loaded = load(models=models, train=train)
        loading.write(loaded, tmp_path / "config.yaml")
        again = loading.load(tmp_path / "config.yaml")
        assert again.digest == loaded.digest
        assert set(again.variants) == set(loaded.variants)
        for name in loaded.variants:
            before, after = (settings.variant(name) for settings in (loaded, again))
            assert [part.model_dump() for part in after] == [part.model_dump() for part in before]
            device = before[1].for_device("cpu"), after[1].for_device("cpu")
            assert device[0] == device[1]


def test_a_job_takes_only_the_configuration_of_its_own_run(tmp_path, monkeypatch):
    path = tmp_path / "config.yaml"
    with pytest.raises(InputError, match=r"no such file\. Run snakemake first"):
        loading.load_run(path)
    sessions = {name: {"poses": f"{name}.csv", "fps": 30} for name in "ab"}
    old, new = load(sessions=sessions), load(sessions=dict(reversed(sessions.items())))
    monkeypatch.setenv(loading.RUN_VARIABLE, new.digest)
    for _ in range(2):  # without the file, and with that of an earlier run
        with pytest.raises(InputError, match=r"is not the configuration of this run\..*--no-hooks"):
            loading.load_run(path)
        loading.write(old, path)
    loading.write(new, path)
    assert list(loading.load_run(path).sessions) == ["b", "a"]
