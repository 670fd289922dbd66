"""How groups were compared, and what came of it in words: groups.json."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from vame_pipe.core.facts_file import FactsFile


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


_FILE = FactsFile(GroupFacts, 1, "a comparison of groups", "vame-pipe groups")
write, read = _FILE.write, _FILE.read
