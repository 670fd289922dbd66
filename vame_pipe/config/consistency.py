"""Check settings that must agree with each other."""

from __future__ import annotations

import re

from pydantic import ValidationError

from vame_pipe.config import external, motif_names, pairs, variants
from vame_pipe.config.configuration import Config
from vame_pipe.config.external import is_external
from vame_pipe.config.messages import explain
from vame_pipe.core import credentials
from vame_pipe.core.errors import did_you_mean, listing
from vame_pipe.core.layout import MOTIF_TABLES


def problems(config: Config) -> list[str]:
    """Return what is wrong across keys and sections, one line each."""
    of_variants = _variant_problems(config)
    return [
        *of_variants,
        *_results_problems(config),
        *_session_problems(config),
        *credentials.problems(config.mlflow.tracking_uri or "", "config: mlflow.tracking_uri"),
        *_keypoint_problems(config),
        *_skeleton_problems(config),
        *([] if of_variants else _name_problems(config)),
    ]


def _name_problems(config: Config) -> list[str]:
    most = dict.fromkeys(config.variants, config.motifs.numbers[-1])
    models = {name: most.get(name) for name in config.all_models}
    return motif_names.problems(config.motif_names, models)


def _variant_problems(config: Config) -> list[str]:
    found = [
        line
        for name, entry in config.models.items()
        for line in (external if is_external(entry) else variants).problems(name, entry)
    ]
    if found:
        return found
    names = [
        (variant, entry)
        for entry, content in config.models.items()
        for variant in ([entry] if is_external(content) else variants.expand(entry, content))
    ]
    first = dict(reversed(names))
    found = [
        f"config: models.{first[variant]} and models.{entry} both expand to the model name {variant}. "
        "Rename one."
        for variant, entry in names
        if first[variant] != entry
    ]
    if found:
        return found
    for name in config.variants:
        try:
            config.variant(name)
        except ValidationError as error:
            found += explain(error, f"config: models.{name}", Config)
    return found


def _results_problems(config: Config) -> list[str]:
    if re.search("[{}<>]", config.results):
        fault = "contains { } < or >, which Snakemake reads as placeholders"
    elif config.results.startswith("-"):
        fault = "starts with '-', which commands read as an option"
    else:
        return []
    return [f"config: results '{config.results}' {fault}. Set results to another path."]


def _session_problems(config: Config) -> list[str]:
    found = [
        f"config: sessions.{name}: a file of the results has this name. Rename the session."
        for name in MOTIF_TABLES
        if name in config.sessions
    ]
    found += _scale_problems(config) + pairs.problems(config.analysed)
    rates = sorted({session.fps for session in config.analysed.values() if session.fps})
    if config.align.fps is None and len(rates) > 1:
        names = {r: [n for n, s in config.analysed.items() if s.fps == r][:3] for r in rates}
        listing = "; ".join(f"{rate:g} fps: {', '.join(some)}" for rate, some in names.items())
        found.append(
            f"config: sessions have different frame rates ({listing}). Set align.fps to resample all "
            "sessions to a common rate."
        )
    fps = config.align.fps or (rates[0] if rates else None)
    if fps and round(config.windows.length_s * fps) < 2:
        found.append(
            f"config: windows.length_s {config.windows.length_s:g} s is less than 2 frames at {fps:g} fps. "
            "Make it longer."
        )
    return found


def _scale_problems(config: Config) -> list[str]:
    """Return one line if some sessions have a scale and others do not."""
    without = [name for name, session in config.analysed.items() if session.px_per_cm is None]
    if not without or len(without) == len(config.analysed):
        return []
    return [
        f"config: px_per_cm is missing in {listing(without)}, but other sessions have it. Give it to every "
        "session, or to none."
    ]


def _keypoint_problems(config: Config) -> list[str]:
    aliases = config.aliases
    if aliases is None:
        return []
    found = [f"config: {line}" for line in config.align.axis_problems(aliases)] if aliases else []
    if isinstance(config.keypoints, list) and len(set(config.keypoints)) < len(config.keypoints):
        found.append("config: keypoints lists a keypoint twice. Remove one.")
    if len(aliases) < 2:
        count = "one keypoint" if aliases else "no keypoint"
        found.append(
            f"config: keypoints has {count}, alignment needs at least two on the animal. Add more."
        )
    return found


def _skeleton_problems(config: Config) -> list[str]:
    found = []
    for pair in config.skeleton or []:
        where = f"config: skeleton: [{', '.join(pair)}]"
        if pair[0] == pair[1]:
            found.append(f"{where} joins a keypoint to itself. Remove it.")
        unknown = [name for name in pair if config.aliases and name not in config.aliases]
        found += [
            f"{where}: '{name}' is not in keypoints, which has: {', '.join(config.aliases or [])}."
            f"{did_you_mean(name, config.aliases or [])}"
            for name in unknown
        ]
    return found
