"""results/qc.parquet."""

import shutil

import numpy as np
import pandas as pd
import pytest

from vame_pipe.alignment import aligned_file
from vame_pipe.alignment.session import align_session
from vame_pipe.config.sections import Align, Qc, Session, Windows
from vame_pipe.core.layout import Layout
from vame_pipe.core.metadata import AlignedMetadata, QualityMetadata, WindowsMetadata, read_record
from vame_pipe.core.quality import read_quality
from vame_pipe.reporting import methods_recordings
from vame_pipe.reporting.quality_section import read_quality_section
from vame_pipe.reporting.quality_table import _median_speed, count_windows, write_quality_table
from vame_pipe.reporting.recordings import read_recordings
from vame_pipe.windows.build import build

SESSIONS = ["sim-1", "sim-2", "sim-3"]


@pytest.fixture
def layout(data, tmp_path):
    for name in ("aligned", "windows"):
        shutil.copytree(data / name, tmp_path / name)
    return Layout(tmp_path)


def test_every_keypoint_has_a_row_with_what_was_measured(layout):
    write_quality_table(layout, SESSIONS, Qc(), {"sim-1": 20.0}, {}, {})
    table = pd.read_parquet(layout.qc)
    found = read_quality(layout.quality("sim-1")).individuals["id_0"]
    rows = table[table["session"] == "sim-1"].set_index("keypoint")
    assert set(rows.index) == set(found.keypoints) and len(table) == 3 * len(rows)
    for name, keypoint in found.keypoints.items():
        assert rows.loc[name, list(vars(keypoint))].to_dict() == vars(keypoint)
    first = rows.iloc[0]
    assert first["n_valid"] == round(found.valid_fraction * found.n_rows)
    assert first["body_length_px"] == found.body_length_px
    # lengths in cm for the session with a scale
    assert first["body_length_cm"] == found.body_length_px / 20
    assert first["speed_cm_s"] == pytest.approx(first["speed"] * first["body_length_cm"])
    aligned = pd.read_parquet(layout.aligned("sim-1"))
    valid = aligned[aligned["run"] >= 0]
    speed = np.hypot(valid["speed_forward"], valid["speed_lateral"]).median()
    assert first["speed"] == pytest.approx(float(speed))
    others = table[table["session"] != "sim-1"]
    assert others["body_length_cm"].isna().all() and others["speed_cm_s"].isna().all()
    meta = read_record(QualityMetadata, layout.qc)
    assert meta.px_per_cm == {"sim-1": 20.0} and list(meta.aligned) == SESSIONS


def test_the_speed_is_that_in_all_dimensions():
    run = np.array([0, 0, 0, -1])
    flat = {
        "run": run,
        "speed_forward": np.array([3.0, 0, 6, 90]),
        "speed_lateral": np.full(4, 4.0),
    }
    assert _median_speed(flat) == 5.0
    assert _median_speed(flat | {"speed_vertical": np.array([12.0, 0, 0, 0])}) == np.sqrt(52)
    assert np.isnan(_median_speed({"run": run}))


def test_windows_gained_and_lost_add_up(layout):
    write_quality_table(layout, SESSIONS, Qc(), {}, {}, {})
    animals = pd.read_parquet(layout.qc).drop_duplicates("session").set_index("session")
    index = pd.read_parquet(layout.windows_folder.index)
    for session in ("sim-1", "sim-2"):
        row = animals.loc[session]
        counts = index[index["session"] == session]["split"].value_counts()
        assert (row["windows_train"], row["windows_val"]) == (counts["train"], counts["val"])
        lost = row["windows_lost_gaps"] + row["windows_lost_split"]
        assert row["windows_possible"] == lost + counts.sum()
        assert row["windows_possible"] == 900 - 21 + 1  # 15 frames to encode, 6 to predict
    assert animals.loc["sim-3", "use"] == "encode"
    assert animals.loc["sim-3", [c for c in animals if c.startswith("windows_")]].isna().all()


def test_windows_are_lost_to_gaps_and_to_the_split(layout):
    meta = read_record(AlignedMetadata, layout.aligned("sim-1"))
    windows = read_record(WindowsMetadata, layout.windows_folder.frames)
    run = np.array([0] * 30 + [-1] * 3 + [1] * 20 + [-1] + [2] * 22)
    found = count_windows(run, meta, windows, (8, 1))
    # 10 windows fit into the first run, none into the second, 2 into the third
    assert found.windows_possible == 76 - 21 + 1 and found.windows_lost_gaps == 56 - 12
    assert (found.windows_lost_split, found.windows_train, found.windows_val) == (3, 8, 1)


