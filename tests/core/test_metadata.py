import dataclasses

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from vame_pipe import __version__
from vame_pipe.core import files
from vame_pipe.core.errors import InputError
from vame_pipe.core.metadata import (
    AlignedMetadata,
    AnimalFacts,
    LatentsMetadata,
    WindowsMetadata,
    read_record,
    to_metadata,
    write_rejection,
)
from vame_pipe.core.schemas import (
    INDEX_FIELDS,
    feature_fields,
    index_columns,
    latent_columns,
    latent_names,
)

ALIGNED = AlignedMetadata(
    session="s1",
    settings={"scale": True, "keypoints": None},
    features=["nose_x"],
    keypoints=["nose", "tail"],
    fps=30.0,
    individuals={"one": AnimalFacts(50.5, 0.25, 7), "two": AnimalFacts(40.0, 0.0, 12)},
    fingerprint="f",
    poses_digest="d",
    source="s1.csv",
    source_fps=60.0,
    stage_version=3,
)
WINDOWS = WindowsMetadata(
    settings={"length_s": 1.0},
    align={"scale": True},
    features=["nose_x"],
    keypoints=["nose"],
    aligned={"s1": "f"},
    fps=30.0,
    length=30,
    future=15,
    mean=[0.1],
    std=[1.5],
    stage_version=1,
)
LATENTS = LatentsMetadata("m", "a", "f", 30, 30.0, [0.5, 0.25], 1)


def write(path, meta):
    files.write_tables(path, [], pa.schema(INDEX_FIELDS), meta)
    return path


@pytest.mark.parametrize("record", [ALIGNED, WINDOWS, LATENTS])
def test_a_record_is_read_as_it_was_written(tmp_path, record):
    path = write(tmp_path / "file.parquet", to_metadata(record))
    assert read_record(type(record), path) == record
    assert ALIGNED.longest_run == 12


@pytest.mark.parametrize(
    ("change", "kind", "expected"),
    [
        ({}, WindowsMetadata, "a file of the training windows"),
        ({}, LatentsMetadata, "a file of latents"),
        ({"individuals": {"one": {"body_length": 50.0}}}, AlignedMetadata, "an aligned recording"),
        ({"individuals": None}, AlignedMetadata, "an aligned recording"),
    ],
)
def test_another_kind_of_file_is_named_with_what_to_do(tmp_path, change, kind, expected):
    path = write(tmp_path / "file.parquet", to_metadata(ALIGNED) | change)
    with pytest.raises(InputError) as error:
        read_record(kind, path)
    assert f"{path}: expected {expected} of vame_pipe {__version__}" in str(error.value)
    assert "delete the file and run the workflow again" in str(error.value)


def test_a_file_of_an_older_version_is_named_with_its_version(tmp_path):
    content = dataclasses.asdict(ALIGNED) | {"package_version": "0.1.7"}
    del content["poses_digest"]
    old = write(tmp_path / "old.parquet", {"format_version": files.FORMAT_VERSION} | content)
    with pytest.raises(InputError, match=r"written by vame_pipe 0\.1\.7"):
        read_record(AlignedMetadata, old)
    older = write(tmp_path / "older.parquet", {"format_version": 1} | content)
    with pytest.raises(InputError, match=r"file format 1, .*Run the workflow again"):
        read_record(AlignedMetadata, older)


def test_a_rejected_recording_raises_its_reasons(tmp_path):
    path = tmp_path / "bad.parquet"
    write_rejection(path, ["one", "two"])
    assert pq.read_table(path).num_rows == 0
    with pytest.raises(InputError) as error:
        read_record(AlignedMetadata, path)
    assert error.value.problems == ["one", "two"]


def test_index_and_latent_columns_have_their_types(tmp_path):
    row = np.arange(3)
    columns = index_columns("s", "one", row, row + 5, row / 2, np.array([0, 0, -1]))
    names = latent_names(2)
    schema = pa.schema([*INDEX_FIELDS, *feature_fields(names)])
    values = [pa.array([0.5] * 3, pa.float32())] * 2
    table = pa.Table.from_arrays([*columns, *values], schema=schema)
    files.write_tables(tmp_path / "z.parquet", [table], schema, files.metadata())
    found = pq.read_table(tmp_path / "z.parquet")
    assert found.schema.remove_metadata() == schema
    assert found.to_pydict() == {
        "session": ["s"] * 3,
        "individual": ["one"] * 3,
        "row": [0, 1, 2],
        "frame": [5, 6, 7],
        "time_s": [0.0, 0.5, 1.0],
        "run": [0, 0, -1],
        "z_00": [0.5] * 3,
        "z_01": [0.5] * 3,
    }
    assert latent_columns(tmp_path / "z.parquet") == names == ["z_00", "z_01"]


def test_only_z_and_digits_is_a_latent_column(tmp_path):
    pq.write_table(
        pa.table({name: [1.0] for name in ("z_score", "z_00", "z_", "z_100")}), tmp_path / "z"
    )
    assert latent_columns(tmp_path / "z") == ["z_00", "z_100"]
