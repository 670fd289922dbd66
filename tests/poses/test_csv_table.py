"""CSV files as programs and spreadsheets write them; each kind is made from one small table."""

import csv
import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pose_files import read_keypoints

from vame_pipe.core.errors import InputError
from vame_pipe.poses.csv_table import CHUNK
from vame_pipe.poses.readers import read_poses

ROWS = [
    ["scorer", *["net"] * 6],
    ["bodyparts", "nöse", "nöse", "nöse", "tail", "tail", "tail"],
    ["coords", *["x", "y", "likelihood"] * 2],
    ["0", "317.703", "298.105", "0.997", "1.5", "2", "1.0"],
    ["1", "318.196", "", "", "1.25", "1000.5", "0.25"],
    ["2", "-3.5", "297.1", "0.5", "1.75", "4", "0.75"],
]
POSITION = np.array(
    [
        [[317.703, 298.105], [1.5, 2]],
        [[np.nan, np.nan], [1.25, 1000.5]],
        [[-3.5, 297.1], [1.75, 4]],
    ]
)


def written(rows, separator=",", end="\n", quoting=csv.QUOTE_MINIMAL):
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=separator, lineterminator=end, quoting=quoting).writerows(rows)
    return text.getvalue()


def read(tmp_path, text, encoding="utf-8"):
    path = tmp_path / "f.csv"
    path.write_bytes(text.encode(encoding) if isinstance(text, str) else text)
    (poses,) = read_poses(path, 30).values()
    return poses


def refuse(tmp_path, text, match):
    with pytest.raises(InputError, match=match) as error:
        read(tmp_path, text)
    (line,) = error.value.problems
    assert "f.csv" in line and line.isprintable() and len(line) < 500


def with_decimal_comma(rows):
    return [*rows[:3], *([cell.replace(".", ",") for cell in row] for row in rows[3:])]


SAVED = {
    "crlf": written(ROWS, end="\r\n"),
    "cr": written(ROWS, end="\r"),
    "no line end": written(ROWS).rstrip(),
    "quotes": written(ROWS, quoting=csv.QUOTE_ALL),
    "semicolon": written(ROWS, ";"),
    "tab": written(ROWS, "\t"),
    "semicolon, decimal comma": written(with_decimal_comma(ROWS), ";"),
    "tab, decimal comma": written(with_decimal_comma(ROWS), "\t", "\r\n"),
    "decimal comma in quotes": written(with_decimal_comma(ROWS), ";", quoting=csv.QUOTE_ALL),
    "empty columns": written([[*row, "", ""] for row in ROWS]),
    "empty columns in some rows": written([[*row, *[""] * (i % 3)] for i, row in enumerate(ROWS)]),
    "empty rows": written([*ROWS, [""] * 7, [""] * 7]) + "\n\n",
    "empty line below the header": written([*ROWS[:3], [], *ROWS[3:]]),
    "blank scorers": written([["scorer", *[""] * 6], *ROWS[1:]]),
    "no scorers": written([["scorer"], *ROWS[1:]]),
    "scorer once": written([["scorer", "net", *[""] * 5], *ROWS[1:]]),
    "bodyparts once": written([ROWS[0], ["bodyparts", "nöse", "", "", "tail"], *ROWS[2:]]),
    "spaces": written([[f" {cell} " for cell in row] for row in ROWS]),
}


@pytest.mark.parametrize("kind", SAVED)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_every_way_to_save_results_in_the_same_poses(tmp_path, kind, encoding):
    poses = read(tmp_path, SAVED[kind], encoding)
    assert poses.keypoints == ("nöse", "tail") and not poses.faults
    np.testing.assert_array_equal(poses.position, POSITION)
    np.testing.assert_array_equal(poses.confidence, [[0.997, 1], [0, 0.25], [0.5, 0.75]])
    assert read_keypoints(tmp_path / "f.csv") == ["nöse", "tail"]


def test_utf16_can_have_either_byte_order(tmp_path):
    for encoding, mark in (("utf-16-le", b"\xff\xfe"), ("utf-16-be", b"\xfe\xff")):
        poses = read(tmp_path, mark + SAVED["tab"].encode(encoding))
        np.testing.assert_array_equal(poses.position, POSITION)


def test_rows_of_images_can_have_their_folders_in_separate_columns(tmp_path):
    rows = [[row[0], "", "", *row[1:]] for row in ROWS[:3]]
    rows += [["labeled-data", "v", f"{row[0]}.png", *row[1:]] for row in ROWS[3:]]
    np.testing.assert_array_equal(read(tmp_path, written(rows)).position, POSITION)


