"""Randomly damaged pose files are either read with sane values or refused in one line."""

import random
import warnings

import numpy as np
import pandas as pd
import pose_files
import pytest
from pose_files import read_keypoints

from vame_pipe.alignment.session import align
from vame_pipe.config.sections import Align
from vame_pipe.core.errors import InputError
from vame_pipe.poses import simulate
from vame_pipe.poses.readers import read_poses

CELLS = [b"", b"nan", b"inf", b"1e400", b"-1", b"1,5", b"abc", b"1e30", b"0x1A", b" 12 ", b"9" * 40]
WORDS = [b"", b"x", b"likelihood", b"nose", b"\xff", b"coords", b"z"]


@pytest.fixture(scope="module")
def intact(tmp_path_factory):
    """Contents of the same recording in each format, by file name."""
    folder = tmp_path_factory.mktemp("intact")
    position, confidence, _ = simulate.simulate(300, 30, 0)
    simulate.write_deeplabcut(folder / "a.csv", position, confidence, simulate.KEYPOINTS)
    table = pd.read_csv(folder / "a.csv", header=[0, 1, 2], index_col=0)
    for format in ("fixed", "table"):
        table.to_hdf(folder / f"{format}.h5", key="df_with_missing", format=format)
    made = pose_files.recording(200)
    for name, write in pose_files.WRITERS.items():
        if not name.startswith("deeplabcut"):
            rate = {"fps": 30} if name.startswith(("nwb", "movement")) else {}
            write(folder / name, made, **rate)
    pose_files.write_anipose(folder / "anipose.csv", pose_files.recording(200, 1, 3))
    pose_files.write_sleap_anipose(folder / "sleap-anipose.h5", pose_files.recording(200, 2, 3))
    points = np.random.default_rng(0).integers(1, 800, (200, 2, 12, 2))
    identities = np.tile([1, 2], (200, 1))
    pose_files.write_jabs(folder / "jabs.h5", points, np.ones((200, 2, 12)), identities)
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def damage_bytes(content, rng):
    data = bytearray(content)
    start, n = rng.randrange(len(data)), rng.randrange(1, 2000)
    kind = rng.choice(["flip", "cut", "repeat", "zero", "insert"])
    if kind == "flip":
        for _ in range(rng.choice([1, 3, 30, 300])):
            data[rng.randrange(len(data))] = rng.randrange(256)
    elif kind == "cut":
        del data[start:]
    elif kind == "repeat":
        data[start:start] = data[start : start + n]
    elif kind == "zero":
        data[start : start + n] = bytes(len(data[start : start + n]))
    else:
        data[start:start] = rng.randbytes(1 + n % 50)
    return bytes(data)


def damage_cells(content, rng):
    rows = [row.split(b",") for row in content.split(b"\n")]
    row, column = rng.randrange(len(rows) - 1), rng.randrange(len(rows[0]))
    kind = rng.choice(["cell", "word", "row", "column", "separator"])
    if kind == "cell":
        rows[max(row, 3)][column] = rng.choice(CELLS)
    elif kind == "word":
        rows[row % 3][column] = rng.choice(WORDS)
    elif kind == "row":
        rows.insert(row, rng.choice([rows[-3], [b""], rows[row][:column]]))
    elif kind == "column":
        rows = [cells[:column] + cells[column + 1 :] for cells in rows]
    return b"\n".join((b";" if kind == "separator" else b",").join(cells) for cells in rows)


def outcome(path):
    """Read and align a file; return whether it was read or refused."""
    try:
        names = read_keypoints(path)
        animals = read_poses(path, 30.0).values()
        for poses in animals:
            settings = Align(centre=poses.keypoints[-1], forward=poses.keypoints[0])
            aligned = align(poses, settings)
            assert aligned.valid.any() and np.isfinite(aligned.features[aligned.valid]).all()
    except InputError as error:
        assert error.problems
        assert all(p.isprintable() and len(p) < 600 for p in error.problems), error.problems
        return "refused"
    assert set(names) <= set(poses.keypoints)
    for poses in animals:
        assert not np.isinf(poses.position).any() and not (poses.confidence < 0).any()
    return "read"


@pytest.mark.parametrize("name", ["a.csv", "fixed.h5", "table.h5"])
def test_a_damaged_file_is_read_sanely_or_refused(intact, name, tmp_path):
    path = tmp_path / name
    path.write_bytes(intact[name])
    assert outcome(path) == "read"
    assert {"read", "refused"} == set(outcomes_of_damage(intact[name], path, 150))


FORMATS = ["anipose.csv", "sleap-analysis.h5", "sleap.slp", "nwb.nwb", "movement.nc"]
FORMATS += ["sleap-anipose.h5", "jabs.h5"]


@pytest.mark.parametrize("name", FORMATS)
def test_a_damaged_file_of_any_format_is_read_sanely_or_refused(intact, name, tmp_path):
    path = tmp_path / name
    path.write_bytes(intact[name])
    assert outcome(path) == "read"
    assert "refused" in outcomes_of_damage(intact[name], path, 30)


def outcomes_of_damage(content, path, count):
    outcomes = []
    for seed in range(count):
        rng = random.Random(seed)
        of_cells = path.suffix == ".csv" and seed % 2
        path.write_bytes((damage_cells if of_cells else damage_bytes)(content, rng))
        with warnings.catch_warnings():
            warnings.simplefilter("error", RuntimeWarning)
            outcomes.append(outcome(path))
    return outcomes
