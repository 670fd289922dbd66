import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from vame_pipe.alignment import session
from vame_pipe.cli import main
from vame_pipe.config.sections import Windows
from vame_pipe.core import files
from vame_pipe.core.errors import InputError
from vame_pipe.windows import build

FEATURES = ["nose_x", "speed"]


def write_aligned(folder, session, valid, fps=10.0, seed=0, features=FEATURES):
    """An aligned file whose features say their own frame, so that a window shows where it came from."""
    valid = np.asarray(valid, bool)
    frame = np.arange(len(valid)) + 100
    rng = np.random.default_rng(seed)
    values = np.stack([frame, rng.normal(5, 3, len(frame))], axis=1).astype(np.float32)
    values[~valid] = np.nan
    starts = np.flatnonzero(np.diff(np.concatenate([[0], valid, [0]])) == 1)
    ends = np.flatnonzero(np.diff(np.concatenate([[0], valid, [0]])) == -1)
    columns = files.index_columns(session, "id_0", frame, frame / fps)
    columns += [pa.array(valid), *(pa.array(c) for c in values.T)]
    fields = [*files.INDEX_FIELDS, pa.field("valid", pa.bool_())]
    schema = pa.schema([*fields, *(pa.field(n, pa.float32()) for n in features)])
    meta = files.metadata(
        settings={"scale": True},
        body_length_px=50.0,
        flipped_fraction=0.0,
        features=features,
        fps=fps,
        keypoints=["nose"],
        fingerprint=f"{session}{seed}",
        longest_run=int((ends - starts).max(initial=0)),
    )
    path = folder / f"{session}.parquet"
    files.write_tables(path, [pa.Table.from_arrays(columns, schema=schema)], schema, meta)
    return path


run_lengths = st.lists(st.integers(1, 120), min_size=1, max_size=6)


@given(
    lengths=run_lengths,
    window=st.integers(2, 12),
    fraction=st.floats(0.05, 0.5),
    seed=st.integers(0, 99),
)
@settings(deadline=None)
def test_windows_against_brute_force(lengths, window, fraction, seed):
    lengths = np.array(lengths)
    run = np.repeat(np.arange(len(lengths)), lengths)
    split = build.split_frames(lengths, window, fraction, np.random.default_rng(seed))
    for value in (0, 1):
        expected = [
            i
            for i in range(len(run) - window + 1)
            if len(set(run[i : i + window])) == 1 and set(split[i : i + window]) == {value}
        ]
        assert build.window_starts(split, run, window, value).tolist() == expected


@given(
    lengths=run_lengths,
    window=st.integers(2, 12),
    fraction=st.floats(0.05, 0.5),
    seed=st.integers(0, 99),
)
@settings(deadline=None)
def test_guards_lie_between_the_splits(lengths, window, fraction, seed):
    lengths = np.array(lengths)
    assume(lengths.max() >= 3 * window - 1)
    run = np.repeat(np.arange(len(lengths)), lengths)
    split = build.split_frames(lengths, window, fraction, np.random.default_rng(seed))
    train, test = np.flatnonzero(split == 0), np.flatnonzero(split == 1)
    assert len(test) >= window
    assert len(build.window_starts(split, run, window, 1)) > 0
    assert len(build.window_starts(split, run, window, 0)) > 0
    for frame in test:
        near = train[(run[train] == run[frame]) & (abs(train - frame) < window)]
        assert len(near) == 0


def test_test_blocks_come_to_the_fraction_asked_for():
    lengths = np.array([20_000])
    for seed in range(20):
        split = build.split_frames(lengths, 45, 0.1, np.random.default_rng(seed))
        assert (split == 1).mean() == pytest.approx(0.1, abs=0.01)


@pytest.mark.parametrize(("n_frames", "kept"), [(134, 1), (150, 17), (300, 167)])
def test_a_short_session_keeps_the_training_windows_that_guards_leave(n_frames, kept):
    """One block at an end: it costs its own frames and one guard, of 45 and of 44."""
    for seed in range(50):
        split = build.split_frames(np.array([n_frames]), 45, 0.1, np.random.default_rng(seed))
        run = np.zeros(n_frames, int)
        assert len(build.window_starts(split, run, 45, 0)) == kept
        assert len(build.window_starts(split, run, 45, 1)) == 1


