"""The row labels of a pose file become frame numbers."""

import logging

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_conversion import HEADER, PLAIN, read, refuse


def test_frames_without_a_row_are_missing(tmp_path):
    poses = read(tmp_path, HEADER + "5,1,2,1,3,4,1\n7,5,6,1,7,8,1\n")
    assert poses.first_frame == 5
    assert poses.position.shape == (3, 2, 2)
    assert np.isnan(poses.position[1]).all()


@given(st.integers(0, 10**6), st.integers(1, 10), st.integers(2, 30))
def test_a_row_every_nth_frame_leaves_gaps(tmp_path_factory, first, step, n_rows):
    frames = first + step * np.arange(n_rows)
    rows = "".join(f"{f},{i},1.5\n" for i, f in enumerate(frames))
    poses = read(tmp_path_factory.getbasetemp(), PLAIN + rows, "nth.csv")
    assert poses.first_frame == first
    assert len(poses.position) == step * (n_rows - 1) + 1
    np.testing.assert_array_equal(poses.position[::step, 0, 0], np.arange(n_rows))
    assert np.isfinite(poses.position[:, 0, 0]).sum() == n_rows


def test_one_warning_names_the_step_even_if_the_last_row_is_the_end_of_the_video(tmp_path, caplog):
    poses = read(tmp_path, PLAIN + "0,1,2\n5,1,2\n10,1,2\n13,1,2\n")
    assert len(poses.position) == 14
    (record,) = [r for r in caplog.records if r.levelno == logging.WARNING and "every" in r.message]
    expected = "one row every 5 frames; the 10 frames without a row are treated as missing"
    assert expected in record.message


@pytest.mark.parametrize(
    ("last", "message"),
    [
        (3, "1 frame has no row and is treated as missing"),
        (4, "2 frames have no row and are treated as missing"),
    ],
)
def test_frames_without_a_row_are_counted_in_a_warning(tmp_path, caplog, last, message):
    read(tmp_path, PLAIN + f"0,1,2\n1,1,2\n{last},1,2\n")
    assert message in caplog.text


@pytest.mark.parametrize(
    ("rows", "match"),
    [
        ("0,1,2\n2,1,2\n1,1,2\n", r"after 2 comes 1 \(row 3 of 3\)"),
        ("-1,1,2\n0,1,2\n", "it begins with -1"),
        ("0,1,2\nx,1,2\n", "after '0' comes 'x'"),
        ("0.5,1,2\n1.5,1,2\n", "it begins with 0.5"),
        ("0,1,2\n3,1,2\n7,1,2\n10,1,2\n", "looks like a clock .* in steps of 3, 4, 3"),
        ("0,1,2\n40,1,2\n80,1,2\n", "3 rows for frames 0 to 80, one every 40 frames: too"),
    ],
)
def test_labels_that_are_not_frame_numbers_are_refused(tmp_path, rows, match):
    refuse(tmp_path, PLAIN + rows, match)
