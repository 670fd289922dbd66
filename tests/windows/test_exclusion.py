"""Recordings that are left out of training because few of their frames are valid."""

import numpy as np
import pyarrow.parquet as pq
import pytest
from aligned_files import write_aligned

from vame_pipe.config.sections import Windows
from vame_pipe.core.errors import InputError
from vame_pipe.core.layout import WindowsFolder
from vame_pipe.core.metadata import AlignedMetadata, WindowsMetadata, read_record
from vame_pipe.core.parts import Part
from vame_pipe.windows.build import build
from vame_pipe.windows.exclusion import find_excluded, valid_fractions

SETTINGS = Windows(length_s=1.0, future_s=0.5)
HALF = np.arange(600) < 300


@pytest.fixture
def aligned(tmp_path):
    pair = {"left": np.arange(600) < 100, "right": np.arange(600) < 420}
    return [
        write_aligned(tmp_path, "good", np.ones(600, bool)),
        write_aligned(tmp_path, "half", HALF, seed=1),
        write_aligned(tmp_path, "pair", pair, seed=2),
    ]


def test_a_session_is_left_out_if_no_animal_has_enough_valid_frames(aligned):
    metas = [read_record(AlignedMetadata, path) for path in aligned]
    assert valid_fractions(aligned[2], metas[2]) == pytest.approx({"left": 1 / 6, "right": 0.7})
    assert find_excluded(aligned, metas, None) == {}
    assert find_excluded(aligned, metas, 0.5) == {}
    assert find_excluded(aligned, metas, 0.6) == {
        "half": "50.0% of its frames are valid, less than qc.min_valid (0.6)"
    }
    assert find_excluded(aligned, metas, 0.75)["pair"] == (
        "70.0% of the frames of any of its animals are valid, less than qc.min_valid (0.75)"
    )


def test_frames_in_which_the_camera_did_not_run_do_not_count(tmp_path):
    parts = [Part("1.csv", 0, 300), Part("2.csv", 500, 100)]
    path = write_aligned(tmp_path, "two", HALF, parts=parts)
    meta = read_record(AlignedMetadata, path)
    assert meta.parts == parts and meta.recorded_fraction == pytest.approx(4 / 6)
    assert valid_fractions(path, meta) == {"id_0": pytest.approx(0.75)}


def test_a_session_that_is_left_out_changes_the_windows_as_if_it_were_not_there(
    aligned, tmp_path, caplog
):
    build(aligned, SETTINGS, tmp_path / "with", 0.6)
    build([aligned[0], aligned[2]], SETTINGS, tmp_path / "without")
    one, other = (WindowsFolder(tmp_path / name) for name in ("with", "without"))
    assert pq.read_table(one.frames).equals(pq.read_table(other.frames))
    assert pq.read_table(one.index).equals(pq.read_table(other.index))
    meta = read_record(WindowsMetadata, one.frames)
    assert meta.sessions == ["good", "pair"] and list(meta.excluded) == ["half"]
    assert meta.min_valid == 0.6
    assert "session half is left out of training: 50.0% of its frames are valid" in caplog.text


def test_leaving_out_every_session_is_refused(aligned, tmp_path):
    with pytest.raises(InputError, match=r"every session is left out: half: 50\.0% of its frames"):
        build([aligned[1]], SETTINGS, tmp_path / "windows", 0.9)
    assert not (tmp_path / "windows").exists()
