import pickle

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
import yaml

from vame_pipe.cli.main import main
from vame_pipe.core.errors import InputError
from vame_pipe.core.metadata import AlignedMetadata, read_record
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
def project(tmp_path, data):
    """Weights and configuration for as many features as the aligned recordings have."""
    n = len(read_record(AlignedMetadata, data / "aligned/sim-1.parquet").features)
    torch.save(network(n=n).state_dict(), tmp_path / "vame.pkl")
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(CONFIG | {"num_features": n}))
    return tmp_path


def import_vame(folder, *more):
    files = ["--weights", folder / "vame.pkl", "--config", folder / "config.yaml"]
    return main(["import-vame", *map(str, [*files, "--out", folder / "model.pt", *more])])


def encode(folder, data):
    arguments = [
        "--model",
        folder / "model.pt",
        "--aligned",
        data / "aligned",
        "--sessions",
        "sim-1",
    ]
    return main(["encode", *map(str, [*arguments, "--device", "cpu", "--out", folder / "z"])])


def test_latents_are_what_the_network_returns_for_scaled_features(project, data):
    aligned = data / "aligned/sim-1.parquet"
    features = read_record(AlignedMetadata, aligned).features
    np.save(project / "mean.npy", 0.5)
    np.save(project / "std.npy", 2.0)
    scaled = ("--mean", project / "mean.npy", "--std", project / "std.npy")
    assert import_vame(project, "--fps", "30", "--features", ",".join(features), *scaled) == 0
    assert encode(project, data) == 0

    latent = pq.read_table(project / "z/sim-1.parquet").to_pandas()
    frames = pq.read_table(aligned, columns=features).to_pandas().to_numpy()
    for row in (0, 100, len(latent) - 1):
        start = latent["frame"][row] - 6
        window = torch.from_numpy((frames[start : start + 12] - 0.5) / 2).float()[None]
        mu = network(n=len(features)).eval()(window)[3][0]
        np.testing.assert_allclose(latent.filter(like="z_").to_numpy()[row], mu.detach(), atol=1e-5)


def test_without_names_any_recording_with_as_many_features_is_accepted(project, data, capsys):
    assert import_vame(project) == 0
    model = model_file.load(project / "model.pt")
    assert model.arguments["batch_mixing"] and model.features is None and "VAME" in model.note
    assert encode(project, data) == 0
    assert "the model stores no feature names; assuming" in capsys.readouterr().err
    torch.save(network().state_dict(), project / "vame.pkl")
    (project / "config.yaml").write_text(yaml.safe_dump(CONFIG))
    assert import_vame(project) == 0
    assert encode(project, data) == 2
    assert "the model takes 13" in capsys.readouterr().err


def test_all_mismatches_are_listed_at_once(project, capsys):
    state = network().state_dict()
    del state["lmbda.hidden_to_mean.bias"]
    state["decoder.extra"] = torch.zeros(1)
    state["decoder.hidden_to_output.bias"] = torch.zeros(4)
    torch.save(state, project / "vame.pkl")
    (project / "config.yaml").write_text(yaml.safe_dump(CONFIG))
    assert import_vame(project, "--features", "a,b") == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 4 and not (project / "model.pt").exists()
    assert "lmbda.hidden_to_mean.bias is missing" in lines[0] and "has decoder.extra" in lines[1]
    assert "shape (4,)" in lines[2] and "needs (13,)" in lines[2]
    assert "--features has 2 names, the model has 13" in lines[3]


def test_numbers_to_scale_by_that_cannot_be_used_are_named(project, capsys):
    (project / "text.npy").write_text("0.5")
    np.save(project / "names.npy", ["a", "b"])
    np.save(project / "zero.npy", 0.0)
    np.save(project / "many.npy", [1.0, 2.0])
    np.save(project / "nan.npy", np.nan)
    for name, message in (
        ("missing.npy", "missing.npy: file not found"),
        ("text.npy", "text.npy: cannot be read as .npy"),
        ("names.npy", "names.npy: does not contain numbers"),
        ("zero.npy", "zero.npy: contains 0; standard deviations must be above 0"),
        ("many.npy", "many.npy: contains 2 numbers; it must contain 1 or "),
        ("nan.npy", "nan.npy: all of its values must be finite"),
    ):
        assert import_vame(project, "--std", project / name) == 2
        assert message in capsys.readouterr().err
    assert not (project / "model.pt").exists()


def test_a_configuration_with_missing_or_wrong_keys_is_refused(project, capsys):
    settings = {k: v for k, v in CONFIG.items() if k not in ("zdims", "softplus")}
    wrong = {"time_window": "30", "hidden_size_rec": 0, "dropout_rec": 1.5}
    (project / "config.yaml").write_text(yaml.safe_dump(settings | wrong))
    assert import_vame(project) == 2
    error = capsys.readouterr().err
    assert "missing keys: zdims, softplus; " in error
    assert "time_window: '30', hidden_size_rec: 0, dropout_rec: 1.5" in error


@pytest.mark.parametrize("fewer", [2, 3])
def test_features_that_vame_subtracts_if_data_is_not_egocentric(tmp_path, fewer):
    torch.save(network(n=13 - fewer).state_dict(), tmp_path / "vame.pkl")
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(CONFIG | {"egocentric_data": False}))
    model = vame_import.read_vame(tmp_path / "vame.pkl", tmp_path / "config.yaml")
    assert model.arguments["NUM_FEATURES"] == len(model.mean) == 13 - fewer
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(CONFIG))
    with pytest.raises(InputError, match="weight_ih_l0 has the shape"):
        vame_import.read_vame(tmp_path / "vame.pkl", tmp_path / "config.yaml")


def test_code_in_weights_is_not_run(project, capsys):
    class Harm:
        def __reduce__(self):
            return (open, (str(project / "harm"), "w"))

    (project / "vame.pkl").write_bytes(pickle.dumps({"a": Harm()}, protocol=2))
    assert import_vame(project) == 2
    assert "cannot be read as weights" in capsys.readouterr().err
    assert not (project / "harm").exists()
