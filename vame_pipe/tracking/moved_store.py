"""Correct the workflow's own store after its folder was moved, renamed or copied.

MLflow stores absolute paths of artifacts and has no function that changes them. Without this, MLflow would
look for the artifacts of a moved results folder at their old place, and write new ones there. This is the
only code that writes to MLflow's tables itself. `PATH_COLUMNS` depends on the version of MLflow: a test
searches the whole database for paths that are not in it.
"""

from __future__ import annotations

import logging
import sqlite3
from contextlib import closing
from pathlib import Path

from vame_pipe.tracking.address import ARTIFACTS, DATABASE

log = logging.getLogger(__name__)

PATH_COLUMNS = (
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("model_versions", "source"),
    ("model_versions", "storage_location"),
)
"""Tables and columns of MLflow's database that hold paths of artifacts."""


def follow_folder(folder: Path, experiment_id: str) -> None:
    """Correct the paths of artifacts in the workflow's own store; do nothing if it was not moved.

    Paths that did not lead to the folder of the database stay as they are.

    Parameters
    ----------
    folder : Path
        Where the database is now.
    experiment_id : str
        The artifact location of this experiment tells where the database was.
    """
    new = (folder / ARTIFACTS).as_uri()
    with closing(sqlite3.connect(folder / DATABASE, isolation_level=None)) as database:
        (old,) = database.execute(
            "SELECT artifact_location FROM experiments WHERE experiment_id = ?", [experiment_id]
        ).fetchone()
        if old == new or not _was_next_to_database(old, folder):
            return
        # if two processes get here at the same time, the second one finds nothing left to change
        database.execute("BEGIN IMMEDIATE")
        for table, column in PATH_COLUMNS:
            database.execute(
                f"UPDATE {table} SET {column} = :new || substr({column}, length(:old) + 1) "
                f"WHERE {column} = :old OR substr({column}, 1, length(:old) + 1) = :old || '/'",
                {"old": old, "new": new},
            )
        database.execute("COMMIT")
    log.info("updated the paths in MLflow's database from %s to %s", old, new)


def _was_next_to_database(old: str, folder: Path) -> bool:
    """Return whether artifacts were next to the database, in a folder other than the current one."""
    from mlflow.utils.file_utils import local_file_uri_to_path

    if not (old.startswith("file:") and old.endswith(f"/{folder.name}/{ARTIFACTS}")):
        return False
    try:  # two paths may lead to the same folder
        return not Path(local_file_uri_to_path(old)).samefile(folder / ARTIFACTS)
    except OSError:
        return True
