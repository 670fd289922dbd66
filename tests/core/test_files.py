import errno
import json
import os

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from vame_pipe import __version__
from vame_pipe.core import files
from vame_pipe.core.errors import InputError


def table(session="a", valid=(True, False), value=(1.0, np.nan), name="x"):
    codes = pa.array([0, 0], pa.int32())
    columns = {
        "session": pa.DictionaryArray.from_arrays(codes, pa.array([session])),
        "valid": pa.array(valid),
        name: pa.array(np.array(value, np.float32)),
    }
    return pa.table(columns)


def test_the_fingerprint_of_a_table_depends_on_all_of_its_content():
    same = files.table_fingerprint(table())
    assert (
        files.table_fingerprint(pa.concat_tables([table().slice(0, 1), table().slice(1)])) == same
    )
    for change in (
        {"session": "b"},
        {"valid": (True, True)},
        {"value": (1.0, 2.0)},
        {"value": (np.nextafter(np.float32(1), 2), np.nan)},
        {"name": "y"},
    ):
        assert files.table_fingerprint(table(**change)) != same, change


def test_the_fingerprint_of_an_array_depends_on_its_values_and_not_on_their_order_in_memory():
    values = np.arange(6.0).reshape(2, 3)
    same = files.array_fingerprint(values)
    assert files.array_fingerprint(np.asfortranarray(values)) == same
    assert files.array_fingerprint(values + 1e-12) != same


def test_a_target_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be written"):
        files.write_text(tmp_path / "file/below.txt", "x")
    assert (tmp_path / "file").read_text() == ""


def test_a_full_disk_leaves_the_existing_file_unchanged(tmp_path):
    target = tmp_path / "a.txt"
    files.write_text(target, "before")
    with pytest.raises(InputError, match="an existing file is unchanged"), files.atomic(target):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert target.read_text() == "before"
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


def test_metadata_are_read_as_they_were_written(tmp_path):
    path = tmp_path / "a.parquet"
    files.write_tables(path, [table()], table().schema, files.metadata(fps=30.0))
    assert files.read_metadata(path) == {
        "format_version": files.FORMAT_VERSION,
        "package_version": __version__,
        "fps": 30.0,
    }


def test_files_that_are_not_of_this_version_of_vame_pipe_are_refused_in_one_line(tmp_path):
    path = tmp_path / "a.parquet"
    with pytest.raises(InputError, match=r"a\.parquet: no such file\. Run the workflow first\."):
        files.read_metadata(path)
    path.write_text("text")
    with pytest.raises(InputError, match="cannot be read as Parquet"):
        files.read_metadata(path)
    pq.write_table(table(), path)
    with pytest.raises(InputError, match="not a file of vame_pipe"):
        files.read_metadata(path)
    old = {"format_version": 1, "package_version": "0.1.0"}
    meta = {files.METADATA_KEY: json.dumps(old).encode()}
    pq.write_table(table().replace_schema_metadata(meta), path)
    with pytest.raises(InputError) as caught:
        files.read_metadata(path)
    assert caught.value.problems == [
        f"{path}: has file format 1, but this version of vame_pipe reads format 2. Run the workflow "
        "again, or use vame_pipe 0.1.0, which wrote it."
    ]
