import dataclasses

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from aligned_files import write_aligned

from vame_pipe.config.sections import Windows
from vame_pipe.core.errors import InputError
from vame_pipe.core.layout import WindowsFolder
from vame_pipe.windows import build, data


def test_runs_of_two_animals_stay_apart_though_their_numbers_and_rows_meet(tmp_path):
    """The first animal ends in run 0 and the second begins in run 0, in the next row of the file."""
    path = write_aligned(tmp_path, "pair", {"a": [0, 1, 1], "b": [1, 1, 0, 1], "c": [0, 0]})
    assert pq.read_table(path)["run"].to_pylist() == [-1, 0, 0, 0, 0, -1, 1, -1, -1]
    valid = data.read_valid_rows(path)
    assert valid.position.tolist() == [1, 2, 3, 4, 6]
    assert valid.row.tolist() == [1, 2, 0, 1, 3]
    assert valid.run.tolist() == [0, 0, 1, 1, 2]
    assert data.window_starts(valid.run, 2).tolist() == [0, 2]


def test_a_session_without_valid_rows_has_none(tmp_path):
    valid = data.read_valid_rows(write_aligned(tmp_path, "none", np.zeros(5)))
    assert valid.position.tolist() == valid.row.tolist() == valid.run.tolist() == []
    assert data.window_starts(valid.run, 2).tolist() == []


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    folder = tmp_path_factory.mktemp("windows")
    aligned = [write_aligned(folder, "pair", {"a": np.ones(200), "b": np.arange(90) > 3})]
    build.build(aligned, Windows(length_s=1.0, future_s=0.5), folder)
    return folder, data.load(folder)


def test_gathered_windows_are_the_frames_they_name(built):
    _, loaded = built
    stored = torch.from_numpy(loaded.frames)
    for starts in (loaded.train, loaded.val):
        gathered = data.gather(stored, torch.from_numpy(starts), 15)
        assert len(gathered) == len(starts) > 0
        for start, window in zip(starts, gathered, strict=True):
            torch.testing.assert_close(window, stored[start : start + 15], rtol=0, atol=0)


def test_the_fingerprint_is_of_the_content(built, tmp_path):
    folder, loaded = built
    same = write_aligned(tmp_path, "pair", {"a": np.ones(200), "b": np.arange(90) > 3})
    build.build([same], Windows(length_s=1.0, future_s=0.5), tmp_path)
    assert data.load(tmp_path).fingerprint == loaded.fingerprint
    other = write_aligned(tmp_path, "pair", {"a": np.ones(200), "b": np.arange(90) > 3}, seed=1)
    build.build([other], Windows(length_s=1.0, future_s=0.5), tmp_path)
    assert data.load(tmp_path).fingerprint != loaded.fingerprint
    assert dataclasses.asdict(loaded.meta) == dataclasses.asdict(data.load(folder).meta)


def test_a_folder_without_windows_is_named(tmp_path):
    with pytest.raises(InputError, match=str(WindowsFolder(tmp_path).frames)):
        data.load(tmp_path)


def test_positions_motion_and_partner_count_equally():
    names = ["nose_x", "ear_x", "ear_y", "ear_z", "turn_rate", "log_speed", "partner_forward"]
    weights = dict(zip(names, data.feature_weights(names, balance=True), strict=True))
    third = pytest.approx(7 / 3)
    assert 4 * weights["ear_z"] == 2 * weights["turn_rate"] == weights["partner_forward"] == third
    assert data.feature_weights(names, balance=False).tolist() == [1] * 7
    assert data.feature_weights(names[:4], balance=True).tolist() == [1] * 4