def test_short_recordings_have_numbers_and_no_fault(recordings, layout, tmp_path):
    """Of one frame there is no movement; two frames and more are aligned, and have windows from 21 on."""
    lengths = (1, 2, 10, 60, 149)
    lines = (recordings / "sim-2.csv").read_text().splitlines()
    for n in lengths:
        path = tmp_path / f"{n}.csv"
        path.write_text("\n".join([*lines[:3], *lines[3 + 5 * n : 3 + 6 * n]]))
        align_session(
            *(str(n), Session(poses=str(path), fps=30), Align(centre="tailbase", forward="nose")),
            *(None, layout.aligned(str(n)), layout.quality(str(n)), True),
        )
    sessions = ["sim-1", "sim-2", *map(str, lengths)]
    build(
        [layout.aligned(name) for name in sessions if name != "1"],
        Windows(length_s=0.5, future_s=0.2),
        layout.windows_folder.root,
    )
    write_quality_table(layout, sessions, Qc(), {}, {}, {})
    rows = pd.read_parquet(layout.qc).drop_duplicates("session").set_index("session")
    assert rows.loc["1", "status"] == "rejected" and "only one frame" in rows.loc["1", "reason"]
    for n in lengths[1:]:
        row = rows.loc[str(n)]
        n_lost = int(n == 60)  # a frame at its end, which cannot be interpolated
        assert row["n_frames"] == n and row["n_valid"] == n - n_lost
        short = ["no windows", "no window of 21 valid frames fits."]
        assert row[["status", "reason"]].fillna("").tolist() == (short if n < 21 else ["used", ""])
        assert row["windows_lost_gaps"] == n_lost
        assert row["minutes"] == pytest.approx(n / 1800)
        assert row["windows_possible"] == max(0, n - 20)
        assert row[["flipped_fraction", "n_flips", "n_jumps"]].eq(0).all()
        assert not row["mirrored"] and pd.isna(row["same_recording"])
        assert 0.5 < row["body_length_ratio"] < 2 and 0 <= row["body_length_spread"] < 1
        assert row["speed"] >= 0
        assert row["flags"] == "has no windows" if n < 21 else pd.isna(row["flags"])
    used = [name for name in sessions if name != "1"]
    found = read_recordings(layout, used, 0.5)
    words = methods_recordings.recordings(
        *(found, read_record(AlignedMetadata, layout.aligned("2")), [30.0]),
        read_record(WindowsMetadata, layout.windows_folder.frames),
    )
    assert "trained on 4 recordings. 2 recordings had no run of valid frames as long" in words
    section = read_quality_section(layout, found, {}, [])
    assert [row["session"] for row in section.left_out] == ["2", "10", "1"]
    assert section.n_animals == len(used) and section.odd_sizes == section.lost_animals == []
    assert all("<circle" in strip.drawing for strip in section.strips)


def test_sessions_that_are_left_out_are_listed_with_the_reason(layout):
    aligned_file.write_rejection(
        "bad", ["session bad: no frames."], layout.aligned("bad"), layout.quality("bad")
    )
    paths = [layout.aligned(name) for name in ("sim-1", "sim-2")]
    worst = min(
        read_quality(layout.quality(n)).individuals["id_0"].valid_fraction for n in SESSIONS[:2]
    )
    limit = worst + 1e-6
    build(paths, Windows(length_s=0.5, future_s=0.2), layout.windows_folder.root, limit)
    excluded = {"gone": "lost the tail"}
    groups = {"sim-1": "wild type", "bad": "b"}
    write_quality_table(layout, [*SESSIONS, "bad"], Qc(min_valid=limit), {}, excluded, groups)
    rows = pd.read_parquet(layout.qc).drop_duplicates("session").set_index("session")
    assert rows["group"].dropna().to_dict() == {"sim-1": "wild type"}
    assert rows.loc["gone", ["status", "reason"]].tolist() == ["excluded", "lost the tail"]
    assert rows.loc["bad", ["status", "reason"]].tolist() == ["rejected", "no frames."]
    (name,) = read_record(WindowsMetadata, layout.windows_folder.frames).excluded
    assert rows.loc[name, "status"] == "excluded" and "qc.min_valid" in rows.loc[name, "reason"]
    assert rows.loc[name, "flags"] == "left out of training"
    assert rows.loc[name, ["windows_train", "windows_val", "windows_lost_split"]].tolist() == [
        0,
        0,
        0,
    ]
    assert rows.loc["sim-3", "status"] == "used"