def test_sessions_too_short_for_a_block_are_held_out_as_a_whole(tmp_path):
    """About a tenth of them, the same ones when others are added, never none and never all."""
    names = [f"s{i}" for i in range(200)]
    drawn = build.draw_sessions(names, 0.1, 0, has_train=False, has_test=False)
    assert 8 <= len(drawn) <= 35
    more = build.draw_sessions([*names, "t"], 0.1, 0, has_train=False, has_test=False)
    assert set(more) - {"t"} == set(drawn)
    assert len(build.draw_sessions(["a", "b"], 0.0001, 0, False, False)) == 1
    assert len(build.draw_sessions(["a", "b"], 0.9999, 0, False, False)) == 1
    assert build.draw_sessions(["a", "b"], 0.0001, 0, True, True) == []
    assert build.draw_sessions(["a"], 0.9999, 0, False, True) == []
    aligned = [write_aligned(tmp_path, f"s{i}", np.ones(30), seed=i) for i in range(12)]
    build.build(aligned, Windows(length_s=1.0, future_s=0.5), tmp_path / "w")
    index = pq.read_table(tmp_path / "w/windows.parquet").to_pandas()
    assert (index.groupby("session", observed=True)["split"].nunique() == 1).all()
    assert set(index["split"]) == {"train", "test"}
    assert index.groupby("session", observed=True).size().eq(16).all()


@pytest.fixture
def built(tmp_path):
    valid = np.ones(900, bool)
    valid[[200, 201, 500]] = False
    aligned = [
        write_aligned(tmp_path, "a", valid),
        write_aligned(tmp_path, "b", np.ones(400), seed=1),
        write_aligned(tmp_path, "short", np.arange(40) < 10, seed=2),
    ]
    out = tmp_path / "windows"
    build.build(aligned, Windows(length_s=1.0, future_s=0.5), out)
    return aligned, out


def test_every_valid_frame_is_there_once_in_order(built):
    aligned, out = built
    frames = pq.read_table(out / "frames.parquet").to_pandas()
    expected = [pq.read_table(p).to_pandas().query("valid") for p in aligned]
    for column in ("session", "frame", "nose_x", "speed"):
        assert frames[column].tolist() == [v for table in expected for v in table[column]]
    assert not frames.isna().any().any()
    groups = pq.read_metadata(out / "frames.parquet")
    assert [groups.row_group(i).num_rows for i in range(groups.num_row_groups)] == [897, 400, 10]


def test_no_window_crosses_a_gap_a_session_or_a_split(built):
    _, out = built
    frames = pq.read_table(out / "frames.parquet").to_pandas()
    index = pq.read_table(out / "windows.parquet").to_pandas()
    assert set(index["session"]) == {"a", "b"}
    seen = {"train": set(), "test": set()}
    for row in index.itertuples():
        part = frames.iloc[row.row : row.row + 15]
        assert part["session"].nunique() == 1 and part["session"].iloc[0] == row.session
        assert part["frame"].tolist() == list(range(row.start, row.start + 15))
        seen[row.split] |= {(row.session, f) for f in part["frame"]}
    assert not seen["train"] & seen["test"]
    assert (index["split"] == "test").sum() > 20


def test_normaliser_is_of_the_training_frames(built):
    _, out = built
    data = build.load(out)
    rows = sorted({r + i for r in data.train for i in range(15)})
    raw = pq.read_table(out / "frames.parquet", columns=FEATURES).to_pandas().to_numpy()[rows]
    np.testing.assert_allclose(data.mean, raw.mean(axis=0, dtype=float), rtol=1e-6)
    np.testing.assert_allclose(data.std, raw.std(axis=0, dtype=float), rtol=1e-6)
    # nose_x is the number of the frame: the same in both
    quality = json.loads((out / "quality.json").read_text())
    assert quality == {"mirrored": [], "same_recording": [["a", "b"]]}
    written = json.loads((out / "normaliser.json").read_text())
    assert written["features"] == FEATURES
    np.testing.assert_allclose(written["mean"], data.mean)
    np.testing.assert_array_equal(data.frames[rows], (raw - data.mean) / data.std)
    np.testing.assert_allclose(data.frames[rows].mean(axis=0), 0, atol=1e-4)
    np.testing.assert_allclose(data.frames[rows].std(axis=0), 1, atol=1e-4)


def test_gathered_windows_are_the_frames_they_name(built):
    _, out = built
    data = build.load(out)
    frames = torch.from_numpy(data.frames)
    gathered = build.gather(frames, torch.from_numpy(data.test), 15)
    for start, window in zip(data.test, gathered, strict=True):
        torch.testing.assert_close(window, frames[start : start + 15], rtol=0, atol=0)


