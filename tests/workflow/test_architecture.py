"""The arrows between the packages, and what the project installs."""

import ast
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from conftest import ROOT

PACKAGE = ROOT / "vame_pipe"
ARROWS = {
    "core": set(),
    "config": {"core"},
    "poses": {"core"},
    "alignment": {"core", "config", "poses"},
    "windows": {"core"},
    "training": {"core", "windows.data", "encoding.model_file"},
    "encoding": {"core", "config", "windows.data", "training.network"},
    "motifs": {"core", "config.sections", "config.motif_names", "windows.data"},
    "export": {"core", "config", "poses", "alignment.recorded", "motifs.bouts", "motifs.names"},
    "videos": {"core", "poses", "motifs.typical"},
    "reporting": {"core", "poses", "windows.data", "motifs.skeleton"},
    "tracking": {"core", "encoding"},
    "cli": {
        *("core", "config", "poses", "alignment", "windows"),
        *("training", "encoding", "motifs", "export", "videos", "reporting", "tracking"),
    },
}
"""What the modules of a package may import, besides those of their own package."""
EXCEPTIONS = {
    # reads the headers of pose files, to compare them with the configuration
    "config.check": {"poses", "motifs.label_file"},
    # reads and aligns recordings, to write a configuration for them
    "config.starter": {"poses", "alignment"},
    "config.starter_files": {"poses"},
    # how long a run has to be to be split
    "config.starter_windows": {"windows.split"},
    # runs all stages of a new recording, one after the other
    "motifs.apply": {"alignment", "encoding"},
    # compares a model from elsewhere with the configuration
    "motifs.external": {"encoding"},
    # MLflow runs it: it encodes and labels
    "tracking.pyfunc_model": {"motifs"},
}
"""What single modules may import besides."""
MODULES = {
    ".".join(path.relative_to(PACKAGE).with_suffix("").parts): path
    for path in sorted(PACKAGE.glob("*/*.py"))
    if path.stem != "__init__"
}


def imports(node: ast.AST) -> list[str]:
    """Dotted names that a module imports when it runs; imports for type checking do not count."""
    names = []
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            continue
        if isinstance(child, ast.Import):
            names += [alias.name for alias in child.names]
        elif isinstance(child, ast.ImportFrom):
            names += [f"{child.module}.{alias.name}" for alias in child.names]
        names += imports(child)
    return names


def imported(module: str) -> list[str]:
    return imports(ast.parse(MODULES[module].read_text()))


@pytest.mark.parametrize("module", MODULES)
def test_arrows_point_in_one_direction(module):
    package = module.split(".")[0]
    allowed = ARROWS[package] | EXCEPTIONS.get(module, set()) | {package}
    for name in imported(module):
        inside = name.removeprefix("vame_pipe.")
        if name == inside or inside.startswith("__"):
            continue
        assert any(f"{inside}.".startswith(f"{each}.") for each in allowed), (
            f"{module} imports {name}"
        )


def test_only_tracking_imports_mlflow_and_nothing_imports_snakemake():
    for module in MODULES:
        roots = {name.split(".")[0] for name in imported(module)}
        assert "snakemake" not in roots, module
        assert "mlflow" not in roots or module.startswith("tracking."), module


def test_importing_poses_and_alignment_loads_neither_torch_nor_mlflow():
    code = (
        "import sys, vame_pipe; vame_pipe.read_poses; vame_pipe.align\n"
        "import vame_pipe.alignment.session, vame_pipe.windows.build, vame_pipe.config.check\n"
        "print(sorted({'torch', 'mlflow', 'snakemake', 'matplotlib', 'sklearn'} & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr


def functions(node: ast.AST) -> list[ast.FunctionDef]:
    return [each for each in ast.walk(node) if isinstance(each, ast.FunctionDef)]


def test_modules_and_functions_are_short():
    """About 300 lines for a module, 50 for a function; docstrings do not count for functions."""
    for module, path in MODULES.items():
        text = path.read_text()
        assert len(text.splitlines()) <= 330, module
        for function in functions(ast.parse(text)):
            docstring = function.body[0] if ast.get_docstring(function) else None
            length = function.end_lineno - function.lineno + 1
            length -= docstring.end_lineno - docstring.lineno + 1 if docstring else 0
            assert length <= 52, f"{module}.{function.name}: {length} lines"


def test_public_functions_have_docstrings():
    """Modules, functions and classes that others can use; arguments of commands explain themselves."""
    for module, path in MODULES.items():
        tree = ast.parse(path.read_text())
        assert ast.get_docstring(tree), module
        for node in tree.body:
            if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
                if module.startswith("cli.") and node.name in ("add_arguments", "run"):
                    continue
                assert ast.get_docstring(node), f"{module}.{node.name}"


def test_the_hooks_pass():
    """Linter, formatter and type checker, as pre-commit runs them."""
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"][0]["hooks"]
    for hook in hooks:
        files = [] if hook.get("pass_filenames") is False else HOOK_FILES[hook["id"]]
        command = [str(Path(sys.executable).with_name(hook["entry"].split()[0]))]
        command += [*hook["entry"].split()[1:], *files]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
        assert done.returncode == 0, f"{hook['name']}\n{done.stdout}{done.stderr}"


HOOK_FILES = {
    "ruff": ["."],
    "ruff-format": ["."],
    "snakefmt": ["Snakefile", "workflow"],
}
"""What a hook checks if it takes file names."""


@pytest.mark.parametrize("name", ["cpu", "gpu"])
def test_environments_have_the_pins_of_the_project(name):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    environment = yaml.safe_load((ROOT / f"envs/{name}.yaml").read_text())
    pins = [*project["dependencies"], *project["optional-dependencies"]["video"]]
    assert environment["dependencies"][-1]["pip"] == sorted(pins)


def test_the_container_recipe_is_clean():
    command = [Path(sys.executable).with_name("hadolint"), "envs/Dockerfile"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_the_container_recipe_takes_what_the_package_is_built_from():
    """What pyproject.toml names beside the package, and the package."""
    words = (ROOT / "envs/Dockerfile").read_text().split()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    named = [project["project"]["readme"], *project["project"]["license-files"]]
    assert {"pyproject.toml", *named, "vame_pipe"} <= set(words)
    assert project["tool"]["setuptools"]["packages"]["find"]["include"] == ["vame_pipe*"]
    assert words[words.index("FROM") + 1] == "python:3.11-slim"
