"""Numbers and messages of short training runs."""

import itertools
import json
import math

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from conftest import MODEL, TRAIN, train_in_process, without_timings

from vame_pipe.config.sections import Train, Windows
from vame_pipe.core import device
from vame_pipe.core.errors import InputError
from vame_pipe.encoding import model_file
from vame_pipe.training import loop, losses
from vame_pipe.training.batches import WindowBatches
from vame_pipe.windows import build

ONE_EPOCH = TRAIN.model_copy(update={"max_epochs": 1})


@pytest.fixture(scope="module")
def trained(data, tmp_path_factory):
    """A training run of three epochs: its folder, the windows and its result."""
    folder = tmp_path_factory.mktemp("model")
    return folder, *train_in_process(data, folder)


@pytest.fixture(scope="module")
def one_epoch(data, tmp_path_factory):
    """The result of a training run of one epoch."""
    return train_in_process(data, tmp_path_factory.mktemp("one epoch"), settings=ONE_EPOCH)[1]


def test_training_twice_ends_with_the_same_weights_bit_for_bit(data, one_epoch, tmp_path):
    _, second = train_in_process(data, tmp_path, settings=ONE_EPOCH)
    for name, weight in one_epoch.state.items():
        assert torch.equal(weight, second.state[name]), name
    assert without_timings(one_epoch.history) == without_timings(second.history)


def test_the_number_of_threads_changes_no_bit(data, tmp_path):
    """One thread, two, and a number that changes at every step; the network is large enough to share."""
    if not device.SAME_WITH_ANY_THREADS:
        pytest.skip("without MKL on an Intel processor the number of threads does not change")
    wide = MODEL.model_copy(update={"hidden_size_layer_1": 128, "hidden_size_rec": 128})
    settings = ONE_EPOCH.model_copy(update={"batch_size": 256})
    weights, steps = [], itertools.count()
    for numbers in ([1], [2], [1, 2]):

        def switch(numbers=numbers):
            torch.set_num_threads(numbers[next(steps) % len(numbers)])

        _, result = train_in_process(
            data, tmp_path / str(numbers), model=wide, settings=settings, stopped=switch
        )
        weights.append(result.state)
    for other in weights[1:]:
        assert all(torch.equal(other[name], weights[0][name]) for name in weights[0])


def test_another_seed_ends_with_other_weights(data, one_epoch, tmp_path):
    settings = ONE_EPOCH.model_copy(update={"seed": 1})
    _, other = train_in_process(data, tmp_path, settings=settings)
    assert other.history[0]["val/loss"] != one_epoch.history[0]["val/loss"]


def test_bfloat16_is_as_good_as_float32_and_reproducible(data, one_epoch, tmp_path):
    settings = ONE_EPOCH.model_copy(update={"precision": "bfloat16"})
    (_, one), (_, two) = (
        train_in_process(data, tmp_path / name, settings=settings) for name in ("1", "2")
    )
    for name, weight in one.state.items():
        assert weight.dtype == torch.float32
        assert torch.equal(weight, two.state[name]), name
    assert any(not torch.equal(one_epoch.state[name], one.state[name]) for name in one.state)
    loss, expected = (result.history[-1]["val/loss"] for result in (one, one_epoch))
    assert loss == pytest.approx(expected, rel=0.02)


def test_metrics_are_on_disk_with_one_line_per_epoch(trained):
    folder, data, result = trained
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    assert lines[:-1] == result.history[:-1]
    assert lines[-1] == result.history[-1] | {"stop": "max_epochs reached"}
    assert [line["epoch"] for line in lines] == [0, 1, 2]
    assert [line["windows_seen"] for line in lines] == [n * len(data.train) for n in (1, 2, 3)]
    assert [line["annealing"] for line in lines] == [0.5, 1, 1]


def test_validation_is_the_loss_without_annealing_of_all_validation_windows(data, trained):
    """Recomputed window by window from the model file."""
    folder, loaded, result = trained
    best = min(result.history, key=lambda line: line["val/loss"])
    file = model_file.load(folder / "model.pt")
    net = file.network()
    stored = pq.read_table(data / "windows/frames.parquet", columns=file.features)
    raw = stored.to_pandas().to_numpy()
    frames = torch.from_numpy((raw - np.array(file.mean)) / np.array(file.std)).float()
    length, future = loaded.meta.length, loaded.meta.future
    errors, truth = [], []
    with torch.no_grad():
        for start in loaded.val:
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
    assert best["val/reconstruction"] == pytest.approx(reconstruction, rel=1e-4)
    assert best["val/prediction"] == pytest.approx(prediction, rel=1e-4)
    total = reconstruction + prediction + best["val/kl"] + 0.1 * best["val/spectral"]
    assert best["val/loss"] == pytest.approx(total, rel=1e-4)
    truth = np.array(truth)
    deviation = ((truth - truth.mean(axis=(0, 1))) ** 2).sum()
    assert best["val/r2_reconstruction"] == pytest.approx(
        1 - reconstruction * len(truth) / deviation, rel=1e-3
    )
    assert result.summary["final/r2_reconstruction"] == best["val/r2_reconstruction"]