TEXT = written(ROWS).encode()
REFUSED = [
    (TEXT.replace(b"318", b"3\xe48"), r"line 5 has byte 0xe4 at character 4, .* not UTF-8"),
    (TEXT.replace("ö".encode(), b"\xf6"), r"line 2 has byte 0xf6 at character 12"),
    (TEXT.replace(b"318", b"3\x008"), "line 5 has a NUL byte at character 4"),
    (written(ROWS).encode("utf-16-le"), "line 1 has a NUL byte at character 2"),
    (written(ROWS).encode("utf-16")[:-3], "not UTF-16"),
    (TEXT[:-12], "its last line has 5 cells, its header 7: the file is truncated"),
    (TEXT.replace(b"1.25,", b""), "line 5 has 6 cells"),
    (TEXT.replace(b"1.25", b"1,25"), "line 5 has 8 cells, its header 7: .* commas in its numbers"),
    # one cell too few and one too many
    (TEXT.replace(b"1.25,", b"").replace(b"1.75", b"1,75"), "line 5 has 6 cells"),
    (TEXT.replace(b"298", b'"298'), "line 4 has 3 cells"),
    (written([*ROWS[:3], *([*row, "5"] for row in ROWS[3:])]), "column 8 has values"),
    (written([[*row, ""] for row in ROWS]).replace("1.0,", "1.0,7"), "header names no keypoint"),
    (
        written([*ROWS[:2], ROWS[2][:-1], *ROWS[3:]]),
        "bodyparts row has 7 cells and its coords row 6",
    ),
    (written([[r.replace(".", "") for r in row] for row in ROWS]), "decimal points are lost"),
    ("<!DOCTYPE html>\n<html></html>\n", "web page"),
    ("frame,x,y\n0,1,2\n", "expected three header rows: scorer, bodyparts, coords"),
    ("scorer\nbodyparts\ncoords\n0\n1\n", "names no keypoints"),
]


@pytest.mark.parametrize(("text", "match"), REFUSED)
def test_a_damaged_file_is_refused_with_the_actual_reason(tmp_path, text, match):
    refuse(tmp_path, text, match)


def test_a_quotation_mark_that_is_never_closed_is_named(tmp_path):
    """In the last cell of a row: all rows then have as many cells as the header."""
    text = written(ROWS)
    assert text.endswith("0.75\n")
    with pytest.raises(InputError, match=r"f\.csv: cannot be read \(EOF inside string"):
        read(tmp_path, text.removesuffix("0.75\n") + '"0.75\n3,1,2,1,1,2,1\n')


def test_bad_bytes_far_below_the_header_are_located(tmp_path):
    row = b"0,1.5,2.5,0.5,1.5,2.5,0.5\n"
    n = CHUNK // len(row) + 10
    rows = b"".join(str(i).encode() + row[1:] for i in range(n))
    refuse(tmp_path, TEXT[: TEXT.index(b"0,317")] + rows + b"\xe4\n", f"line {n + 4} has byte 0xe4")


def test_integers_are_not_mistaken_for_lost_decimal_points(tmp_path):
    poses = read(tmp_path, written([*ROWS[:3], ["0", *"123456"], ["1", *"654321"]]))
    np.testing.assert_array_equal(poses.confidence, [[3, 6], [4, 1]])


@given(
    st.lists(
        st.lists(st.one_of(st.none(), st.floats(-1e6, 1e6)), min_size=4, max_size=4),
        min_size=2,
        max_size=20,
    ),
    st.sampled_from([",", ";", "\t"]),
    st.sampled_from(["\n", "\r\n", "\r"]),
    st.booleans(),
)
def test_numbers_are_read_exactly_as_written(tmp_path_factory, values, separator, end, comma):
    rows = [["scorer", *"ssss"], ["bodyparts", *"aabb"], ["coords", *"xyxy"]]
    rows += [[i, *("" if v is None else repr(v) for v in row)] for i, row in enumerate(values)]
    rows = [[str(cell) for cell in row] for row in rows]
    if comma and separator != ",":
        rows = with_decimal_comma(rows)
    expected = np.array(values, float).reshape(-1, 2, 2)
    expected[np.isnan(expected).any(axis=2)] = np.nan
    if np.isnan(expected).all():
        return
    path = tmp_path_factory.getbasetemp() / "survive.csv"
    path.write_bytes(written(rows, separator, end).encode())
    (poses,) = read_poses(path, 30).values()
    np.testing.assert_allclose(poses.position, expected, rtol=1e-12)
