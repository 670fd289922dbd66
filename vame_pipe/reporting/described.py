"""What `describe` wrote about the motifs of a model, as the report uses it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from vame_pipe.core import description, files, segmentation_facts
from vame_pipe.core.description import Description
from vame_pipe.core.errors import InputError
from vame_pipe.core.layout import Layout


@dataclass(frozen=True)
class Described:
    """The description of the motifs of a model and its tables.

    Attributes
    ----------
    facts : Description
    motifs, transitions, profiles, postures, exemplars, skeletons : pandas.DataFrame
        As in the files of the same name, see docs/columns.md.
    """

    facts: Description
    motifs: pd.DataFrame
    transitions: pd.DataFrame
    profiles: pd.DataFrame
    postures: pd.DataFrame
    exemplars: pd.DataFrame
    skeletons: pd.DataFrame

    @property
    def numbers(self) -> list[int]:
        """Numbers of the motifs, ascending."""
        return [motif.number for motif in self.facts.motifs]

    @property
    def labels(self) -> list[str]:
        """Number and name of each motif."""
        return [motif.label for motif in self.facts.motifs]

    def transition_counts(self) -> np.ndarray:
        """Return how often each motif follows each other one, `(n_motifs, n_motifs)`, source first."""
        counts = np.zeros((len(self.numbers), len(self.numbers)))
        columns = (self.transitions[name].to_numpy() for name in ("source", "target", "count"))
        source, target, count = columns
        places = np.searchsorted(self.numbers, source), np.searchsorted(self.numbers, target)
        np.add.at(counts, places, count)
        return counts


def read_described(layout: Layout, model: str) -> Described:
    """Return the description of the motifs of a model.

    Raises
    ------
    InputError
        If it is of another segmentation, or a file is damaged.
    """
    folder = layout.motifs(model)
    facts = description.read(folder.described.description)
    if facts.segmentation != segmentation_facts.read(folder.settings).fingerprint:
        raise InputError(
            f"{folder.described.description}: describes the motifs of another segmentation. Run snakemake."
        )
    names = ("motifs", "transitions", "profiles", "postures", "exemplars", "skeletons")
    paths = {name: getattr(folder.described, name) for name in names}
    for path in paths.values():
        files.read_metadata(path)  # refuses a file that is missing or damaged
    return Described(facts, **{name: pd.read_parquet(path) for name, path in paths.items()})


def required_files(layout: Layout, models: Sequence[str]) -> list[Path]:
    """Return the files that the report needs."""
    return [path for model in models for path in layout.motifs(model).described.outputs]
