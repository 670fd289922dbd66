"""Alignment of whole recordings, simulated and real, and the files that it writes."""

import dataclasses
import json
import logging
import subprocess
import sys

import numpy as np
import pose_files
import pyarrow.parquet as pq
import pytest
from conftest import make_poses
from test_egocentric import NAMES, RAW, animal, walking

from vame_pipe.alignment import aligned_file, session
from vame_pipe.alignment.session import align, align_session
from vame_pipe.cli import main
from vame_pipe.config.sections import Align, Quantile, Session
from vame_pipe.core import metadata
from vame_pipe.core.errors import InputError
from vame_pipe.core.layout import Layout
from vame_pipe.core.quality import read_quality
from vame_pipe.poses import simulate
from vame_pipe.poses.readers import read_poses


def test_long_gaps_are_invalid_and_short_gaps_are_filled_and_counted():
    position = animal(np.linspace(0, 3, 100), np.cumsum(np.ones((100, 2)), 0))
    position[20:27, 2] = np.nan  # 7 frames: 0.25 s at 30 fps is up to 7
    position[60:68, 3] = np.nan  # 8: too long
    aligned = align(make_poses(position, NAMES), RAW)
    expected = np.ones(100, bool)
    expected[60:68] = False
    np.testing.assert_array_equal(aligned.valid, expected)
    assert aligned.quality.keypoints["left"].interpolated == pytest.approx(0.07)
    assert aligned.quality.keypoints["right"].missing == pytest.approx(0.08)
    assert aligned.quality.valid_fraction == pytest.approx(0.92)


def test_points_of_low_confidence_are_missing():
    poses = make_poses(walking(100), NAMES)
    poses.confidence[:40, 1] = 0.59
    aligned = align(poses, RAW)
    assert aligned.valid.sum() == 60
    assert aligned.quality.keypoints["nose"].below_confidence == pytest.approx(0.4)


@pytest.mark.parametrize("rule", [0.7, Quantile(quantile=0.1)])
def test_a_keypoint_without_scores_has_no_threshold(rule):
    poses = make_poses(walking(100), NAMES)
    poses.confidence[:, 1] = np.nan
    poses.position[:5, 1], poses.confidence[:5, 1] = np.nan, 0.0  # a reader's, of no point
    found = align(poses, RAW.model_copy(update={"min_confidence": rule})).quality.keypoints
    assert found["nose"].threshold is None and found["nose"].below_confidence == 0
    assert found["tail"].threshold == (0.7 if rule == 0.7 else 1.0)


def test_frames_without_the_animal_are_missing_and_not_below_the_threshold():
    """A reader gives them the confidence 0, which must not lower the quantile either."""
    poses = make_poses(walking(200), NAMES)
    poses.confidence[:] = np.linspace(0.5, 1, 200)[:, None]
    poses.position[:80], poses.confidence[:80] = np.nan, 0.0
    settings = RAW.model_copy(update={"min_confidence": Quantile(quantile=0.1), "max_gap_s": 0.0})
    nose = align(poses, settings).quality.keypoints["nose"]
    assert nose.below_confidence == pytest.approx(12 / 200)
    assert nose.missing == pytest.approx(92 / 200)


@pytest.mark.parametrize("n_frames", range(2, 8))
def test_a_recording_can_be_shorter_than_the_filters(n_frames):
    aligned = align(make_poses(walking(n_frames), NAMES), Align(centre="tail", forward="nose"))
    assert aligned.valid.all() and np.isfinite(aligned.features).all()


def test_animals_with_other_keypoints_are_refused():
    poses = make_poses(walking(100), NAMES)
    fewer = dataclasses.replace(
        poses,
        position=poses.position[:, :3],
        confidence=poses.confidence[:, :3],
        keypoints=NAMES[:3],
    )
    animals = {"a": poses, "b": fewer}
    with pytest.raises(InputError, match=f"that all of them have: {', '.join(NAMES[:3])}"):
        session.align_animals(animals, RAW)
    same = {name: [name] for name in NAMES[:3]}
    assert session.align_animals(animals, RAW, same).keys() == animals.keys()


def test_time_and_frame_refer_to_the_video_after_resampling():
    poses = make_poses(walking(200), NAMES, fps=60)
    poses = dataclasses.replace(poses, first_frame=10)
    aligned = align(poses, RAW.model_copy(update={"fps": 30.0}))
    np.testing.assert_array_equal(aligned.frame, 10 + 2 * np.arange(100))
    np.testing.assert_allclose(aligned.time_s, aligned.frame / 60)
    assert aligned.fps == 30 and aligned.quality.n_frames == 200 and aligned.quality.n_rows == 100


def test_runs_are_numbered_from_zero_and_invalid_rows_have_none():
    position = walking(30)
    position[:3] = np.nan
    position[10:20] = np.nan
    aligned = align(make_poses(position, NAMES), RAW)
    expected = np.repeat([-1, 0, -1, 1], [3, 7, 10, 10])
    np.testing.assert_array_equal(aligned.run, expected)
    assert aligned.run.dtype == np.int32


