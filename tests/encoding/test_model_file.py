import dataclasses
import pickle

import numpy as np
import pytest
import torch
from conftest import TRAIN, train_in_process
from models import random_model

from vame_pipe import load_model
from vame_pipe.config.sections import Align
from vame_pipe.core.errors import InputError
from vame_pipe.encoding import model_file
from vame_pipe.encoding.novelty import reconstruction_errors
from vame_pipe.encoding.posterior import encode_windows
from vame_pipe.training.result import find_reference


@pytest.fixture
def saved(tmp_path):
    """Path and content of a model file."""
    path = tmp_path / "model.pt"
    model_file.save(random_model(["nose_x"], 5), path)
    return path, torch.load(path, weights_only=True)


def test_the_model_file_of_a_training_run_is_self_sufficient(data, tmp_path):
    short = TRAIN.model_copy(update={"max_epochs": 1})
    loaded, trained = train_in_process(data, tmp_path, settings=short)
    content = torch.load(tmp_path / "model.pt", weights_only=True)
    assert content["features"] == loaded.meta.features
    assert content["settings"]["align"]["centre"] == "tailbase"
    assert content["settings"]["train"]["learning_rate"] == 2e-3
    assert content["fps"] == 30 and content["length"] == 15
    assert content["versions"]["torch"] == "2.13.0"
    np.testing.assert_array_equal(content["mean"], loaded.mean.tolist())
    # of the validation windows, as encoding compares new windows with it
    reference = find_reference(trained, loaded, "cpu")
    network = trained.network("cpu")
    latents = encode_windows(network, loaded.frames, loaded.val.astype(np.int64), 15).mean
    errors = reconstruction_errors(network, loaded.frames, loaded.val.astype(np.int64), latents, 15)
    assert reference.error_p99 == pytest.approx(np.quantile(errors, 0.99), rel=1e-4)
    assert 0 < (errors > reference.error_p99).sum() <= 0.01 * len(errors) + 1
    assert reference.body_lengths == loaded.meta.body_lengths and len(reference.body_lengths) == 2
    assert reference.source_rates == [30.0]


def test_a_saved_model_is_loaded_as_it_was(saved):
    path, _ = saved
    model, loaded = random_model(["nose_x"], 5), load_model(path)
    for field in dataclasses.fields(model):
        if field.name != "state":
            assert getattr(loaded, field.name) == getattr(model, field.name)
    assert loaded.state.keys() == model.state.keys()
    assert all(torch.equal(loaded.state[name], weight) for name, weight in model.state.items())
    assert not loaded.network().training


@pytest.mark.parametrize("content", [b"", b"not a model", b"PK\x03\x04 cut", b"\x80\x02\x95"])
def test_damaged_model_files_are_refused(tmp_path, content):
    path = tmp_path / "model.pt"
    path.write_bytes(content)
    with pytest.raises(InputError, match="cannot be read as a model file"):
        load_model(path)


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
@pytest.mark.parametrize("zipped", [True, False])
def test_no_damage_ends_in_another_exception(saved, zipped):
    """Of files as torch writes them now, and as it wrote them before version 1.6."""
    path, content = saved
    torch.save(content, path, _use_new_zipfile_serialization=zipped)
    intact = path.read_bytes()
    rng = np.random.default_rng(0)
    for _ in range(100):
        cut = bytearray(intact[: rng.integers(1, len(intact))])
        for at in rng.integers(min(1000, len(cut)), size=5):
            cut[at] = rng.integers(256)
        path.write_bytes(cut)
        with pytest.raises(InputError, match="cannot be read as a model file"):
            load_model(path)


def test_code_in_a_model_file_is_not_run(tmp_path):
    class Harm:
        def __reduce__(self):
            return (open, (str(tmp_path / "harm"), "w"))

    (tmp_path / "model.pt").write_bytes(
        pickle.dumps({"format_version": 1, "state": Harm()}, protocol=2)
    )
    with pytest.raises(InputError, match="cannot be read as a model file"):
        load_model(tmp_path / "model.pt")
    assert not (tmp_path / "harm").exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([1, 2], "not a model file of vame_pipe. Expected the model.pt"),
        ({"weight": torch.zeros(2)}, "not a model file of vame_pipe. Expected the model.pt"),
        ({"format_version": "1.0"}, "not a model file of vame_pipe. Expected the model.pt"),
        (
            {"format_version": 1, "state": {}, "epoch": 3},
            "it has no arguments, features, mean, std",
        ),
        ({"format_version": 9}, "newer version of vame_pipe .format 9, .* up to 2.. Upgrade"),
    ],
)
def test_files_of_other_programs_and_versions_are_refused(tmp_path, content, message):
    path = tmp_path / "model.pt"
    torch.save(content, path)
    with pytest.raises(InputError, match=message):
        load_model(path)


def test_a_missing_model_file_is_named(tmp_path):
    with pytest.raises(InputError, match=r"no\.pt: file not found, expected a model file"):
        load_model(tmp_path / "no.pt")


def test_settings_of_a_model_of_version_0_1_have_their_current_names(saved):
    path, content = saved
    old = {
        "align": {"smooth": 0.2, "outliers": None, "scale": True},
        "windows": {"test_fraction": 0.1},
        "train": {"decay": 0.5, "clip": 5.0, "noise": 0.0, "seed": 3},
    }
    torch.save(content | {"format_version": 1, "settings": old}, path)
    assert load_model(path).settings == {
        "align": {"smooth_s": 0.2, "outlier_threshold": None, "scale": True},
        "windows": {"val_fraction": 0.1},
        "train": {"decay_fraction": 0.5, "max_grad_norm": 5.0, "input_noise": 0.0, "seed": 3},
    }


def test_the_alignment_of_a_model_is_that_of_its_recordings():
    stored = Align(centre="tail", forward="nose", smooth_s=None).model_dump()
    keypoints = {"tail": ["tail", "Tailbase"], "nose": ["nose"]}
    model = random_model(["nose_x"], 5, settings={"align": stored | {"keypoints": keypoints}})
    settings, names = model.alignment()
    # the frame rate of the model: recordings with another one are resampled
    assert settings == Align(centre="tail", forward="nose", smooth_s=None, fps=30)
    assert names == keypoints


def test_weights_of_vame_say_nothing_about_the_alignment():
    model = random_model(["nose_x"], 5, settings={"vame": {}})
    with pytest.raises(InputError, match="does not contain the settings of the alignment"):
        model.alignment()
