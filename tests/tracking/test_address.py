"""Which store a run is recorded in."""

import pytest

from vame_pipe.core.errors import InputError
from vame_pipe.tracking import address
from vame_pipe.tracking.address import Address


@pytest.fixture(autouse=True)
def no_configured_server(monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)


def test_the_environment_variable_takes_precedence(monkeypatch, tmp_path):
    own = f"sqlite:///{tmp_path}/mlflow.db"
    lab = address.resolve_address("http://lab:5000", "mice", tmp_path)
    assert lab == Address("http://lab:5000", "mice", None)
    assert address.resolve_address(None, "mice", tmp_path) == Address(own, "mice", tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://env:5000")
    resolved = address.resolve_address("http://lab:5000", "mice", tmp_path)
    assert resolved.uri == "http://env:5000"


@pytest.mark.parametrize("configured", [None, "http://lab:5000"])
def test_an_address_is_read_as_it_was_written(configured, tmp_path):
    path = tmp_path / "mlflow/experiment.json"
    address.write_address(path, configured, "mice")
    assert address.read_address(path) == address.resolve_address(configured, "mice", path.parent)


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"tracking_uri": null}'])
def test_a_damaged_address_is_named_with_the_command_that_writes_it(content, tmp_path):
    path = tmp_path / "experiment.json"
    path.write_text(content)
    with pytest.raises(InputError, match=r"the file is damaged. Delete it, and run") as caught:
        address.read_address(path)
    assert f"vame-pipe init-mlflow --out {path}" in str(caught.value)


def test_a_missing_address_names_the_command_that_writes_it(tmp_path):
    path = tmp_path / "experiment.json"
    with pytest.raises(
        InputError, match=r"no such file. Run `vame-pipe init-mlflow --out .*` first"
    ):
        address.read_address(path)
