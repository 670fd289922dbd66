"""Write docs/settings.md from the sections of the configuration: `python docs/make_settings.py`."""

import json
from pathlib import Path

from vame_pipe.config.configuration import Config
from vame_pipe.config.sections import (
    Align,
    Mlflow,
    Model,
    Motifs,
    Qc,
    Section,
    Session,
    Train,
    Windows,
)

INTRO = """# Settings

These are the keys of `config.yaml`. Only `sessions`, `align.centre` and `align.forward` are required. Paths
are relative to the working directory. Unknown keys are refused.

This page is made from the package by `python docs/make_settings.py`. An editor that knows JSON schemas can
complete and explain the keys with `workflow/schemas/config.schema.json`. `vame-pipe schema` prints it.

A configuration that is given with `--configfile` stands alone: what it leaves out has these defaults.
Of several files, the later ones take precedence: their `sessions`, `models` and `keypoints` replace those
of the earlier files, and all other keys are merged.

`results/config.yaml` is the configuration of the last run with every default written out. With
`snakemake --configfile results/config.yaml` it makes the same results.
"""
SECTIONS: dict[str, tuple[type[Section], str]] = {
    "": (Config, "Top level"),
    "sessions.NAME": (Session, "Sessions"),
    "align": (Align, "Alignment"),
    "qc": (Qc, "Quality"),
    "windows": (Windows, "Windows"),
    "model": (Model, "Model"),
    "train": (Train, "Training"),
    "motifs": (Motifs, "Motifs"),
    "mlflow": (Mlflow, "MLflow"),
}
NOTES = {
    "sessions.NAME": """A table of sessions (`sessions: sessions.csv`) has the column `session`, and these
keys as columns. Further columns become `metadata`. A cell of `poses` or `starts_s` may hold several values,
with semicolons between them: `part1.csv; part2.csv`.""",
    "model": "An entry of `models` can change every key of `model` and `train`.",
}
PRESETS = """`train.preset: vame` changes these keys, unless you set them. With it, the default of
`model.dropout_pred` is 0. The values of `beta` and `spectral_weight` follow from the batch size and from
`zdims`: here they are for `batch_size: 256` and `zdims: 30`."""
BOUNDS = {
    "minimum": "at least",
    "exclusiveMinimum": "above",
    "maximum": "at most",
    "exclusiveMaximum": "below",
}


def allowed(schema: dict) -> str:
    """Return the values that a JSON schema allows, in words."""
    if choices := schema.get("anyOf") or schema.get("oneOf"):
        return " or ".join(dict.fromkeys(map(allowed, choices)))
    if "$ref" in schema:
        return {"Quantile": "`{quantile: NUMBER}`"}.get(schema["$ref"].split("/")[-1], "section")
    if values := schema.get("enum", [schema["const"]] if "const" in schema else []):
        return ", ".join(f"`{value}`" for value in values)
    if schema.get("type") == "array":
        return "list"
    words = {"object": "mapping", "string": "text", "boolean": "`true`, `false`", "null": "`null`"}
    bounds = [f"{text} {schema[key]:.10g}" for key, text in BOUNDS.items() if key in schema]
    return " ".join([words.get(schema["type"], schema["type"]), ", ".join(bounds)]).strip()


def as_yaml(value: object) -> str:
    """Return a value as it is written in config.yaml, as code."""
    number = isinstance(value, float)
    return f"`{value:.4g}`" if number else f"`{json.dumps(value)}`".replace('"', "")


def table(section: type[Section]) -> str:
    """Return the keys of a section as a table."""
    schema = section.model_json_schema()
    lines = ["| key | default | allowed | meaning |", "|---|---|---|---|"]
    for key, field in schema["properties"].items():
        if key in schema.get("required", []):
            default = "required"
        elif section is Config and "$ref" in field:
            default = "see below"
        else:
            default = as_yaml(field["default"])
        meaning = " ".join(field.get("description", "See below.").split()).replace("|", "\\|")
        lines.append(f"| `{key}` | {default} | {allowed(field)} | {meaning} |")
    return "\n".join(lines)


def presets() -> str:
    """Return the values that the preset `vame` changes, as a table."""
    default, vame = (
        train.for_model(Model()).model_dump() for train in (Train(), Train(preset="vame"))
    )
    lines = ["| key | default | preset `vame` |", "|---|---|---|"]
    lines += [
        f"| `train.{key}` | {as_yaml(default[key])} | {as_yaml(value)} |"
        for key, value in vame.items()
        if value != default[key] and key != "preset"
    ]
    return "\n".join(lines)


def page() -> str:
    """Return the text of docs/settings.md."""
    parts = [INTRO]
    for path, (section, title) in SECTIONS.items():
        heading = f"## {title}" + (f" (`{path}`)" if path else "")
        parts += [heading, *([NOTES[path]] if path in NOTES else []), table(section)]
    parts += ["## Presets", PRESETS, presets()]
    return "\n\n".join(part.strip() for part in parts) + "\n"


if __name__ == "__main__":
    Path(__file__).with_name("settings.md").write_text(page(), encoding="utf-8")
