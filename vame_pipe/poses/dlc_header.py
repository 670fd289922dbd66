"""The names above the columns of DeepLabCut's files, CSV and HDF5."""

from __future__ import annotations

from collections.abc import Sequence

from vame_pipe.poses.pose_table import Column

ONE_ANIMAL = ["scorer", "bodyparts", "coords"]
SEVERAL_ANIMALS = ["scorer", "individuals", "bodyparts", "coords"]
WORDS = {
    **dict.fromkeys(("scorer", "scorers", "", "none"), "scorer"),
    **dict.fromkeys(("individuals", "individual", "animals", "animal"), "individuals"),
    **dict.fromkeys(("bodyparts", "bodypart", "keypoints", "keypoint"), "bodyparts"),
    **dict.fromkeys(("coords", "coord", "coordinates", "coordinate"), "coords"),
}
"""What programs call the rows of the header, and what DeepLabCut calls them."""


def row_names(words: Sequence[object]) -> list[str]:
    """Return DeepLabCut's names of the rows of a header; a word that is not known stays as it is.

    >>> row_names(["scorer", "keypoints", "coord"])
    ['scorer', 'bodyparts', 'coords']
    """
    texts = [str(word).strip().lower() for word in words]
    return [WORDS.get(text, text) for text in texts]


def named_columns(names: Sequence[Sequence[str]]) -> list[Column]:
    """Return the columns under the names of a header.

    If only the scorer tells columns of one keypoint and coordinate apart, it is the name of the animal.

    Parameters
    ----------
    names : sequence of (str, str, str) or (str, str, str, str)
        For each column: scorer, individual (if the file has them), keypoint, coordinate.
    """
    scorers = [name[0].strip() for name in names]
    columns = [
        Column(
            name[1].strip() if len(name) == 4 else "", name[-2].strip(), name[-1].strip().lower()
        )
        for name in names
    ]
    per_scorer: dict[str, set[Column]] = {}
    for scorer, column in zip(scorers, columns, strict=True):
        per_scorer.setdefault(scorer, set()).add(column)
    sets = list(per_scorer.values())
    told_apart = len(sets) > 1 and all(s == sets[0] for s in sets) and len(columns) > len(sets[0])
    if not told_apart or any(column.individual for column in columns):
        return columns
    return [
        column._replace(individual=scorer) for scorer, column in zip(scorers, columns, strict=True)
    ]