def test_a_recording_without_a_complete_frame_is_refused():
    position = walking(60)
    position[::2, 2] = np.nan
    position[1::2, 3] = np.nan
    settings = RAW.model_copy(update={"max_gap_s": 0.0})
    with pytest.raises(
        InputError, match=r"no frame has all 4 keypoints \('left' is missing in 50%"
    ):
        align(make_poses(position, NAMES), settings)


def test_a_coordinate_outside_of_any_image_is_refused(real_poses):
    (path,) = (real_poses / "reject").glob("train1*.h5")
    (poses,) = read_poses(path, 30).values()
    with pytest.raises(InputError, match="too large for a pixel"):
        align(poses, Align(centre="Tailbase", forward="Head"))


def test_a_real_recording_is_aligned_as_recomputed_by_hand(real_poses, tmp_path):
    """Recompute the features of frames that cleaning leaves unchanged from the raw file."""
    (csv,) = (real_poses / "bsoid-openfield").glob("*.csv")
    settings = Align(
        centre="Butt/Proximal Tail",
        forward="Snout",
        smooth_s=None,
        outlier_threshold=None,
        kinematics=False,
    )
    out, qc = tmp_path / "m.parquet", tmp_path / "m.qc.json"
    arguments = ["align", "--poses", str(csv), "--session", "m", "--fps", "60"]
    arguments += ["--settings", settings.model_dump_json(), "--out", str(out), "--qc", str(qc)]
    assert main.main(arguments) == 0
    table = pq.read_table(out).to_pandas()
    (raw,) = read_poses(csv, 60).values()
    sure = (raw.confidence >= 0.6).all(axis=1)
    axis = raw.position[:, 0] - raw.position[:, 5]
    unit = json.loads(qc.read_text())["individuals"]["id_0"]["body_length_px"]
    paw = raw.position[:, 1] - raw.position[:, 5]
    length = np.hypot(*axis.T)
    ahead = (paw * axis).sum(axis=1) / length / unit
    side = (axis[:, 0] * paw[:, 1] - axis[:, 1] * paw[:, 0]) / length / unit
    assert sure.mean() > 0.5
    np.testing.assert_allclose(table["Front Paw R_x"][sure], ahead[sure], atol=1e-5)
    np.testing.assert_allclose(table["Front Paw R_y"][sure], side[sure], atol=1e-5)
    np.testing.assert_allclose(table["Snout_x"][sure], (length / unit)[sure], atol=1e-5)
    assert (table["run"][sure] >= 0).all()
    assert table["row"].tolist() == table["frame"].tolist() == list(range(7200))
    np.testing.assert_allclose(table["time_s"], np.arange(7200) / 60)


def write_recording(path, **change):
    """Write a simulated recording; `nose=value` overwrites that keypoint in 36 frames."""
    position, confidence, _ = simulate.simulate(600, 30, 0)
    for name, value in change.items():
        position[100:136, simulate.KEYPOINTS.index(name)] = value
    simulate.write_deeplabcut(path, position, confidence, simulate.KEYPOINTS)
    return Session(poses=str(path), fps=30)


SETTINGS = Align(centre="tailbase", forward="nose")


def align_to(folder, source, **more):
    out, qc = folder / "s.parquet", folder / "s.qc.json"
    session.align_session("s", source, SETTINGS, None, out, qc, **more)
    return out, json.loads(qc.read_text())


def test_the_quality_of_each_animal_is_written_next_to_its_features(tmp_path):
    out, qc = align_to(tmp_path, write_recording(tmp_path / "s.csv"))
    (poses,) = read_poses(tmp_path / "s.csv", 30).values()
    aligned = align(poses, SETTINGS)
    assert qc == {
        "session": "s",
        "fps": 30.0,
        "individuals": {"id_0": dataclasses.asdict(aligned.quality)},
        "left_out": {},
        "fragments": {"n_fragments": 1, "longest_s": 20.0, "covered_fraction": 1.0},
    }
    meta = metadata.read_record(metadata.AlignedMetadata, out)
    assert meta.features == aligned.names and meta.keypoints == list(simulate.KEYPOINTS)
    assert meta.individuals["id_0"].body_length_px == aligned.quality.body_length_px
    longest = np.bincount(aligned.run[aligned.valid]).max()
    assert meta.longest_run == longest
    table = pq.read_table(out).to_pandas()
    np.testing.assert_array_equal(table[aligned.names], aligned.features)
    np.testing.assert_array_equal(table["run"], aligned.run)


def test_warnings_are_logged_with_the_name_of_the_session(tmp_path, caplog):
    align_to(tmp_path, write_recording(tmp_path / "s.csv", nose=0.0))
    assert "session s: 36 points of 'nose' at exactly (0, 0)" in caplog.text


