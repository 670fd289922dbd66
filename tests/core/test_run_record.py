import json
from dataclasses import asdict, replace

import pytest

from vame_pipe.core import run_record
from vame_pipe.core.errors import InputError
from vame_pipe.core.layout import Layout
from vame_pipe.core.run_record import RunRecord, TrainingData

STARTED = RunRecord(
    name="mice-z4-s1",
    sweep="mice",
    variant="mice-z4",
    training_id="abc",
    started=1_000_000,
    params={"model.zdims": 4, "train.max_grad_norm": None, "train.learning_rate": 1e-3},
    data=TrainingData(
        path="results/windows",
        fingerprint="d1",
        features=["nose_x", "nose_y"],
        aligned={"sim-1": "f1"},
        length=15,
        fps=29.97,
        n_frames=100,
        n_train=50,
        n_val=10,
    ),
    stage_version=1,
    source={"device": "cpu", "git_commit": "c0"},
)
FINISHED = replace(
    STARTED,
    run_id="r1",
    ended=1_060_000,
    summary={"final/reconstruction": 0.5, "final/prediction": 0.25},
    stop="max_epochs reached",
)


@pytest.mark.parametrize("record", [STARTED, FINISHED])
def test_a_record_is_read_as_it_was_written(record, tmp_path):
    run_record.write(record, tmp_path / "run.json")
    assert run_record.read(tmp_path / "run.json") == record


def test_tags_and_error_come_from_the_record():
    assert FINISHED.tags == {
        "device": "cpu",
        "git_commit": "c0",
        "model": "mice-z4-s1",
        "sweep": "mice",
        "variant": "mice-z4",
        "data_fingerprint": "d1",
        "training_id": "abc",
    }
    assert FINISHED.error == 0.75


OLD = asdict(FINISHED) | {"tags": {"device": "cpu"}, "data": {"name": "windows", "digest": "d1"}}


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(OLD),
        json.dumps(asdict(FINISHED) | {"about": 1}),
        json.dumps({k: v for k, v in asdict(FINISHED).items() if k != "params"}),
        "[]",
        '{"name": ',
        "",
    ],
)
def test_a_damaged_record_or_one_of_another_version_is_refused_in_one_line(text, tmp_path):
    path = tmp_path / "run.json"
    path.write_text(text)
    with pytest.raises(InputError) as caught:
        run_record.read(path)
    (line,) = caught.value.problems
    assert line.startswith(f"{path}: not a run record of vame_pipe ")
    assert line.endswith("Train the model again.")


def test_records_are_read_by_model_and_missing_ones_are_all_named(tmp_path):
    layout = Layout(tmp_path)
    with pytest.raises(InputError, match="contains no trained model"):
        run_record.require_models(layout)
    run_record.write(FINISHED, layout.model("b").run)
    run_record.write(STARTED, layout.model("a").run)
    assert run_record.require_models(layout) == ["a", "b"]
    assert run_record.read_runs(layout, ["b", "a"]) == {"b": FINISHED, "a": STARTED}
    with pytest.raises(InputError) as caught:
        run_record.read_runs(layout, ["x", "a", "y"])
    assert [line.split(":")[0] for line in caught.value.problems] == ["model x", "model y"]


def test_the_settings_that_differ_are_in_the_order_of_the_first_run():
    changed = FINISHED.params | {"train.learning_rate": 1e-4, "model.zdims": 8}
    runs = {"a": FINISHED, "b": FINISHED, "c": replace(FINISHED, params=changed)}
    assert run_record.differing_params(runs) == ["model.zdims", "train.learning_rate"]
    assert run_record.differing_params({"a": FINISHED}) == []


def test_the_history_has_one_entry_per_epoch(tmp_path):
    lines = [{"epoch": 0, "val/loss": 2.5}, {"epoch": 1, "val/loss": 1.5, "stop": "patience"}]
    path = tmp_path / "metrics.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert run_record.read_history(path) == lines
