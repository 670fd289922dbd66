"""How groups were compared, and what came of it in words: groups.json."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vame_pipe import __version__
from vame_pipe.core import files
from vame_pipe.core.errors import InputError

FORMAT_VERSION = 1


@dataclass(frozen=True)
class GroupFacts:
    """How groups were compared.

    Attributes
    ----------
    groups : dict of str to int
        Number of subjects of each group, in the order of the configuration.
    n_recordings : int
        Recordings of all subjects together.
    paired : bool
        Whether a comparison is paired.
    findings : list of str
        What was found, what could not be found, and what is missing for a comparison, a sentence each.
    methods : str
        For the methods section of a paper; empty without a comparison.
    sessions : dict of str to dict
        `group`, `subject` and `pair` of each session.
    labels : dict of str to str
        Fingerprint of the latents that the motifs of each session were made from.
    segmentation : str
        Fingerprint of the segmentation.
    motif_names : list of dict
        Names of motifs, and motifs that count as another.
    stage_version : int
        See `core.source`.
    """

    groups: dict[str, int]
    n_recordings: int
    paired: bool
    findings: list[str]
    methods: str
    sessions: dict[str, dict[str, Any]]
    labels: dict[str, str]
    segmentation: str
    motif_names: list[dict[str, Any]]
    stage_version: int


def write(facts: GroupFacts, path: Path) -> None:
    """Write groups.json, atomically."""
    versions = {"format_version": FORMAT_VERSION, "package_version": __version__}
    files.write_json(path, versions | dataclasses.asdict(facts))


def read(path: Path) -> GroupFacts:
    """Return how groups were compared.

    Raises
    ------
    InputError
        If the file is missing, damaged or of another version.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content.pop("format_version") != FORMAT_VERSION:
            raise InputError(f"{path}: is of another version of vame_pipe. Run snakemake.")
        content.pop("package_version")
        return GroupFacts(**content)
    except OSError as error:
        raise InputError(
            f"{path}: cannot be read ({error.strerror}). Run vame-pipe groups first."
        ) from None
    except (KeyError, TypeError, AttributeError, json.JSONDecodeError, UnicodeDecodeError):
        raise InputError(
            f"{path}: is damaged, or not a comparison of groups. Delete it and run snakemake."
        ) from None
