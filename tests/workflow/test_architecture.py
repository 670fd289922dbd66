"""The arrows between the modules."""

import ast
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from conftest import ROOT

from vame_pipe.core.source import closure

MODULES = sorted(path.stem for path in (ROOT / "vame_pipe").glob("[a-z]*.py"))
STAGES = {"align", "windows", "train", "latents"}


def outside(module: str) -> set[str]:
    """Top-level packages that a module imports, wherever in its source."""
    names = set()
    for node in ast.walk(ast.parse((ROOT / f"vame_pipe/{module}.py").read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add(node.module.split(".")[0])
    return names


def test_only_tracking_imports_mlflow_and_nothing_snakemake():
    """And what MLflow itself runs, which nothing imports."""
    assert [m for m in MODULES if "mlflow" in outside(m)] == ["mlflow_model", "tracking"]
    assert all("mlflow_model" not in closure(m) for m in MODULES if m != "mlflow_model")
    assert [m for m in MODULES if "snakemake" in outside(m)] == []


def test_torch_stays_in_the_modules_that_compute_with_it():
    allowed = {"model", "losses", "checkpoint", "feed", "train", "validate", "outcome", "resume"}
    allowed |= {"latents", "device", "windows", "vame_import", "cli"}
    assert {m for m in MODULES if "torch" in outside(m)} <= allowed


@pytest.mark.parametrize("stage", sorted(STAGES))
def test_stages_meet_in_files(stage):
    """windows' gathering and reading is what training and export share."""
    shared = {"windows"} if stage in {"train", "latents"} else set()
    assert STAGES & set(closure(stage)) <= {stage} | shared


def test_a_closure_holds_what_a_stage_runs_and_no_more():
    reading = ["dlc_csv", "dlc_hdf5", "errors", "hdf5_process", "pose_table", "poses"]
    assert closure("align") == ["align", *reading, "quality", "settings", "store", "tracks"]
    assert "model" in closure("train") and "poses" not in closure("train")
    assert "config" not in closure("latents")
    # neither what records nor what compares makes a training run again
    assert not {"tracking", "record", "compare"} & set(closure("train"))


@pytest.mark.parametrize("name", ["cpu", "gpu"])
def test_environments_have_the_pins_of_the_project(name):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    environment = yaml.safe_load((ROOT / f"envs/{name}.yaml").read_text())
    assert environment["dependencies"][-1]["pip"] == project["dependencies"]


def test_the_container_recipe_is_clean():
    command = [Path(sys.executable).with_name("hadolint"), "envs/Dockerfile"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_the_container_recipe_takes_what_the_package_is_built_from():
    """What pyproject.toml names beside the package, and the package."""
    words = (ROOT / "envs/Dockerfile").read_text().split()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    named = [project["project"]["readme"], *project["project"]["license-files"]]
    assert {"pyproject.toml", *named, *project["tool"]["setuptools"]["packages"]} <= set(words)
    assert words[words.index("FROM") + 1] == "python:3.11-slim"