def test_several_animals_are_told_apart_in_the_log_and_in_the_file(tmp_path, caplog, monkeypatch):
    caplog.set_level(logging.INFO)
    source = write_recording(tmp_path / "s.csv", nose=0.0)
    (poses,) = read_poses(source.poses, 30).values()
    _, parts = session.read_recorded(source, 0.0)
    monkeypatch.setattr(session, "read_recorded", lambda *_: ({"a": poses, "b": poses}, parts))
    out, qc = align_to(tmp_path, source)
    assert list(qc["individuals"]) == ["a", "b"]
    assert {"session s, a: 36 points", "session s, b: 36 points"} <= {
        " ".join(record.message.split(" ")[:5]) for record in caplog.records
    }
    table = pq.read_table(out).to_pandas()
    assert table.groupby("individual", observed=True)["row"].max().tolist() == [599, 599]


def test_a_rejected_recording_leaves_a_placeholder_with_the_reasons(tmp_path, caplog):
    source = write_recording(tmp_path / "s.csv", nose=np.inf)
    reason = "session s: s.csv: x of keypoint 'nose' is infinite"
    with pytest.raises(InputError, match=reason):
        align_to(tmp_path, source)
    assert not (tmp_path / "s.parquet").exists()
    out, qc = align_to(tmp_path, source, record_failure=True)
    (line,) = qc["rejected"]
    assert line.startswith(reason) and line in caplog.text
    with pytest.raises(InputError, match=reason):
        metadata.read_record(metadata.AlignedMetadata, out)


def test_only_placeholders_of_what_was_rejected_are_deleted(tmp_path):
    """Of aligned sessions and of latents; a damaged file is left to the stage that reads it."""
    layout = Layout(tmp_path)
    layout.aligned_folder.mkdir()
    align_to(layout.aligned_folder, write_recording(tmp_path / "s.csv"))
    aligned_file.write_rejection("bad", ["why"], layout.aligned("bad"), layout.quality("bad"))
    layout.quality("bad").write_text("{")
    layout.aligned("damaged").write_bytes(b"PAR1")
    layout.quality("damaged").write_text('{"session"')
    layout.model("vame").root.mkdir(parents=True)
    layout.model("vame").run.touch()
    latents = layout.latents_folder("vame")
    latents.mkdir(parents=True)
    layout.latents("vame", "s").write_bytes(layout.aligned("s").read_bytes())
    metadata.write_rejection(layout.latents("vame", "bad"), ["why"])
    aligned_file.drop_rejections(layout)
    assert sorted(path.name for path in layout.aligned_folder.iterdir()) == [
        *("damaged.parquet", "damaged.qc.json", "s.parquet", "s.qc.json")
    ]
    assert [path.name for path in latents.iterdir()] == ["s.parquet"]


def test_frames_in_which_the_camera_did_not_run_are_not_frames_without_an_animal(tmp_path):
    first = write_recording(tmp_path / "1.csv").poses
    second = write_recording(tmp_path / "2.csv").poses
    source = Session(poses=[first, second], fps=30, starts_s=[0, 60])
    _, qc = align_to(tmp_path, source)
    assert qc["fragments"] == {"n_fragments": 2, "longest_s": 20.0, "covered_fraction": 1.0}


def test_alignment_loads_neither_torch_nor_mlflow():
    code = (
        "import sys, vame_pipe.alignment.session, vame_pipe.poses.readers, vame_pipe.windows.build\n"
        "import vame_pipe.cli.main, vame_pipe.config.check\n"
        "print([m for m in ('torch', 'mlflow', 'matplotlib', 'snakemake') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_an_animal_that_cannot_be_aligned_is_left_out_with_its_reason(tmp_path, caplog):
    """As a short fragment of a track; if it was selected, the session is refused."""
    position, confidence, _ = simulate.simulate(300, 30, 0)
    fragment = position.copy()
    fragment[10:, 0] = np.nan
    fragment[:10, 1:] = np.nan
    position = np.stack([position, fragment], axis=1)
    confidence = np.stack([confidence, confidence], axis=1)
    made = pose_files.Recording(position, confidence, ("a", "b"), simulate.KEYPOINTS)
    path = tmp_path / "tracks.h5"
    pose_files.write_sleap_analysis(path, made)
    out, qc = tmp_path / "s.parquet", tmp_path / "s.qc.json"
    source, settings = Session(poses=str(path), fps=30), Align(centre="tailbase", forward="nose")
    align_session("s", source, settings, None, out, qc)
    found = read_quality(qc)
    assert list(found.individuals) == ["a"] and list(found.left_out) == ["b"]
    assert f"session s: b is left out: {found.left_out['b']}" in caplog.text
    assert found.fragments.n_fragments == 2
    assert found.fragments.covered_fraction == 1
    social = settings.model_copy(update={"social": True})
    with pytest.raises(InputError, match=r"^session s: b: "):
        align_session("s", source, social, None, out, qc)
    selected = source.model_copy(update={"individuals": ["a", "b"]})
    with pytest.raises(InputError, match="session s: "):
        align_session("s", selected, settings, None, out, qc)
