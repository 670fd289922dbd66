"""New recordings in the report: how far they resemble the training sessions, and what the animals did."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow.parquet as pq

from vame_pipe import __version__
from vame_pipe.core import files, novelty, segmentation_facts
from vame_pipe.core.description import Motif
from vame_pipe.core.layout import Layout
from vame_pipe.core.metadata import LatentsMetadata, read_record
from vame_pipe.core.novelty import Novelty
from vame_pipe.core.source import REPORT
from vame_pipe.reporting.current import REPORT_TAG, ReportFacts, require_current_motifs
from vame_pipe.reporting.templates import template

if TYPE_CHECKING:
    from vame_pipe.config.configuration import Config


@dataclass(frozen=True)
class MotifUsage:
    """How much one animal of a session uses each motif.

    Attributes
    ----------
    label : str
        The session; if it has several animals, also the individual.
    fraction : list of float
        Of the rows with a motif, one per motif; merged motifs count as one.
    """

    label: str
    fraction: list[float]


def read_new(layout: Layout, model: str, sessions: Sequence[str]) -> list[Novelty]:
    """Return how far new sessions resemble the training sessions of a model, those that do not first.

    Sessions that the model was trained on have no such record and are left out.
    """
    found = []
    for session in sessions:
        path = layout.novelty(model, session)
        if path.exists():
            record = novelty.read(path)
            encoded = read_record(LatentsMetadata, layout.latents(model, session))
            # one that was left behind by an earlier run, in which the session was new
            found += [record] if record.latents_fingerprint == encoded.fingerprint else []
    return sorted(found, key=lambda record: -len(record.reasons))


def write_external(
    layout: Layout,
    config: Config,
    model: str,
    sessions: Sequence[str],
    motifs: Sequence[Motif],
    out: Path,
) -> None:
    """Write the report of a model that was trained elsewhere.

    Parameters
    ----------
    layout : Layout
    config : Config
        With which the results folder was made.
    model : str
    sessions : sequence of str
    motifs : sequence of Motif
        Its motifs, with their names.
    out : Path
        HTML file.

    Raises
    ------
    InputError
        With every session that could not be aligned, encoded or labelled, and with every file of motifs
        that another segmentation made.
    """
    facts = segmentation_facts.read(layout.motifs(model).settings)
    require_current_motifs(layout, [model], sessions)
    usage = [line for session in sessions for line in _read_usage(layout, model, session, motifs)]
    metas = {name: read_record(LatentsMetadata, layout.latents(model, name)) for name in sessions}
    made_from = ReportFacts(
        aligned={name: meta.aligned_fingerprint for name, meta in metas.items()},
        models={model: files.file_fingerprint(layout.model(model).weights)},
        comparison="",
        config=config.digest,
        stage_version=REPORT,
    )
    page = template("external.html.jinja").render(
        tag=REPORT_TAG,
        made_from=made_from.as_json(),
        model=model,
        facts=facts,
        motifs=motifs,
        new_recordings=read_new(layout, model, sessions),
        usage=usage,
        folder=layout.motifs(model).root.as_posix(),
        version=__version__,
    )
    files.write_text(out, page)


def _read_usage(
    layout: Layout, model: str, session: str, motifs: Sequence[Motif]
) -> list[MotifUsage]:
    """Return the usage of each animal of a session."""
    path = layout.motifs(model).usage_of(session)
    files.read_metadata(path)  # refuses a file that is missing or damaged
    table = pq.read_table(path).to_pandas()
    animals = table.set_index("motif").groupby("individual", observed=True, sort=False)["fraction"]
    several = animals.ngroups > 1
    return [
        MotifUsage(
            f"{session}, {individual}" if several else session,
            [float(fraction[motif.members].sum()) for motif in motifs],
        )
        for individual, fraction in animals
    ]
