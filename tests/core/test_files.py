import numpy as np
import pyarrow as pa
import pytest

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


def test_the_fingerprint_of_a_table_is_of_all_that_it_holds():
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


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be written"):
        files.write_text(tmp_path / "file/below.txt", "x")
    assert (tmp_path / "file").read_text() == ""