def test_a_session_without_windows_is_reported_and_skipped(tmp_path, caplog):
    aligned = [
        write_aligned(tmp_path, "long", np.ones(900)),
        write_aligned(tmp_path, "tiny", np.ones(14)),
    ]
    build.build(aligned, Windows(length_s=1.0, future_s=0.5), tmp_path / "w")
    assert "session tiny has no window: its longest run of valid frames is 14" in caplog.text


def test_adding_a_session_leaves_the_split_of_the_others(built, tmp_path):
    aligned, out = built
    build.build(aligned[:1], Windows(length_s=1.0, future_s=0.5), tmp_path / "alone")
    one, all_ = (
        pq.read_table(folder / "windows.parquet").to_pandas().query("session == 'a'")
        for folder in (tmp_path / "alone", out)
    )
    assert one[["start", "split"]].values.tolist() == all_[["start", "split"]].values.tolist()


@pytest.mark.parametrize(
    ("lengths", "match"),
    [
        ([14, 10], "no window in any of 2 session.s.: a window takes 15 frames .1.50 s"),
        ([30], "no test window: .* needs 44"),
    ],
)
def test_no_window_is_an_error_that_says_what_to_change(tmp_path, lengths, match):
    aligned = [write_aligned(tmp_path, f"s{n}", np.ones(n)) for n in lengths]
    with pytest.raises(InputError, match=match) as error:
        build.build(aligned, Windows(length_s=1.0, future_s=0.5), tmp_path / "w")
    assert "horten the window" in str(error.value)
    assert not (tmp_path / "w").exists()


def test_sessions_that_do_not_fit_together_are_named(tmp_path):
    one = write_aligned(tmp_path, "one", np.ones(200))
    other = write_aligned(tmp_path, "other", np.ones(200), fps=20, features=["nose_x", "ear_x"])
    with pytest.raises(InputError) as error:
        build.build([one, other], Windows(), tmp_path / "w")
    features, fps = error.value.problems
    assert "session other" in features and "ear_x" in features and "speed" in features
    assert "20 fps" in fps and "align.fps" in fps


def test_sessions_that_were_aligned_differently_or_not_at_all_are_named(tmp_path):
    one = write_aligned(tmp_path, "one", np.ones(200))
    other = write_aligned(tmp_path, "other", np.ones(200))
    meta = files.read_metadata(other)
    table = pq.read_table(other)
    meta["settings"] = {"smooth": 0.5}
    files.write_tables(other, [table], table.schema, meta)
    with pytest.raises(InputError, match="session other: was aligned with other settings than one"):
        build.build([one, other], Windows(), tmp_path / "w")
    for name in ("no", "neither"):
        paths = tmp_path / f"{name}.parquet", tmp_path / f"{name}.qc.json"
        session.write_refusal(name, [f"session {name}: nothing in it"], *paths)
    refused = [tmp_path / f"{name}.parquet" for name in ("no", "neither")]
    with pytest.raises(InputError) as error:
        build.build([one, *refused], Windows(), tmp_path / "w")
    assert error.value.problems == ["session no: nothing in it", "session neither: nothing in it"]
    session.drop_refusals(tmp_path)
    assert one.exists() and not any(path.exists() for path in refused)


def test_windows_take_little_more_room_than_the_aligned_recordings(recordings, tmp_path):
    """The total stays within 1.2 x the aligned files, also for recordings with many gaps."""
    settings = json.dumps({"centre": "tailbase", "forward": "nose", "max_gap_s": 0.0})
    for i in (1, 2, 3):
        target = tmp_path / f"aligned/s{i}.parquet"
        poses = recordings / f"sim-{i}.csv"
        arguments = ["align", "--poses", str(poses), f"--session=s{i}", "--fps", "30"]
        arguments += ["--settings", settings, "--out", str(target), "--qc", f"{target}.json"]
        assert main.main(arguments) == 0
    aligned = sorted((tmp_path / "aligned").glob("*.parquet"))
    build.build(aligned, Windows(length_s=0.5, future_s=0), tmp_path / "w")
    size = sum((tmp_path / "w" / name).stat().st_size for name in (build.FRAMES, build.INDEX))
    assert size <= 1.2 * sum(path.stat().st_size for path in aligned)
