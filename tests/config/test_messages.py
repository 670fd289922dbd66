"""What users read about wrong settings."""

import json

import pytest
from minimal_config import MINIMAL, problems

from vame_pipe.config import loading, sections
from vame_pipe.config.sections import RENAMED, Align, Section, Train, Windows
from vame_pipe.core.errors import InputError

SECTIONS = {"align": Align, "windows": Windows, "train": Train}


@pytest.mark.parametrize("old", RENAMED)
def test_a_renamed_key_is_refused_with_its_new_name(old):
    section, _, key = old.partition(".")
    new = RENAMED[old]
    assert new in SECTIONS[section].model_fields and key not in SECTIONS[section].model_fields
    (line,) = problems(**{section: MINIMAL.get(section, {}) | {key: 0.5}})
    assert line == f"config: {old} is now {section}.{new}. Rename it."
    # on the command line
    required = MINIMAL["align"] if section == "align" else {}
    with pytest.raises(InputError) as error:
        loading.parse(SECTIONS[section], json.dumps(required | {key: 0.5}))
    assert error.value.problems == [f"{section}: {key} is now {new}. Rename it."]


@pytest.mark.parametrize("old", [old for old in RENAMED if old.startswith("train.")])
def test_a_renamed_key_is_refused_in_models_and_grids(old):
    key, new = old.removeprefix("train."), RENAMED[old]
    (line,) = problems(models={"m": {key: 0.5}})
    assert line == f"config: models.m.{key} is now models.m.{new}. Rename it."
    (line,) = problems(models={"m": {"grid": {key: [0.5, 0.6]}}})
    assert line == f"config: models.m.grid.{key} is now models.m.grid.{new}. Rename it."


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"trian": {}}, "trian is not a known key. Did you mean 'train'?"),
        ({"model": {"zdim": 3}}, "model.zdim is not a known key. Did you mean 'zdims'?"),
        (
            {"sessions": {"a": {"poses": "a.csv", "fps": 30, "fp": 30}}},
            "sessions.a.fp is not a known key. Did you mean 'fps'?",
        ),
        (
            {"windows": {"x": 1}},
            "windows.x is not a known key. Allowed: length_s, future_s, val_fraction, balance, seed.",
        ),
        ({"align": {"centre": "tail"}}, "align.forward is missing. Add it."),
        ({"align": 3}, "align: must be a mapping, KEY: value. Found 3."),
        (
            {"sessions": {"a": {"poses": 7, "fps": 30}}},
            "sessions.a.poses: YAML reads 7 as a number, but text is needed. Put it in quotes.",
        ),
        (
            {"align": {"centre": "tail", "forward": "nose", "min_confidence": {"quantil": 0.1}}},
            "align.min_confidence.quantil is not a known key. Did you mean 'quantile'?",
        ),
        (
            {"align": {"centre": "tail", "forward": "nose", "axis": "rigit"}},
            "align.axis: Input should be 'rigid'. Found 'rigit'.",
        ),
        (
            {"align": {"centre": "tail", "forward": "nose", "floor": "low"}},
            "align.floor: Input should be 'auto'. Found 'low'.",
        ),
        (
            {"align": {"centre": "tail", "forward": "nose", "min_confidence": {"nose": "high"}}},
            "align.min_confidence.nose: Input should be a valid number, unable to parse string as a "
            "number. Found 'high'.",
        ),
        (
            {"align": {"centre": "tail", "forward": "tail"}},
            "align: centre and forward are both 'tail': set two different keypoints.",
        ),
    ],
)
def test_messages_name_the_key_and_what_is_allowed(changes, message):
    assert f"config: {message}" in problems(**changes)


def test_a_value_of_two_kinds_has_one_message():
    align = {"centre": "tail", "forward": "nose"}
    (line,) = problems(align=align | {"min_confidence": "low"})
    assert line.startswith("config: align.min_confidence: Input should be a valid number")
    (line,) = problems(align=align | {"min_confidence": {"quantile": 3}})
    assert line.startswith("config: align.min_confidence.quantile: Input should be less than 1")


def test_json_that_cannot_be_read_is_one_message():
    with pytest.raises(InputError, match=r"^windows: Invalid JSON.*Found '\{bad'"):
        loading.parse(Windows, "{bad")


def test_every_section_and_key_has_a_description():
    def described(section: type[Section]):
        for name, field in section.model_fields.items():
            yield section.__name__, name, field.description

    nested = {sections.Session, sections.Quantile, sections.Model, sections.Mlflow}
    for section in (*SECTIONS.values(), *nested):
        for where, name, description in described(section):
            assert description and description.endswith("."), f"{where}.{name}"
