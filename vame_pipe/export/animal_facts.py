"""What an NWB file must tell of its animal, as archives and nwbinspector demand it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime

from vame_pipe.core.errors import InputError

DEMANDED = ("species", "age or date_of_birth")
"""Metadata of a session without which nwbinspector finds serious faults."""
_NUMBER = r"\d+(\.\d+)?"
_DURATION = (
    rf"P(?=.)({_NUMBER}Y)?({_NUMBER}M)?({_NUMBER}W)?({_NUMBER}D)?"
    rf"(T(?=.)({_NUMBER}H)?({_NUMBER}M)?({_NUMBER}S)?)?"
)
_URL = r"http://purl\.obolibrary\.org/obo/NCBITaxon_\d+"


def lacks(metadata: Mapping[str, str], keys: str) -> bool:
    """Return whether one of `DEMANDED` is missing.

    Examples
    --------
    >>> given = {"species": "Mus musculus"}
    >>> [lacks(given, keys) for keys in DEMANDED]
    [False, True]
    """
    return not any(key in metadata for key in keys.split(" or "))


def require_valid(session: str, metadata: Mapping[str, str]) -> None:
    """Check what is given of the animal of a session.

    Parameters
    ----------
    session : str
    metadata : mapping of str to str
        As in the configuration.

    Raises
    ------
    InputError
        With one line for each value that the format does not allow.
    """
    problems = [
        f"session {session}: {key} is '{metadata[key]}'; NWB needs {allowed}. Correct it in the sheet or "
        "under metadata, and run snakemake."
        for key, (is_valid, allowed) in RULES.items()
        if key in metadata and not is_valid(metadata[key])
    ]
    if problems:
        raise InputError(*problems)


def _is_date(text: str) -> bool:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


def _matches(pattern: str) -> Callable[[str], bool]:
    return lambda text: re.fullmatch(pattern, text) is not None


RULES: dict[str, tuple[Callable[[str], bool], str]] = {
    "species": (
        _matches(rf"[A-Z][a-z]+ [a-z]+|{_URL}"),
        "the Latin name, as Mus musculus, or the address of an NCBI taxon",
    ),
    "sex": (_matches("[MFOU]"), "M, F, O (other) or U (unknown)"),
    "age": (_matches(rf"{_DURATION}(/({_DURATION})?)?"), "a duration of ISO 8601, as P90D or P12W"),
    "date_of_birth": (_is_date, "a date as 2026-02-03"),
}
"""For each key whether a value is valid, and what is allowed."""
