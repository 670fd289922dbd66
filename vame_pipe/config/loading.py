"""The strict, typed configuration of a workflow run (config.yaml)."""

from __future__ import annotations

import copy
import datetime
import json
import os
import re
import tempfile
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import (
    Field,
    StringConstraints,
    TypeAdapter,
    ValidationError,
    field_validator,
    model_validator,
)

from vame_pipe.config import variants
from vame_pipe.config.sections import (
    Align,
    Keypoint,
    Mlflow,
    Model,
    Name,
    Section,
    Session,
    Train,
    Windows,
)
from vame_pipe.config.sheet import read_sheet
from vame_pipe.core import credentials
from vame_pipe.core.errors import InputError


def _or_sheet(schema: dict[str, Any]) -> None:
    """In the file, `sessions` may be a path as well; `read` puts the sheet's rows in its place."""
    mapping = {key: schema.pop(key) for key in list(schema) if key not in {"title", "description"}}
    schema["anyOf"] = [mapping | {"additionalProperties": False}, {"type": "string"}]


class Config(Section):
    results: Annotated[str, StringConstraints(min_length=1)] = "results"
    """Output folder, relative to the working directory."""
    sessions: Annotated[dict[Name, Session], Field(json_schema_extra=_or_sheet)]
    """Recordings by name, or the path of a CSV/TSV sheet: session, poses, fps, group, ..."""
    keypoints: list[Keypoint] | dict[Keypoint, list[Keypoint]] | None = None
    """Keypoints to use; null: all of each file. As a mapping, NAME: [names in the files]."""
    align: Align
    windows: Windows = Windows()
    model: Model = Model()
    train: Train = Train()
    models: dict[Name, dict[str, Any]] = Field(
        default={"vame": {}}, min_length=1, json_schema_extra={"additionalProperties": False}
    )
    """Models to train, each a mapping of what differs from `model` and `train`; `grid: {zdims: [8, 16]}`
    makes one of every combination of values, `seeds: [1, 2, 3]` one of each seed."""
    mlflow: Mlflow = Mlflow()

    @model_validator(mode="before")
    @classmethod
    def _drop_empty(cls, content: Any) -> Any:
        """Take a section without a line below it for one that is not there."""
        if not isinstance(content, dict):
            return content
        return {key: value for key, value in content.items() if value is not None}

    @field_validator("models")
    @classmethod
    def _same_value_same_name(cls, models: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
        """Give the values of grids their types: YAML reads 1e-3 as text, and 0.001 is the same model."""
        return {name: variants.with_types(entry, _coerce) for name, entry in models.items()}

    @property
    def aliases(self) -> dict[str, list[str]] | None:
        """Keypoints to use, each with the names it has in the files (None: all)."""
        if self.keypoints is None or isinstance(self.keypoints, dict):
            return self.keypoints
        return {name: [name] for name in self.keypoints}

    @property
    def variants(self) -> dict[str, dict[str, Any]]:
        """What differs from `model` and `train`, by model, grids and seeds expanded."""
        return {
            name: overrides
            for entry, content in self.models.items()
            for name, overrides in variants.expand(entry, content).items()
        }

    @property
    def entries(self) -> dict[str, str]:
        """The entry of `models` that each of `variants` comes from."""
        return {
            name: entry
            for entry, content in self.models.items()
            for name in variants.expand(entry, content)
        }

    def variant(self, name: str) -> tuple[Model, Train]:
        """Return the settings of one of `variants`: its overrides laid over `model` and `train`."""
        overrides = self.variants[name]
        model = {k: v for k, v in overrides.items() if k in Model.model_fields}
        train = {k: v for k, v in overrides.items() if k not in model}
        chosen = Model.model_validate(self.model.model_dump() | model)
        recipe = Train.model_validate(self.train.model_dump(exclude_unset=True) | train)
        return chosen, recipe.for_model(chosen)

    def resolved(self) -> dict[str, Any]:
        """Return the configuration with every default written out, from which the same models follow.

        A preset fills in what is not set, and here all is set: variants with one are written in full.
        """
        content = self.model_dump(mode="json")
        if self.train.preset:  # weights that follow from the size of each model are not written
            for key in {"beta", "spectral_weight"} - self.train.model_fields_set:
                del content["train"][key]
        content["models"] = {}
        for entry, overrides in self.models.items():
            if "preset" not in overrides | overrides.get(variants.GRID, {}):
                content["models"][entry] = overrides
                continue
            for name, own in variants.expand(entry, overrides).items():
                content["models"][name] = self.variant(name)[1].model_dump(mode="json") | own
        return content


def _coerce(key: str, value: Any) -> Any:
    """Return a value as the type of its key of `model` or `train`; as it is where it is no such value."""
    field = (Model.model_fields | Train.model_fields).get(key)
    if field is None:
        return value
    try:
        return TypeAdapter(Annotated[field.annotation, field]).validate_python(value)
    except ValidationError:  # the model that it makes is refused for it, by name
        return value


def load(source: str | Path | dict) -> Config:
    """Read and validate a configuration, sheet of sessions included.

    Parameters
    ----------
    source : str, Path or dict
        A YAML file, or its content.

    Raises
    ------
    InputError
        With every problem found, one line each.
    """
    config, problems = read(source)
    if problems:
        raise InputError(*problems)
    return config


def read(source: str | Path | dict) -> tuple[Config | None, list[str]]:
    """Read a configuration as far as it can be; see `load`.

    Returns
    -------
    config : Config or None
        Without the keys that are wrong, so that its files can be checked all the same; None if too
        little is left.
    problems : list of str
        One line each.
    """
    problems: list[str] = []
    if not isinstance(source, dict):
        source, problems = _read_yaml(Path(source))
    raw = copy.deepcopy(source)
    if isinstance(raw.get("sessions"), str):
        try:
            raw["sessions"] = read_sheet(raw["sessions"])
        except InputError as error:
            problems += error.problems
            raw["sessions"] = {}
    config, explained = None, False
    while config is None:
        try:
            config = Config.model_validate(raw)
        except ValidationError as error:
            if not explained:  # what lacks after taking out the wrong is no new problem
                problems += explain(error)
                explained = True
            if not _remove(raw, error):
                return None, problems
    if not config.sessions and not problems:  # else it has been said why none is left
        problems.append("config: sessions is empty. Add at least one recording.")
    return config, problems + _variant_problems(config) + _consistency_problems(config)


def _remove(raw: dict, error: ValidationError) -> bool:
    """Take what is wrong out of a configuration; say whether anything was taken."""
    removed = False
    for item in error.errors():
        trail = [part for part in item["loc"] if not _is_type_name(part)]
        if item["type"] == "missing":  # what lacks a key goes whole
            trail.pop()
        *parents, last = trail or [""]
        node = raw
        for part in parents:
            node = node.get(part) if isinstance(node, dict) else None
        if isinstance(node, dict) and last in node:
            del node[last]
            removed = True
    return removed


def parse(section: type[Section], text: str) -> Any:
    """Validate one section given as JSON on the command line."""
    try:
        return section.model_validate_json(text)
    except ValidationError as error:
        raise InputError(*explain(error, section.__name__.lower(), section)) from None


def explain(
    error: ValidationError, where: str = "config", root: type[Section] | None = None
) -> list[str]:
    """Turn pydantic's report on a section (default: the whole) into one line a problem."""
    lines = []
    for item in error.errors():
        # the branches of a union carry the name of a type as last part; users know keys only
        path = ".".join(str(part) for part in item["loc"] if not _is_type_name(part))
        if item["type"] == "missing":
            lines.append(f"{where}: {path} is missing. Add it.")
        elif item["type"] == "string_type" and isinstance(
            item["input"], int | float | datetime.date
        ):
            lines.append(
                f"{where}: {path}: {item['input']!s} is read as a {_yaml_kind(item['input'])}, and a text "
                "is needed. Put it in quotes."
            )
        elif item["type"] == "extra_forbidden":
            lines.append(
                f"{where}: {path} is not a known key. {_suggest(item['loc'], root or Config)}"
            )
        elif item["type"] == "string_pattern_mismatch":
            lines.append(
                f"{where}: {path}: a name may have letters, digits, '.', '_' and '-' only, "
                f"and begin with neither '.' nor '-', found {item['input']!r}. Rename it."
            )
        else:
            message = item["msg"].removeprefix("Value error, ")
            found = "" if isinstance(item["input"], dict) else f" Found {item['input']!r}."
            lines.append(f"{where}: {path}{': ' if path else ''}{message}.{found}")
    return list(dict.fromkeys(lines))


def _yaml_kind(value: float | datetime.date) -> str:
    if isinstance(value, bool):
        return "truth value"
    return "number" if isinstance(value, int | float) else "date"


def _is_type_name(part: str | int) -> bool:
    return isinstance(part, str) and (part in {"str", "[key]"} or "[" in part)


def _suggest(loc: tuple, root: type[Section]) -> str:
    sections = {
        "align": Align,
        "windows": Windows,
        "model": Model,
        "train": Train,
        "mlflow": Mlflow,
        "sessions": Session,
    }
    section = sections.get(str(loc[0]), root) if len(loc) > 1 else root
    close = get_close_matches(str(loc[-1]), section.model_fields, n=1)
    if close:
        return f"Did you mean '{close[0]}'?"
    return f"Allowed: {', '.join(section.model_fields)}."


def _variant_problems(config: Config) -> list[str]:
    allowed = [*Model.model_fields, *Train.model_fields]
    problems = [
        line
        for name, entry in config.models.items()
        for line in variants.problems(name, entry, allowed)
    ]
    if problems:
        return problems
    names = [(v, e) for e, content in config.models.items() for v in variants.expand(e, content)]
    made = dict(reversed(names))
    problems = [
        f"config: models.{made[variant]} and models.{entry} both make the model {variant}."
        for variant, entry in names
        if made[variant] != entry
    ]
    if problems:
        return problems
    for name in config.variants:
        try:
            config.variant(name)
        except ValidationError as error:
            problems += explain(error, f"config: models.{name}")
    return problems


def _consistency_problems(config: Config) -> list[str]:
    problems = []
    rates = sorted({session.fps for session in config.sessions.values()})
    if config.align.fps is None and len(rates) > 1:
        slow = {r: [n for n, s in config.sessions.items() if s.fps == r][:3] for r in rates}
        listing = "; ".join(f"{r:g} fps: {', '.join(names)}" for r, names in slow.items())
        problems.append(
            f"config: sessions have unequal fps ({listing}). Set align.fps to resample all to one."
        )
    fps = config.align.fps or rates[0] if rates else None
    if fps and round(config.windows.length_s * fps) < 2:
        problems.append(
            f"config: windows.length_s {config.windows.length_s:g} s is less than 2 frames at "
            f"{fps:g} fps. Make it longer."
        )
    problems += credentials.problems(
        config.mlflow.tracking_uri or "", "config: mlflow.tracking_uri"
    )
    aliases = config.aliases
    if aliases is not None:
        for key in ("centre", "forward"):
            name = getattr(config.align, key)
            if name not in aliases:
                problems.append(
                    f"config: align.{key} '{name}' is not in keypoints, which has: "
                    f"{', '.join(aliases)}. Set it to one of these."
                )
        listed = [a for names in aliases.values() for a in names]
        if isinstance(config.keypoints, list) and len(set(listed)) < len(listed):
            problems.append("config: keypoints lists a keypoint twice. Remove one.")
        if len(aliases) < 2:
            problems.append(
                f"config: keypoints has {len(aliases)} keypoint(s), alignment needs at least 2 "
                "on the animal. Add one."
            )
    return problems


class _TextKeys(yaml.SafeLoader):
    """Reads keys as they are written: a session 007 or 2024-03-05 is a name, no number and no date."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict:
        self.flatten_mapping(node)
        pairs = [
            (
                key.value
                if isinstance(key, yaml.ScalarNode)
                else self.construct_object(key, deep=True),
                self.construct_object(value, deep=True),
            )
            for key, value in node.value
        ]
        return dict(pairs)


def read_yaml(path: str | Path) -> dict:
    """Return the content of a YAML file, with every key as the text that is written there.

    Raises
    ------
    InputError
        If it cannot be read, or is no mapping.
    """
    return _read_yaml(Path(path))[0]


def _read_yaml(path: Path) -> tuple[dict, list[str]]:
    """Return a YAML file's content and its repeated keys, which YAML itself lets pass."""
    try:
        with path.open(encoding="utf-8") as file:
            data = yaml.load(
                file, Loader=_TextKeys
            )  # a SafeLoader: it makes no object and runs no code
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        reason = " ".join(str(error).split())
        raise InputError(f"config file {path}: cannot be read ({reason})") from None
    if not isinstance(data, dict):
        raise InputError(f"config file {path}: expected a mapping of settings, found {data!r}")
    return data, repeated_keys(path)


def repeated_keys(path: str | Path) -> list[str]:
    """List the keys that occur twice in one mapping of a YAML file, one line each."""
    problems = []

    def visit(node: yaml.Node, trail: str) -> None:
        if isinstance(node, yaml.MappingNode):
            seen = set()
            for key, value in node.value:
                name = f"{trail}.{key.value}" if trail else str(key.value)
                if name in seen:
                    line = key.start_mark.line + 1
                    problems.append(
                        f"config file {path}, line {line}: {name} occurs twice. Rename or remove one."
                    )
                seen.add(name)
                visit(value, name)
        elif isinstance(node, yaml.SequenceNode):
            for child in node.value:
                visit(child, trail)

    root = yaml.compose(Path(path).read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
    if root is not None:
        visit(root, "")
    return problems


def writable_problems(results: str | Path) -> list[str]:
    """Say so if the results folder cannot be made or written, by trying, leaving nothing behind."""
    folder = Path(results)
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    try:
        with tempfile.TemporaryFile(dir=folder):
            return []
    except OSError as error:
        return [
            f"config: results folder '{results}' is not writable ({os.strerror(error.errno or 0)} "
            f"at {folder}). Set results to a folder that you may write."
        ]


def schema() -> str:
    """Return the JSON schema of config.yaml, as workflow/schemas holds it."""
    text = json.dumps(Config.model_json_schema(), indent=2)
    return re.sub(r"[ \t]+$", "", text, flags=re.M) + "\n"
