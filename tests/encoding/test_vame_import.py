"""Weights of VAME; shared/reference has a state dict with outputs of VAME 0.14.2."""

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
import yaml

from vame_pipe.cli import main
from vame_pipe.core import files
from vame_pipe.core.errors import InputError
from vame_pipe.encoding import model_file, vame_import
from vame_pipe.training.network import RNN_VAE

CONFIG = {
    "time_window": 12,
    "zdims": 5,
    "num_features": 13,
    "prediction_decoder": 1,
    "prediction_steps": 4,
    "hidden_size_layer_1": 8,
    "hidden_size_layer_2": 8,
    "hidden_size_rec": 6,
    "hidden_size_pred": 7,
    "dropout_encoder": 0,
    "dropout_rec": 0.1,
    "dropout_pred": 0,
    "softplus": False,
    "egocentric_data": True,
}


def network(**changes):
    torch.manual_seed(3)
    return RNN_VAE(24, 5, changes.get("n", 13), True, 4, 8, 8, 6, 7, 0, 0.1, 0, False)


@pytest.fixture
def files(tmp_path, data):
    """Weights and configuration for as many features as the aligned recordings have."""
    n = len(files.read_metadata(data / "aligned/sim-1.parquet")["features"])
    torch.save(network(n=n).state_dict(), tmp_path / "vame.pkl")
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(CONFIG | {"num_features": n}))
    return tmp_path


def run(folder, *more):
    arguments = [
        "import-vame",
        "--weights",
        folder / "vame.pkl",
        "--config",
        folder / "config.yaml",
    ]
    return main.main([*map(str, [*arguments, "--out", folder / "model.pt", *more])])


def test_latents_are_what_the_network_gives_for_scaled_features(files, data):
    aligned = data / "aligned/sim-1.parquet"
    features = files.read_metadata(aligned)["features"]
    np.save(files / "mean.npy", 0.5)
    np.save(files / "std.npy", 2.0)
    scaled = ("--mean", files / "mean.npy", "--std", files / "std.npy")
    assert run(files, "--fps", "30", "--features", ",".join(features), *scaled) == 0
    out = files / "z.parquet"
    arguments = ["--model", files / "model.pt", "--aligned", aligned, "--device=cpu", "--out", out]
    assert main.main(["latents", *map(str, arguments)]) == 0

    latent = pq.read_table(out).to_pandas()
    frames = pq.read_table(aligned, columns=features).to_pandas().to_numpy()
    for row in (0, 100, len(latent) - 1):
        start = latent["frame"][row] - 6
        window = torch.from_numpy((frames[start : start + 12] - 0.5) / 2).float()[None]
        mu = network(n=len(features)).eval()(window)[3][0]
        np.testing.assert_allclose(latent.filter(like="z_").to_numpy()[row], mu.detach(), atol=1e-5)


def test_without_names_any_file_with_as_many_features_is_taken(files, data, capsys):
    assert run(files) == 0
    model = model_file.load(files / "model.pt")
    assert model.arguments["batch_mixing"] and model.features is None and "VAME" in model.note
    arguments = [
        "latents",
        "--model",
        files / "model.pt",
        "--device=cpu",
        "--out",
        files / "z.parquet",
    ]
    arguments += ["--aligned", data / "aligned/sim-1.parquet"]
    assert main.main([*map(str, arguments)]) == 0
    assert "does not name its features" in capsys.readouterr().err
    torch.save(network().state_dict(), files / "vame.pkl")
    (files / "config.yaml").write_text(yaml.safe_dump(CONFIG))
    assert run(files) == 0
    assert main.main([*map(str, arguments)]) == 2
    assert "the model takes 13" in capsys.readouterr().err


def test_every_misfit_is_named_at_once(files, capsys):
    state = network().state_dict()
    del state["lmbda.hidden_to_mean.bias"]
    state["decoder.extra"] = torch.zeros(1)
    state["decoder.hidden_to_output.bias"] = torch.zeros(4)
    torch.save(state, files / "vame.pkl")
    (files / "config.yaml").write_text(yaml.safe_dump(CONFIG))
    assert run(files, "--features", "a,b") == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 4 and not (files / "model.pt").exists()
    assert "lacks lmbda.hidden_to_mean.bias" in lines[0] and "has decoder.extra" in lines[1]
    assert "shape (4,)" in lines[2] and "is (13,)" in lines[2]
    assert "--features names 2, the model has 13" in lines[3]


def test_numbers_to_scale_by_that_cannot_be_read_are_named(files, capsys):
    (files / "text.npy").write_text("0.5")
    np.save(files / "names.npy", ["a", "b"])
    np.save(files / "zero.npy", 0.0)
    for name, said in (
        ("lacks.npy", "lacks.npy: no such file"),
        ("text.npy", "text.npy: cannot be read as .npy"),
        ("names.npy", "names.npy: holds no array of numbers"),
        ("zero.npy", "zero.npy: holds a 0"),
    ):
        assert run(files, "--std", files / name) == 2
        assert said in capsys.readouterr().err
    assert not (files / "model.pt").exists()


def test_a_configuration_that_lacks_keys_is_refused(files, capsys):
    settings = {k: v for k, v in CONFIG.items() if k not in ("zdims", "softplus")}
    (files / "config.yaml").write_text(yaml.safe_dump(settings | {"time_window": "30"}))
    assert run(files) == 2
    assert "lacks zdims, softplus; " in capsys.readouterr().err


@pytest.mark.parametrize("fewer", [2, 3])
def test_features_that_vame_took_off_where_data_was_not_egocentric(tmp_path, fewer):
    torch.save(network(n=13 - fewer).state_dict(), tmp_path / "vame.pkl")
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(CONFIG | {"egocentric_data": False}))
    model = vame_import.read_vame(tmp_path / "vame.pkl", tmp_path / "config.yaml")
    assert model.arguments["NUM_FEATURES"] == len(model.mean) == 13 - fewer
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(CONFIG))
    with pytest.raises(InputError, match="weight_ih_l0 has the shape"):
        vame_import.read_vame(tmp_path / "vame.pkl", tmp_path / "config.yaml")


def test_weights_never_run_code(tmp_path, files, capsys):
    import pickle

    class Harm:
        def __reduce__(self):
            return (open, (str(tmp_path / "harm"), "w"))

    (files / "vame.pkl").write_bytes(pickle.dumps({"a": Harm()}))
    assert run(files) == 2
    assert "cannot be read as weights" in capsys.readouterr().err
    assert not (tmp_path / "harm").exists()
