import numpy as np
import pyarrow as pa
import pytest

from vame_pipe.core import files
from vame_pipe.core.metadata import AlignedMetadata, AnimalFacts, read_record, to_metadata
from vame_pipe.core.quality import SessionFaults
from vame_pipe.core.schemas import INDEX_FIELDS, feature_fields, index_columns
from vame_pipe.windows.consistency import compare_sessions, find_copies, find_mirrored

SIDES = np.array([-0.2, 0.2, -0.15, 0.1, 0.0])


def samples(seed, n=200):
    """Smooth features, as an animal's are, of one recording."""
    rng = np.random.default_rng(seed)
    return np.cumsum(rng.normal(0, 1, (n, 4)), axis=0) * np.exp(-0.01 * np.arange(n))[:, None]


def test_a_filtered_copy_and_an_exact_one_are_found():
    one, two, three = (samples(seed) for seed in range(3))
    kernel = np.ones(3) / 3
    filtered = np.stack([np.convolve(column, kernel, "same") for column in one.T], axis=1)
    filtered[:30] = np.nan
    assert find_copies(np.stack([one, two, filtered, three, two])) == [[0, 2], [1, 4]]
    assert find_copies(np.stack([one, two, three])) == []


def test_few_shared_samples_prove_nothing():
    one = samples(0)
    other = one.copy()
    other[14:] = np.nan
    assert find_copies(np.stack([one, other])) == []


def test_the_mirrored_session_is_named_and_of_two_both():
    rng = np.random.default_rng(0)
    sessions = SIDES + rng.normal(0, 0.03, (6, 5))
    assert find_mirrored(sessions) == []
    sessions[4] *= -1
    assert find_mirrored(sessions) == [4]
    assert find_mirrored(sessions[3:5]) == [0, 1]
    # keypoints on the midline have no sides, whatever their noise is
    assert find_mirrored(rng.normal(0, 0.005, (6, 5))) == []


def write_pair(folder, session, seeds, sign=1.0, flipped=(0.0, 0.0), n_rows=200):
    """Write a session of two animals, one value per second, with ears to the left and right."""
    names = ["left_x", "left_y", "right_x", "right_y"]
    schema = pa.schema([*INDEX_FIELDS, *feature_fields(names)])
    tables = []
    for individual, seed in zip(("one", "two"), seeds, strict=True):
        values = samples(seed)[:n_rows] * 0.01 + sign * np.array([0, -0.3, 0, 0.3])
        row = np.arange(len(values))
        columns = index_columns(session, individual, row, row, row * 1.0, np.zeros_like(row))
        values = values.astype(np.float32).T
        tables.append(pa.Table.from_arrays([*columns, *map(pa.array, values)], schema=schema))
    meta = AlignedMetadata(
        session=session,
        settings={"scale": True},
        features=names,
        keypoints=["left", "right"],
        fps=1.0,
        individuals={
            n: AnimalFacts(50.0, f, 200) for n, f in zip(("one", "two"), flipped, strict=True)
        },
        fingerprint=session,
        poses_digest="",
        source="",
        source_fps=1.0,
        stage_version=1,
    )
    path = folder / f"{session}.parquet"
    files.write_tables(path, tables, schema, to_metadata(meta))
    return path


def compare(paths):
    return compare_sessions(paths, [read_record(AlignedMetadata, path) for path in paths])


def test_copies_of_a_session_with_two_animals_are_one_group(tmp_path, caplog):
    """Also if the animals are named the other way round; two animals of one session are no copies."""
    paths = [
        write_pair(tmp_path, "a", (0, 1)),
        write_pair(tmp_path, "b", (2, 3)),
        write_pair(tmp_path, "c", (1, 0)),
        write_pair(tmp_path, "twice", (4, 4)),
    ]
    assert compare(paths) == SessionFaults([], [["a", "c"]])
    assert "the same recording occurs more than once (a and c)" in caplog.text


def test_a_session_with_one_animal_in_common_is_the_same_recording(tmp_path):
    paths = [write_pair(tmp_path, f"s{i}", (i, i + 1)) for i in range(3)]
    assert compare(paths).same_recording == [["s0", "s1", "s2"]]


@pytest.mark.parametrize(
    ("flipped", "n_rows", "mirrored"),
    [
        ((0.0, 0.0), 200, ["d"]),
        ((0.9, 0.0), 200, ["d"]),
        ((0.9, 0.9), 200, []),
        ((0.0, 0.0), 5, ["d"]),
        ((0.0, 0.0), 4, []),
    ],
)
def test_a_mirrored_session_with_two_animals_is_named_once(
    tmp_path, caplog, flipped, n_rows, mirrored
):
    """Unless head and tail of both animals are swapped, which explains it, or it is too short to tell."""
    paths = [write_pair(tmp_path, name, (2 * i, 2 * i + 1)) for i, name in enumerate("abc")]
    paths.append(write_pair(tmp_path, "d", (6, 7), -1.0, flipped, n_rows))
    assert compare(paths).mirrored == mirrored
    assert ("left and right are swapped between d and the other sessions" in caplog.text) == bool(
        mirrored
    )
