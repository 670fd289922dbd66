import json

import numpy as np
import pyarrow.parquet as pq
import pytest
from aligned_files import FEATURES, write_aligned

from vame_pipe.alignment import aligned_file
from vame_pipe.alignment.session import align_session
from vame_pipe.config.sections import Align, Session, Windows
from vame_pipe.core import files
from vame_pipe.core.errors import InputError
from vame_pipe.core.layout import Layout, WindowsFolder
from vame_pipe.windows import build as build_module
from vame_pipe.windows import data
from vame_pipe.windows.build import build

SETTINGS = Windows(length_s=1.0, future_s=0.5)
"""Windows of 15 frames at 10 fps."""


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Windows of four sessions: with gaps, without, too short, and of two animals with different gaps."""
    folder = tmp_path_factory.mktemp("built")
    valid = np.ones(900, bool)
    valid[[200, 201, 500]] = False
    first, second = np.ones(400, bool), np.ones(400, bool)
    first[:7] = first[150:170] = second[60] = second[390:] = False
    aligned = [
        write_aligned(folder, "a", valid),
        write_aligned(folder, "b", np.ones(400), seed=1),
        write_aligned(folder, "short", np.arange(40) < 10, seed=2),
        write_aligned(folder, "pair", {"left": first, "right": second}, seed=3),
    ]
    out = folder / "windows"
    build(aligned, SETTINGS, out)
    return aligned, out


@pytest.fixture(scope="module")
def tables(built):
    """The frames and the index of `built`."""
    _, out = built
    windows = WindowsFolder(out)
    return [pq.read_table(path).to_pandas() for path in (windows.frames, windows.index)]


def test_every_valid_row_occurs_once_in_order(built, tables):
    aligned, out = built
    frames, _ = tables
    expected = [pq.read_table(path).to_pandas().query("run >= 0") for path in aligned]
    for column in ("session", "individual", "row", "frame", "time_s", "run", *FEATURES):
        assert frames[column].tolist() == [v for table in expected for v in table[column]]
    assert not frames.isna().any().any()
    assert not frames.duplicated(["session", "individual", "row"]).any()
    groups = pq.read_metadata(WindowsFolder(out).frames)
    n_rows = [groups.row_group(i).num_rows for i in range(groups.num_row_groups)]
    assert n_rows == [897, 400, 10, 400 - 27 + 400 - 11]


def test_no_window_crosses_a_gap_a_session_an_animal_or_a_split(tables):
    frames, index = tables
    animals = index[["session", "individual"]].drop_duplicates().values.tolist()
    assert animals == [["a", "id_0"], ["b", "id_0"], ["pair", "left"], ["pair", "right"]]
    seen = {"train": set(), "val": set()}
    for row in index.itertuples():
        part = frames.iloc[row.offset : row.offset + 15]
        assert part["session"].nunique() == 1 and part["session"].iloc[0] == row.session
        assert part["individual"].nunique() == 1 and part["individual"].iloc[0] == row.individual
        assert part["row"].tolist() == list(range(row.start, row.start + 15))
        assert part["frame"].tolist() == list(range(row.start + 100, row.start + 115))
        assert part["run"].nunique() == 1
        seen[row.split] |= {(row.session, f) for f in part["frame"]}
    # of a session, and not only of an animal
    assert not seen["train"] & seen["val"]
    assert (index["split"] == "val").sum() > 20
    assert index["offset"].is_unique


def test_both_animals_of_a_session_have_validation_windows_at_the_same_times(tables):
    _, index = tables
    pair = index[(index["session"] == "pair") & (index["split"] == "val")]
    left, right = (pair[pair["individual"] == name]["start"] for name in ("left", "right"))
    assert len(left) > 0 and len(right) > 0
    assert set(left) & set(right)


def test_the_normaliser_is_of_the_training_frames(built):
    _, out = built
    loaded = data.load(out)
    rows = sorted({r + i for r in loaded.train for i in range(15)})
    raw = pq.read_table(WindowsFolder(out).frames, columns=FEATURES).to_pandas().to_numpy()[rows]
    np.testing.assert_allclose(loaded.mean, raw.mean(axis=0, dtype=float), rtol=1e-6)
    weights = data.feature_weights(FEATURES, balance=True)
    std = raw.std(axis=0, dtype=float) / np.sqrt(weights)
    np.testing.assert_allclose(loaded.std, std, rtol=1e-6)
    written = files.read_metadata(WindowsFolder(out).index)
    assert written["features"] == FEATURES
    np.testing.assert_allclose(written["mean"], loaded.mean)
    np.testing.assert_array_equal(loaded.frames[rows], (raw - loaded.mean) / loaded.std)
    np.testing.assert_allclose(loaded.frames[rows].mean(axis=0), 0, atol=1e-4)
    np.testing.assert_allclose(loaded.frames[rows].std(axis=0), np.sqrt(weights), atol=1e-4)


def test_sessions_with_the_same_movement_are_written_as_one_recording(built):
    """nose_x is the number of the frame in all of them; the two animals count as one session."""
    _, out = built
    faults = json.loads(WindowsFolder(out).session_faults.read_text())
    assert faults == {"mirrored": [], "same_recording": [["a", "b", "pair"]]}


def test_sessions_too_short_for_a_block_are_used_for_one_split_as_a_whole(tmp_path):
    both = {"one": np.ones(30), "two": np.ones(30)}
    aligned = [
        write_aligned(tmp_path, f"s{i}", both if i % 2 else np.ones(30), seed=i) for i in range(12)
    ]
    build(aligned, SETTINGS, tmp_path / "w")
    index = pq.read_table(WindowsFolder(tmp_path / "w").index).to_pandas()
    assert (index.groupby("session", observed=True)["split"].nunique() == 1).all()
    assert set(index["split"]) == {"train", "val"}
    assert index.groupby(["session", "individual"], observed=True).size().eq(16).all()


def test_animals_with_short_runs_share_a_session_that_is_long_enough_to_split(tmp_path):
    """Runs of 40 rows are too short for a block of 15, but together they cover 70 rows."""
    row = np.arange(70)
    animals = {"one": row < 40, "two": row >= 30}
    aligned = [write_aligned(tmp_path, f"s{i}", animals, seed=i) for i in range(3)]
    build(aligned, SETTINGS, tmp_path / "w")
    index = pq.read_table(WindowsFolder(tmp_path / "w").index).to_pandas()
    counts = index.groupby("session", observed=True)["split"].value_counts().unstack()
    assert counts["val"].tolist() == [1, 1, 1]
    # the block and its guard frames take 29 of the 40 rows of one animal, and none of the other
    assert counts["train"].tolist() == [26, 26, 26]


def test_a_session_without_windows_is_reported_and_skipped(tmp_path, caplog):
    aligned = [
        write_aligned(tmp_path, "long", np.ones(900)),
        write_aligned(tmp_path, "tiny", {"one": np.ones(14), "two": np.ones(9)}),
    ]
    build(aligned, SETTINGS, tmp_path / "w")
    assert "session tiny has no windows and is not used: its longest run has 14" in caplog.text
    index = pq.read_table(WindowsFolder(tmp_path / "w").index, columns=["session"])
    assert set(index["session"].to_pylist()) == {"long"}


def test_adding_a_session_does_not_change_the_split_of_the_others(built, tables, tmp_path):
    aligned, _ = built
    _, index = tables
    for path in (aligned[0], aligned[3]):
        build([path], SETTINGS, tmp_path / path.stem)
        alone = pq.read_table(WindowsFolder(tmp_path / path.stem).index).to_pandas()
        together = index[index["session"] == path.stem]
        columns = ["individual", "start", "split"]
        assert alone[columns].values.tolist() == together[columns].values.tolist()


@pytest.mark.parametrize(
    ("lengths", "match"),
    [
        ([14, 10], "no window in any of the 2 sessions: a window takes 15 frames .1.50 s"),
        ([14], "no window in the only session: a window takes 15 frames"),
        ([30], "no validation window: .* needs 44"),
    ],
)
def test_no_window_is_an_error_with_what_to_change(tmp_path, lengths, match):
    aligned = [write_aligned(tmp_path, f"s{n}", np.ones(n)) for n in lengths]
    with pytest.raises(InputError, match=match) as error:
        build(aligned, SETTINGS, tmp_path / "w")
    assert "horten the window" in str(error.value)
    assert not (tmp_path / "w").exists()


@pytest.mark.parametrize(
    ("features", "message"),
    [
        (
            ["nose_x", "still"],
            "still is constant in the training frames, so nothing can be learned",
        ),
        (
            ["still_x", "still_y"],
            "still_x, still_y are constant .* from them. Remove the keypoints",
        ),
    ],
)
def test_features_that_are_constant_are_named(tmp_path, features, message):
    path = write_aligned(tmp_path, "s", np.ones(300), features=features)
    table = pq.read_table(path)
    for name in features:
        if name.startswith("still"):
            at = table.column_names.index(name)
            constant = np.full(len(table), 2.5, np.float32)
            table = table.set_column(at, table.schema.field(name), [constant])
    files.write_tables(path, [table], table.schema, files.read_metadata(path))
    with pytest.raises(InputError, match=message):
        build([path], SETTINGS, tmp_path / "w")


def test_sessions_that_do_not_fit_together_are_named(tmp_path):
    one = write_aligned(tmp_path, "one", np.ones(200))
    other = write_aligned(tmp_path, "other", np.ones(200), fps=20, features=["nose_x", "ear_x"])
    with pytest.raises(InputError) as error:
        build([one, other], Windows(), tmp_path / "w")
    features, fps = error.value.problems
    assert "session other" in features and "ear_x" in features and "speed" in features
    assert "20 fps" in fps and "align.fps" in fps
    solid = write_aligned(tmp_path, "solid", np.ones(200), features=["nose_x", "nose_z", "speed"])
    with pytest.raises(InputError, match="session solid: is 3D, but session one is 2D, and models"):
        build([one, solid], Windows(), tmp_path / "w")


def test_sessions_that_were_aligned_differently_or_rejected_are_named(tmp_path):
    one = write_aligned(tmp_path, "one", np.ones(200))
    other = write_aligned(tmp_path, "other", np.ones(200), settings={"smooth_s": 0.5})
    with pytest.raises(
        InputError, match="session other: was aligned with different settings than session one"
    ):
        build([one, other], Windows(), tmp_path / "w")
    layout = Layout(tmp_path)
    for name in ("no", "neither"):
        paths = layout.aligned(name), layout.quality(name)
        aligned_file.write_rejection(name, [f"session {name}: nothing in it"], *paths)
    rejected = [layout.aligned(name) for name in ("no", "neither")]
    with pytest.raises(InputError) as error:
        build([one, *rejected], Windows(), tmp_path / "w")
    assert error.value.problems == ["session no: nothing in it", "session neither: nothing in it"]
    good = write_aligned(layout.aligned_folder, "good", np.ones(200))
    aligned_file.drop_rejections(layout)
    assert good.exists() and not any(path.exists() for path in rejected)


def test_windows_take_little_more_room_than_the_aligned_recordings(recordings, tmp_path):
    """The total stays within 1.2 x the aligned files, also for recordings with many gaps."""
    settings = Align(centre="tailbase", forward="nose", max_gap_s=0.0)
    aligned = [tmp_path / f"s{i}.parquet" for i in (1, 2, 3)]
    for i, path in enumerate(aligned, start=1):
        source = Session(poses=str(recordings / f"sim-{i}.csv"), fps=30)
        align_session(path.stem, source, settings, None, path, path.with_suffix(".qc.json"))
    out = tmp_path / "w"
    build(aligned, Windows(length_s=0.5, future_s=0), out)
    written = [WindowsFolder(out).frames, WindowsFolder(out).index]
    size = sum(path.stat().st_size for path in written)
    assert size <= 1.2 * sum(path.stat().st_size for path in aligned)


def test_the_valid_rows_of_a_session_are_read_once(tmp_path, monkeypatch):
    aligned = [write_aligned(tmp_path, name, np.ones(200)) for name in "ab"]
    read = []

    def counted(path):
        read.append(path)
        return data.read_valid_rows(path)

    monkeypatch.setattr(build_module, "read_valid_rows", counted)
    build(aligned, SETTINGS, tmp_path / "w")
    assert read == aligned


def test_sessions_are_named_by_their_metadata_not_by_their_file(tmp_path, caplog):
    one = write_aligned(tmp_path, "one", np.ones(200))
    tiny = write_aligned(tmp_path, "tiny", np.ones(14)).rename(tmp_path / "moved.parquet")
    build([one, tiny], SETTINGS, tmp_path / "w")
    assert "session tiny has no windows" in caplog.text
