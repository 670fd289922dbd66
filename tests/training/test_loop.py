import itertools
import json

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from conftest import MODEL, TRAIN, train_in_process, without_timings

from vame_pipe.config.sections import Train, Windows
from vame_pipe.core import device
from vame_pipe.core.errors import InputError
from vame_pipe.encoding import model_file
from vame_pipe.training.batches import Feed
from vame_pipe.windows import build


@pytest.fixture(scope="module")
def trained(data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    return folder, *train_in_process(data, folder)


def test_training_again_gives_the_same_weights_bit_for_bit(data, trained, tmp_path):
    _, _, first = trained
    _, second = train_in_process(data, tmp_path)
    for name, weight in first.state.items():
        assert torch.equal(weight, second.state[name]), name
    assert without_timings(first.history) == without_timings(second.history)


def test_the_number_of_threads_changes_no_bit(data, tmp_path):
    """One thread, two, and as many as change at every step; at a size where torch does share the work."""
    if not device.SAME_WITH_ANY_THREADS:
        pytest.skip("no MKL on an Intel processor: the number of threads stays as it is asked for")
    wide = MODEL.model_copy(update={"hidden_size_layer_1": 128, "hidden_size_rec": 128})
    short = TRAIN.model_copy(update={"max_epochs": 1})
    weights, steps = [], itertools.count()
    for numbers in ([1], [2], [1, 2]):

        def switch(numbers=numbers):
            torch.set_num_threads(numbers[next(steps) % len(numbers)])

        _, outcome = train_in_process(
            data, tmp_path / str(numbers), model=wide, settings=short, stopped=switch
        )
        weights.append(outcome.state)
    for other in weights[1:]:
        assert all(torch.equal(other[name], weights[0][name]) for name in weights[0])


def test_another_seed_gives_other_weights(data, trained, tmp_path):
    _, other = train_in_process(
        data, tmp_path, settings=TRAIN.model_copy(update={"seed": 1, "max_epochs": 1})
    )
    assert other.history[0]["test/loss"] != trained[2].history[0]["test/loss"]


def test_bfloat16_trains_another_model_as_good_and_the_same_one_again(data, trained, tmp_path):
    settings = TRAIN.model_copy(update={"precision": "bfloat16"})
    (_, one), (_, two) = (
        train_in_process(data, tmp_path / name, settings=settings) for name in ("1", "2")
    )
    of_float32 = trained[2]
    for name, weight in one.state.items():
        assert weight.dtype == torch.float32
        assert torch.equal(weight, two.state[name]), name
    assert any(not torch.equal(of_float32.state[name], one.state[name]) for name in one.state)
    figure, expected = (o.history[-1]["test/loss"] for o in (one, of_float32))
    assert figure == pytest.approx(expected, rel=0.02)


def test_metrics_are_on_disk_line_by_line(trained):
    folder, data, outcome = trained
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    assert lines[:-1] == outcome.history[:-1]
    assert lines[-1] == outcome.history[-1] | {"stop": "max_epochs reached"}
    assert [line["epoch"] for line in lines] == [0, 1, 2]
    assert [line["windows_seen"] for line in lines] == [n * len(data.train) for n in (1, 2, 3)]
    assert [line["annealing"] for line in lines] == [0.5, 1, 1]


def test_validation_is_the_un_annealed_loss_of_all_test_windows(data, trained):
    """Recomputed window by window from the model file."""
    folder, loaded, outcome = trained
    best = min(outcome.history, key=lambda line: line["test/loss"])
    file = model_file.load(folder / "model.pt")
    net = file.network()
    stored = pq.read_table(data / "windows/frames.parquet", columns=file.features)
    raw = stored.to_pandas().to_numpy()
    frames = torch.from_numpy((raw - np.array(file.mean)) / np.array(file.std)).float()
    length, future = loaded.meta["length"], loaded.meta["future"]
    errors, truth = [], []
    with torch.no_grad():
        for start in loaded.test:
            window = frames[start : start + length + future][None]
            prediction, ahead, *_ = net(window[:, :length])
            errors.append(
                [
                    ((prediction - window[:, :length]) ** 2).sum(),
                    ((ahead - window[:, length:]) ** 2).sum(),
                ]
            )
            truth.append(window[0, :length].numpy())
    reconstruction, prediction = np.mean(errors, axis=0)
    assert best["test/reconstruction"] == pytest.approx(reconstruction, rel=1e-4)
    assert best["test/prediction"] == pytest.approx(prediction, rel=1e-4)
    total = reconstruction + prediction + best["test/kl"] + 0.1 * best["test/spectral"]
    assert best["test/loss"] == pytest.approx(total, rel=1e-4)
    truth = np.array(truth)
    deviation = ((truth - truth.mean(axis=(0, 1))) ** 2).sum()
    assert best["test/r2_reconstruction"] == pytest.approx(
        1 - reconstruction * len(truth) / deviation, rel=1e-3
    )
    assert outcome.summary["final/r2_reconstruction"] == best["test/r2_reconstruction"]


def test_training_learns(trained):
    _, _, outcome = trained
    losses = [line["test/loss"] for line in outcome.history]
    assert losses[2] < losses[1] < losses[0]
    assert outcome.summary["final/r2_reconstruction"] > 0.2


@pytest.mark.parametrize(("decay", "epochs"), [(0.0, 3), (0.5, 6)])
def test_patience_ends_the_plateau_and_a_decay_follows(data, tmp_path, decay, epochs):
    stuck = {"learning_rate": 1e-12, "max_epochs": 50, "patience": 2, "decay": decay}
    _, outcome = train_in_process(data, tmp_path, settings=TRAIN.model_copy(update=stuck))
    assert len(outcome.history) == epochs
    assert outcome.stop == "no better test loss for 2 epochs"


def test_a_loss_that_is_no_number_ends_training_with_a_hint(data, tmp_path):
    with pytest.raises(
        InputError, match=r"no finite number at step \d+ of epoch \d+, .* Lower train.learning_rate"
    ):
        train_in_process(data, tmp_path, settings=TRAIN.model_copy(update={"learning_rate": 1e30}))


def test_without_a_future_there_is_no_prediction(data, recordings, tmp_path):
    aligned = [data / "aligned/sim-1.parquet"]
    build.build(aligned, Windows(length_s=0.5, future_s=0), tmp_path / "windows")
    _, outcome = train_in_process(
        tmp_path, tmp_path, settings=TRAIN.model_copy(update={"max_epochs": 1, "noise": 0.1})
    )
    assert outcome.history[0]["test/prediction"] == 0
    assert "test/r2_prediction" not in outcome.history[0]
    assert not any("future" in name for name in outcome.state)


def test_frames_that_stream_from_the_host_give_the_same_model(data, trained, tmp_path):
    settings = TRAIN.model_copy(update={"device_memory_gib": 1e-6})
    loaded, streamed = train_in_process(data, tmp_path, settings=settings)
    assert Feed(loaded.frames, "cpu", settings.device_memory_gib).streams
    assert all(torch.equal(trained[2].state[k], v) for k, v in streamed.state.items())


def test_a_collapsed_latent_is_reported_with_what_to_do(data, tmp_path, caplog):
    _, outcome = train_in_process(
        data, tmp_path, settings=TRAIN.model_copy(update={"beta": 1000.0})
    )
    assert outcome.history[-1]["test/active_units"] == 0
    assert "0 of 4 dimensions are active: lower train.beta (1000)" in caplog.text


def test_a_gpu_without_room_gives_the_batch_size_to_try(data, tmp_path, monkeypatch):
    def full(*args):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr("vame_pipe.train.loss_terms", full)
    with pytest.raises(InputError, match=r"batches of 64 windows. Set train.batch_size to 32"):
        train_in_process(data, tmp_path)


def test_the_default_recipe_is_ahead_of_the_published_one(data, tmp_path):
    """After a fifth of its windows."""
    default, published = (
        Train(device="cpu", max_epochs=epochs, preset=preset).for_device("cpu")
        for epochs, preset in ((2, None), (10, "vame"))
    )
    _, ours = train_in_process(data, tmp_path / "default", settings=default)
    _, vame = train_in_process(data, tmp_path / "vame", settings=published)
    for part in ("reconstruction", "prediction"):
        assert ours.history[-1][f"test/{part}"] < vame.history[-1][f"test/{part}"]
