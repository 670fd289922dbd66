"""Export the results of sessions to the format of another program."""

from __future__ import annotations

import importlib.util
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal, get_args

from vame_pipe.config import loading
from vame_pipe.config.configuration import Config
from vame_pipe.core.errors import InputError, listing
from vame_pipe.core.layout import Layout
from vame_pipe.core.run_record import best_model, read_runs
from vame_pipe.export import animal_facts, elan, tables
from vame_pipe.export.recorded import read_poses
from vame_pipe.export.results import START_KEY, SessionResults, read_results

log = logging.getLogger(__name__)

Format = Literal["nwb", "boris", "elan", "netcdf", "csv"]
FORMATS: tuple[Format, ...] = get_args(Format)
NEEDED = {"nwb": ("pynwb", "ndx_pose"), "netcdf": ("xarray", "h5netcdf")}
"""Libraries of the extra `export` that a format needs."""


def export(
    layout: Layout,
    file_format: Format,
    out: Path | None = None,
    sessions: Sequence[str] | None = None,
    model: str | None = None,
) -> None:
    """Write the results of sessions in the format of another program, one file per session.

    Parameters
    ----------
    layout : Layout
        The results folder, as the workflow filled it.
    file_format : {'nwb', 'boris', 'elan', 'netcdf', 'csv'}
    out : Path, optional
        Output folder; default: `export/{model}/{format}` in the results folder.
    sessions : sequence of str, optional
        Default: all sessions of the last run.
    model : str, optional
        Default: the best model, or the only one.

    Raises
    ------
    InputError
        If a library is missing, a session or model does not exist, or files of a session are missing or out
        of date. Sessions without problems are exported.
    """
    missing = [name for name in NEEDED.get(file_format, ()) if not importlib.util.find_spec(name)]
    if missing:
        raise InputError(
            f"export to {file_format}: {' and '.join(missing)} not installed. Run: "
            "pip install 'vame_pipe[export]'"
        )
    config = loading.load_run(layout.config)
    chosen = _choose_model(layout, config, model)
    wanted = list(config.analysed) if sessions is None else sessions
    unknown = [name for name in wanted if name not in config.analysed]
    if unknown:
        raise InputError(
            *(
                f"--sessions: there is no session {name}. Sessions: {listing(config.analysed)}."
                for name in unknown
            )
        )
    folder = out or layout.exported(chosen, file_format)
    problems, written = [], {}
    for session in wanted:
        try:
            results = read_results(layout, config, chosen, session)
            _write(results, file_format, folder)
        except InputError as error:
            problems += error.problems
        else:
            written[session] = results.source.metadata
    if file_format in ("nwb", "elan"):
        _warn_of_missing(written, animal_facts.DEMANDED if file_format == "nwb" else ())
    if problems:
        raise InputError(*problems)
    log.info("%d sessions of model %s written to %s", len(wanted), chosen, folder)


def _warn_of_missing(written: Mapping[str, Mapping[str, str]], demanded: Sequence[str]) -> None:
    """Warn of metadata that sessions do not have, one line for each key."""
    undated = [session for session, metadata in written.items() if START_KEY not in metadata]
    if undated:
        log.warning(
            "it is not known when these sessions began, so the files say 1970-01-01: %s. Give %s in their "
            "metadata.",
            *(listing(undated), START_KEY),
        )
    for keys in demanded:
        without = [name for name, given in written.items() if animal_facts.lacks(given, keys)]
        if without:
            log.warning(
                "these sessions have no %s, without which archives such as DANDI do not take their files: "
                "%s. Give it in their metadata, see docs/export.md.",
                *(keys, listing(without)),
            )


def _choose_model(layout: Layout, config: Config, model: str | None) -> str:
    """Return the model that was asked for, or the best one."""
    models = config.all_models
    if model is None:
        trained = list(config.variants)
        return best_model(read_runs(layout, trained)) if trained else models[0]
    if model not in models:
        raise InputError(f"--model: there is no model {model}. Models: {listing(models)}.")
    return model


def _write(results: SessionResults, file_format: Format, folder: Path) -> None:
    if file_format == "csv":
        tables.write_csv(results, folder / f"{results.name}.csv")
    elif file_format == "boris":
        tables.write_boris(results, folder / f"{results.name}.tsv")
    elif file_format == "elan":
        elan.write(results, folder / f"{results.name}.eaf")
    elif file_format == "netcdf":
        from vame_pipe.export import netcdf  # needs an extra

        netcdf.write(results, read_poses(results), folder / f"{results.name}.nc")
    else:
        from vame_pipe.export import nwb  # needs an extra

        animal_facts.require_valid(results.name, results.source.metadata)
        nwb.write(results, read_poses(results), folder)