def test_training_learns(trained):
    _, _, result = trained
    losses = [line["val/loss"] for line in result.history]
    assert losses[2] < losses[1] < losses[0]
    assert result.summary["final/r2_reconstruction"] > 0.2


@pytest.mark.parametrize(("decay", "epochs"), [(0.0, 3), (0.5, 6)])
def test_patience_ends_the_plateau_and_a_decay_follows(data, tmp_path, decay, epochs):
    stuck = {"learning_rate": 1e-12, "max_epochs": 50, "patience": 2, "batch_size": 512}
    settings = TRAIN.model_copy(update=stuck | {"decay_fraction": decay})
    _, result = train_in_process(data, tmp_path, settings=settings)
    assert len(result.history) == epochs
    assert result.stop == "no better validation loss for 2 epochs"


def test_a_loss_that_is_not_finite_ends_training_with_a_hint(data, tmp_path):
    settings = TRAIN.model_copy(update={"learning_rate": 1e30})
    message = r"loss is not finite at step \d+ of epoch \d+, .* Lower train.learning_rate"
    with pytest.raises(InputError, match=message):
        train_in_process(data, tmp_path, settings=settings)


def test_a_loss_that_is_not_finite_is_found_at_the_end_of_the_epoch(data, tmp_path, monkeypatch):
    """The step that it is reported for is the first such step, also if torch raises nothing."""
    steps = itertools.count()

    def terms_of_step(network, encoder_input, window):
        terms, mu = losses.loss_terms(network, encoder_input, window)
        factor = math.nan if next(steps) in (5, 7) else 1
        return terms._replace(kl=terms.kl.detach() * factor), mu

    monkeypatch.setattr(loop, "loss_terms", terms_of_step)
    with pytest.raises(InputError, match=r"loss is not finite at step 5 of epoch 0"):
        train_in_process(data, tmp_path, settings=ONE_EPOCH)


def test_without_a_future_there_is_no_prediction(data, recordings, tmp_path):
    aligned = [data / "aligned/sim-1.parquet"]
    build.build(aligned, Windows(length_s=0.5, future_s=0), tmp_path / "windows")
    settings = ONE_EPOCH.model_copy(update={"input_noise": 0.1})
    _, result = train_in_process(tmp_path, tmp_path, settings=settings)
    assert result.history[0]["val/prediction"] == 0
    assert "val/r2_prediction" not in result.history[0]
    assert not any("future" in name for name in result.state)


def test_streaming_windows_from_the_host_ends_with_the_same_model(data, one_epoch, tmp_path):
    settings = ONE_EPOCH.model_copy(update={"device_memory_gib": 1e-6})
    loaded, streamed = train_in_process(data, tmp_path, settings=settings)
    assert WindowBatches(loaded.frames, "cpu", settings.device_memory_gib).is_streaming
    assert all(torch.equal(one_epoch.state[k], v) for k, v in streamed.state.items())


def test_posterior_collapse_is_logged_with_what_to_do(data, tmp_path, caplog):
    settings = TRAIN.model_copy(update={"beta": 1000.0})
    _, result = train_in_process(data, tmp_path, settings=settings)
    assert result.history[-1]["val/active_units"] == 0
    message = "posterior collapse, only 0 of 4 latent dimensions are active. Lower train.beta"
    assert f"{message} (now 1000)" in caplog.text


def test_without_gpu_memory_the_message_has_a_batch_size_to_try(data, tmp_path, monkeypatch):
    def full(*args):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(loop, "loss_terms", full)
    message = r"out of GPU memory with train.batch_size 64. Set it to 32"
    with pytest.raises(InputError, match=message):
        train_in_process(data, tmp_path)


def test_the_default_recipe_is_better_than_the_published_one(data, tmp_path):
    """After a fifth of the training windows."""
    default, published = (
        Train(device="cpu", max_epochs=epochs, preset=preset).for_device("cpu")
        for epochs, preset in ((2, None), (10, "vame"))
    )
    _, ours = train_in_process(data, tmp_path / "default", settings=default)
    _, vame = train_in_process(data, tmp_path / "vame", settings=published)
    for part in ("reconstruction", "prediction"):
        assert ours.history[-1][f"val/{part}"] < vame.history[-1][f"val/{part}"]
