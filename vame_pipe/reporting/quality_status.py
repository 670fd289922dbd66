"""Whether results/qc.parquet is there and up to date."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from vame_pipe.core import source
from vame_pipe.core.errors import InputError
from vame_pipe.core.layout import Layout
from vame_pipe.core.metadata import QualityMetadata, WindowsMetadata, read_record
from vame_pipe.reporting.differences import changes, versions
from vame_pipe.reporting.plan import Item, find_item

if TYPE_CHECKING:
    from vame_pipe.config.configuration import Config


def find_quality(
    layout: Layout, config: Config, aligned: Mapping[str, str | None], causes: Iterable[str]
) -> Item:
    """Return the state of the table of the tracking quality.

    Parameters
    ----------
    layout : Layout
    config : Config
    aligned : mapping of str to str or None
        `fingerprint` of each aligned session; None if it is not there.
    causes : iterable of str
        Why the aligned sessions or the windows have to be computed.
    """
    causes = list(causes)
    if layout.qc.exists():
        try:
            meta = read_record(QualityMetadata, layout.qc)
        except InputError as error:
            return find_item(layout, "quality", layout.qc.name, [layout.qc], error.problems)
        scales = {n: s.px_per_cm for n, s in config.analysed.items() if s.px_per_cm}
        causes += versions("quality", meta.stage_version, source.QUALITY)
        causes += changes("qc.", meta.settings, config.qc.model_dump())
        causes += changes("", {"px_per_cm": meta.px_per_cm}, {"px_per_cm": scales})
        causes += changes("", {"exclude": meta.excluded}, {"exclude": config.excluded})
        causes += [f"session {name} was removed" for name in meta.aligned if name not in aligned]
        for name, fingerprint in aligned.items():
            if fingerprint is not None and name not in meta.aligned:
                causes.append(f"session {name} is new")
            elif fingerprint is not None and meta.aligned[name] != fingerprint:
                causes.append(f"session {name} was aligned again")
    return find_item(layout, "quality", layout.qc.name, [layout.qc], causes)


def left_out(layout: Layout) -> dict[str, str]:
    """Return the sessions that the windows job left out of training, and why."""
    try:
        return read_record(WindowsMetadata, layout.windows_folder.frames).excluded
    except InputError:  # reported where the windows are needed
        return {}
