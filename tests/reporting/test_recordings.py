import json
import shutil
from dataclasses import replace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from vame_pipe.core.errors import InputError
from vame_pipe.core.layout import Layout
from vame_pipe.core.quality import KeypointQuality, TrackingQuality
from vame_pipe.reporting.recordings import Recording, quality_flags, read_recordings

NOSE = KeypointQuality(
    placeholders=0.0,
    below_confidence=0.03,
    outliers=0.0,
    interpolated=0.01,
    missing=0.02,
    exact_zeros=0.0,
    threshold=0.6,
)
TRACKED = TrackingQuality(
    n_frames=900,
    n_rows=900,
    valid_fraction=0.95,
    flipped_fraction=0.0,
    n_flips=0,
    n_flips_repaired=0,
    n_jumps=0,
    body_length_px=50.0,
    body_length_spread=0.4,
    floor=None,
    keypoints={"nose": NOSE},
)
FINE = Recording(
    session="m1",
    individual="id_0",
    label="m1",
    use="train",
    minutes=0.5,
    n_windows=10,
    quality=TRACKED,
    mirrored=False,
    copies=(),
)


@pytest.fixture
def layout(data, tmp_path):
    """Three aligned sessions, of which two are used for training."""
    for name in ("aligned", "windows"):
        shutil.copytree(data / name, tmp_path / name)
    return Layout(tmp_path)


def change_quality(layout, session, change):
    path = layout.quality(session)
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


@pytest.mark.parametrize(
    ("change", "flags"),
    [
        ({}, []),
        ({"n_windows": 0}, ["has no windows"]),
        ({"n_windows": 0, "excluded": "10% of its frames are valid"}, ["left out of training"]),
        ({"n_windows": 0, "use": "encode"}, []),
        ({"quality": replace(TRACKED, valid_fraction=0.62)}, ["38% of frames not valid"]),
        (
            {"quality": replace(TRACKED, valid_fraction=0.5, partner_missing=0.48)},
            ["50% of frames not valid, 48% only because its partner is not tracked in them"],
        ),
        (
            {"length_ratio": 2.5},
            ["body length 2.5 x the median of all sessions"],
        ),
        (
            {"length_ratio": 0.4},
            ["body length 0.4 x the median of all sessions"],
        ),
        (
            {"quality": replace(TRACKED, flipped_fraction=0.219)},
            ["head and tail seem swapped in 21.9%"],
        ),
        ({"mirrored": True}, ["left and right seem swapped, compared with other sessions"]),
        ({"copies": ("m2", "m3")}, ["the same recording as m2, m3"]),
        (
            {"quality": replace(TRACKED, keypoints={"nose": replace(NOSE, placeholders=0.04)})},
            ["nose is a placeholder, such as (0, 0), in 4%"],
        ),
    ],
)
def test_a_recording_is_flagged_with_its_reasons(change, flags):
    assert quality_flags(replace(FINE, **change), 0.8) == flags


def test_sessions_that_are_only_encoded_are_listed_but_not_flagged(layout):
    recordings = read_recordings(layout, ["sim-1", "sim-2", "sim-3"], 0.8)
    assert [(r.session, r.use) for r in recordings] == [
        ("sim-1", "train"),
        ("sim-2", "train"),
        ("sim-3", "encode"),
    ]
    index = pq.read_table(layout.windows_folder.index)["session"].to_pylist()
    assert [r.n_windows for r in recordings] == [index.count(f"sim-{i}") for i in (1, 2, 3)]
    assert recordings[2].n_windows == 0 and recordings[2].flags == ()


def test_each_animal_of_a_session_has_its_own_row(layout):
    def add_an_animal(content):
        bad = content["individuals"]["id_0"] | {"valid_fraction": 0.5}
        content["individuals"] = {"black": content["individuals"]["id_0"], "white": bad}

    change_quality(layout, "sim-1", add_an_animal)
    index = pq.read_table(layout.windows_folder.index)
    of_session = [name == "sim-1" for name in index["session"].to_pylist()]
    animals = ["black" if mine else "id_0" for mine in of_session]
    column = pa.array(animals).dictionary_encode()
    pq.write_table(index.set_column(1, "individual", column), layout.windows_folder.index)

    white, black, other = read_recordings(layout, ["sim-1", "sim-2"], 0.8)
    assert (white.label, black.label, other.label) == ("sim-1, white", "sim-1, black", "sim-2")
    assert white.flags == ("has no windows", "50% of frames not valid") and black.flags == ()
    assert (white.n_windows, black.n_windows) == (0, sum(of_session))


def test_recordings_that_could_not_be_aligned_are_named_with_the_reason(layout):
    for session in ("sim-1", "sim-3"):
        rejected = {"session": session, "rejected": [f"session {session}: no valid frame."]}
        layout.quality(session).write_text(json.dumps(rejected))
    with pytest.raises(InputError) as caught:
        read_recordings(layout, ["sim-1", "sim-2", "sim-3"], 0.8)
    assert caught.value.problems == [
        "session sim-1: no valid frame.",
        "session sim-3: no valid frame.",
    ]


@pytest.mark.parametrize(
    "content", ["{", "[]", '{"session": "sim-1"}', '{"individuals": {"a": {}}}']
)
def test_a_damaged_file_of_the_tracking_quality_is_named(layout, content):
    layout.quality("sim-1").write_text(content)
    with pytest.raises(InputError, match=r"sim-1\.qc\.json: cannot be read; it is damaged"):
        read_recordings(layout, ["sim-1", "sim-2"], 0.8)


@pytest.mark.parametrize("content", ["", "[1]", '{"mirrored": []}'])
def test_a_damaged_file_of_faults_is_named(layout, content):
    layout.windows_folder.session_faults.write_text(content)
    with pytest.raises(InputError, match=r"session_faults\.json: cannot be read; it is damaged"):
        read_recordings(layout, ["sim-1"], 0.8)
