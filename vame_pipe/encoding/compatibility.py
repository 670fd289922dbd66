"""Check that a recording was aligned as the recordings that a model was trained on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from vame_pipe.config.sections import Align
from vame_pipe.core.errors import InputError
from vame_pipe.core.metadata import AlignedMetadata
from vame_pipe.encoding.model_file import ModelFile

COMPARED_ELSEWHERE = {"keypoints", "drop_bad_keypoints", "fps", "head_fixed"}
"""Alignment settings that may differ: feature names and frame rate are compared by themselves, and
`head_fixed` changes no number."""


def check_compatible(model: ModelFile, meta: AlignedMetadata, aligned: Path) -> None:
    """Raise InputError unless an aligned session has the features, frame rate and settings of a model.

    Parameters
    ----------
    model : ModelFile
    meta : AlignedMetadata
    aligned : Path
        The file of the session, named in every problem.
    """
    problems = find_problems(model, meta.features, meta.fps, meta.settings)
    if problems:
        raise InputError(*(f"{aligned}: {problem}" for problem in problems))


def find_problems(
    model: ModelFile, features: list[str], fps: float, settings: dict[str, Any]
) -> list[str]:
    """Return why a recording does not fit a model, one line each; empty if it does.

    Parameters
    ----------
    model : ModelFile
    features : list of str
    fps : float
    settings : dict
        The section `align`, and `keypoints`.
    """
    return [
        *_feature_problems(model, features, fps),
        *(
            f"was aligned with {name} {json.dumps(found)}, the recordings of the model with "
            f"{json.dumps(expected)}. Align it with the settings of the model."
            for name, found, expected in differing_settings(model, settings)
        ),
    ]


def _feature_problems(model: ModelFile, features: list[str], fps: float) -> list[str]:
    problems = []
    n_features = model.arguments["NUM_FEATURES"]
    if model.features is None:
        if len(features) != n_features:
            problems.append(
                f"has {len(features)} features ({', '.join(features)}), the model takes {n_features}. "
                "Align it with the keypoints and settings of the model."
            )
    elif set(features) != set(model.features):
        missing = [name for name in model.features if name not in features]
        unexpected = [name for name in features if name not in model.features]
        problems.append(
            f"its features do not match the model's: missing {', '.join(missing) or 'none'}; "
            f"unexpected {', '.join(unexpected) or 'none'}. Align it with the keypoints and settings of "
            "the model."
        )
    if model.fps not in (None, fps):
        problems.append(
            f"has {fps:g} fps, the model was trained at {model.fps:g}. Set align.fps to {model.fps:g}."
        )
    return problems


def differing_settings(model: ModelFile, found: dict[str, Any]) -> list[tuple[str, Any, Any]]:
    """Return the alignment settings that differ: name, found value, value of the model.

    Models that were trained with VAME have no settings.
    """
    expected = model.settings.get("align")
    if expected is None:
        return []
    defaults = {name: field.default for name, field in Align.model_fields.items()}
    names = sorted((expected.keys() | found.keys()) - COMPARED_ELSEWHERE)
    pairs = [(n, found.get(n, defaults.get(n)), expected.get(n, defaults.get(n))) for n in names]
    return [(f"align.{n}", one, other) for n, one, other in pairs if one != other]
