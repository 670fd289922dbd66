"""What README and docs name exists: files, commands, options, settings, functions."""

import argparse
import importlib.util
import re
import shlex
from pathlib import Path

import pytest
import yaml
from conftest import ROOT

from vame_pipe.cli import main
from vame_pipe.config.loading import load
from vame_pipe.core.layout import Layout

PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "benchmarks/README.md")),
    ROOT / "workflow/profiles/README.md",
    *sorted((ROOT / "docs").glob("*.md")),
]
TEXTS = {str(path.relative_to(ROOT)): path.read_text(encoding="utf-8") for path in PAGES}
pages = pytest.mark.parametrize("page", TEXTS)
SECTIONS = ("align", "qc", "windows", "model", "train", "motifs", "mlflow")
HISTORY = "CHANGELOG.md"  # names what is gone, so only its links are tested
FOLDERS = ("vame_pipe", "workflow", "tests", "benchmarks", "envs", "docs")
MINIMAL = {
    "sessions": {"a": {"poses": "a.csv", "fps": 30}},
    "align": {"centre": "tailbase", "forward": "nose"},
}


def code(page: str, language: str) -> list[str]:
    """Return the code blocks of a page in one language."""
    return re.findall(rf"^```{language}\n(.*?)^```", TEXTS[page], re.M | re.S)


def quoted(page: str) -> list[str]:
    """Return what stands in backticks, outside of code blocks."""
    prose = re.sub(r"^```.*?^```", "", TEXTS[page], flags=re.M | re.S)
    return [" ".join(text.split()) for text in re.findall(r"`([^`]+)`", prose)]


def anchors(text: str) -> set[str]:
    """Return the anchors of the headings of a page, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", text, re.M)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_readme_is_short():
    assert len(TEXTS["README.md"].splitlines()) <= 200


@pytest.mark.parametrize("page", [*TEXTS, HISTORY])
def test_every_link_leads_somewhere(page):
    path = ROOT / page
    for link in re.findall(r"\]\(([^)]+)\)", path.read_text(encoding="utf-8")):
        if link.startswith("https://"):
            continue
        name, _, anchor = link.partition("#")
        target = path.parent / name if name else path
        assert target.exists(), link
        assert not anchor or anchor in anchors(target.read_text(encoding="utf-8")), link


@pages
def test_every_file_of_the_project_that_is_named_exists(page):
    for text in quoted(page):
        for word in text.split():
            if word.startswith(tuple(f"{folder}/" for folder in FOLDERS)) and word == word.lower():
                assert (ROOT / word).exists(), word


@pages
def test_every_command_and_option_exists(page):
    (commands,) = (
        action.choices
        for action in main._parser()._actions
        if isinstance(action, argparse._SubParsersAction)
    )
    shell = [line for block in code(page, "sh") for line in block.replace("\\\n", " ").splitlines()]
    for text in [*quoted(page), *shell]:
        words = shlex.split(text, comments=True) if text.startswith("vame-pipe ") else []
        if len(words) < 2 or words[1] in ("COMMAND", "--help"):
            continue
        assert words[1] in commands, text
        options = {word.partition("=")[0] for word in words[2:] if word.startswith("--")}
        assert options <= commands[words[1]]._option_string_actions.keys() | {"--help"}, text


@pages
def test_every_yaml_block_is_a_valid_configuration(page):
    for block in code(page, "yaml"):
        load(MINIMAL | yaml.safe_load(block))


@pages
def test_every_setting_in_prose_exists(page):
    """Such as `train.max_epochs`, or `preset: vame` below a section, or `models: {...}`."""
    config = load(MINIMAL)
    known = {key: getattr(config, key) for key in SECTIONS}
    for text in quoted(page):
        if match := re.fullmatch(rf"({'|'.join(SECTIONS)})\.(\w+)(:.*)?", text):
            section, key, value = match.groups()
            if key in ("pt", "parquet", "log", "db", "json"):
                continue  # a file
            assert key in type(known[section]).model_fields, text
            if value:
                content = MINIMAL.get(section, {}) | {key: yaml.safe_load(value[1:])}
                load(MINIMAL | {section: content})
        elif text.startswith(("models: {", "keypoints: {")):
            load(MINIMAL | yaml.safe_load(text))


@pages
def test_every_results_file_is_known_to_the_layout(page):
    layout = Layout(Path("results"))
    session, model = "{session}", "{model}"
    known = {
        *(layout.aligned(session), layout.quality(session), layout.latents(model, session)),
        *(layout.aligned("sim-1"), layout.latents("vame", "sim-1")),
        *(
            layout.windows_folder.frames,
            layout.windows_folder.index,
            layout.windows_folder.session_faults,
            layout.config,
            layout.report,
            layout.qc,
            layout.keypoints,
        ),
        *(layout.motifs("vame").session("sim-1"), layout.motifs("vame").bouts),
        *(layout.motifs(model).session(session), layout.motifs(model).quality),
        layout.motifs(model).described.names,
        *(layout.motifs(model).bouts_of(session), layout.motifs(model).usage_of(session)),
        *(layout.novelty(model, session), layout.motifs("vame").usage_of(session)),
        *layout.groups(model).outputs,
        layout.external_report("lab"),
        *(layout.methods, layout.motifs(model).videos.root),
        *(layout.exported(model, "nwb"), layout.motifs(model).labelled.facts),
        *(layout.comparison.with_suffix(".csv"), layout.similarity.with_suffix(".csv")),
        *(layout.checkpoints(model), *layout.model(model).artifacts, layout.model("vame").weights),
    }
    known |= {parent for path in known for parent in path.parents}
    known |= {
        layout.mlflow,
        layout.mlflow / "mlflow.db",
        Path("results/logs"),
        Path("results/benchmarks"),
    }
    for name in re.findall(r"(?<![\w/])results/[\w{}./-]*", TEXTS[page]):
        assert Path(name.rstrip(".")) in known


def test_settings_page_is_up_to_date():
    """Otherwise run `python docs/make_settings.py`."""
    spec = importlib.util.spec_from_file_location("make_settings", ROOT / "docs/make_settings.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert TEXTS["docs/settings.md"] == module.page()


def test_python_examples_name_what_exists():
    for page in TEXTS:
        for block in code(page, "python"):
            for line in block.splitlines():
                if line.startswith("from vame_pipe"):
                    exec(line, {})
