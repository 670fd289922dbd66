import dataclasses
import json
import subprocess
import sys

import numpy as np
import pyarrow.parquet as pq
import pytest
from conftest import make_poses, rotation
from hypothesis import given, settings
from hypothesis import strategies as st

from vame_pipe.alignment import session as module
from vame_pipe.alignment.session import align
from vame_pipe.cli import main
from vame_pipe.config.sections import Align
from vame_pipe.core.errors import InputError
from vame_pipe.poses.readers import read_poses

FPS = 30.0
NAMES = ("tail", "nose", "left", "right")
# the animal's own frame, body lengths: x ahead, y to its right (the image's y points down)
BODY = np.array([[0, 0], [1, 0], [0.5, -0.2], [0.5, 0.2]])
RAW = Align(centre="tail", forward="nose", outliers=None, smooth=None, kinematics=False)
MOVING = RAW.model_copy(update={"kinematics": True})


def animal(heading, centre, size=50.0, body=BODY):
    """Place a rigid body, `(n_frames, 4, 2)` pixels, at headings (radians) and centres (pixels)."""
    turned = np.einsum("nij,kj->nki", rotation(np.asarray(heading)), np.broadcast_to(body, (4, 2)))
    return np.asarray(centre)[:, None] + size * turned


def columns(aligned):
    return dict(zip(aligned.names, aligned.features.T, strict=True))


@given(
    st.lists(st.floats(-10, 10), min_size=3, max_size=20),
    st.floats(1, 500),
    st.floats(5, 500),
)
@settings(deadline=None)
def test_a_known_rotation_is_undone_frame_by_frame(headings, x, size):
    centre = x + np.outer(np.linspace(0, 3 * size, len(headings)), [1, 0.5])
    aligned = align(make_poses(animal(headings, centre, size), NAMES), "s", RAW)
    assert aligned.names == ["nose_x", "left_x", "left_y", "right_x", "right_y"]
    expected = np.broadcast_to([1, 0.5, -0.2, 0.5, 0.2], aligned.features.shape)
    np.testing.assert_allclose(aligned.features, expected, atol=1e-5)
    assert aligned.body_length == pytest.approx(size, rel=1e-6)


def test_speeds_have_the_signs_and_units_that_are_promised():
    n = 90
    still = np.zeros(n)
    t = np.arange(n) / FPS
    ahead = columns(
        align(make_poses(animal(still, np.stack([7 + 100 * t, still], 1)), NAMES), "s", MOVING)
    )
    np.testing.assert_allclose(ahead["speed_forward"], 2, atol=1e-4)  # 100 px/s, a body of 50 px
    np.testing.assert_allclose(ahead["speed_lateral"], 0, atol=1e-4)
    np.testing.assert_allclose(ahead["log_speed"], np.log(2 + module.MIN_SPEED), atol=1e-4)
    np.testing.assert_allclose(ahead["log_posture_speed"], np.log(module.MIN_SPEED), atol=1e-3)
    # heading to the image's right, down is the animal's right
    right = columns(
        align(make_poses(animal(still, np.stack([7 + still, 25 * t], 1)), NAMES), "s", MOVING)
    )
    np.testing.assert_allclose(right["speed_lateral"], 0.5, atol=1e-4)
    np.testing.assert_allclose(right["speed_forward"], 0, atol=1e-4)


def test_turning_rate_does_not_jump_where_angles_wrap():
    heading = 1.5 * np.arange(300) / FPS  # more than two turns
    aligned = columns(align(make_poses(animal(heading, np.zeros((300, 2))), NAMES), "s", MOVING))
    np.testing.assert_allclose(aligned["turn_rate"], 1.5, atol=1e-4)


def test_posture_speed_is_the_mean_over_keypoints():
    n = 60
    bodies = np.broadcast_to(BODY, (n, 4, 2)).copy()
    bodies[:, 2, 0] += (
        0.9 * np.arange(n) / FPS
    )  # one of three keypoints, 0.9 body lengths per second
    poses = make_poses(7 + 50 * bodies + np.arange(n)[:, None, None], NAMES)
    speed = columns(align(poses, "s", MOVING))["log_posture_speed"]
    np.testing.assert_allclose(np.exp(speed), 0.3 + module.MIN_SPEED, atol=1e-3)


def test_pixels_where_scaling_is_off():
    poses = make_poses(animal(np.ones(50), np.cumsum(np.ones((50, 2)), 0)), NAMES)
    aligned = columns(align(poses, "s", RAW.model_copy(update={"scale": False})))
    np.testing.assert_allclose(aligned["nose_x"], 50, rtol=1e-6)
    np.testing.assert_allclose(aligned["right_y"], 10, rtol=1e-6)


def test_long_gaps_are_invalid_and_short_ones_filled_and_counted():
    position = animal(np.linspace(0, 3, 100), np.cumsum(np.ones((100, 2)), 0))
    position[20:27, 2] = np.nan  # 7 frames: 0.25 s at 30 fps is up to 7
    position[60:68, 3] = np.nan  # 8: too long
    aligned = align(make_poses(position, NAMES), "s", RAW)
    expected = np.ones(100, bool)
    expected[60:68] = False
    np.testing.assert_array_equal(aligned.valid, expected)
    quality = aligned.qc["keypoints"]
    assert quality["left"]["interpolated"] == pytest.approx(0.07)
    assert quality["right"]["missing"] == pytest.approx(0.08)
    assert aligned.qc["valid_fraction"] == pytest.approx(0.92)


def test_low_confidence_is_missing():
    poses = make_poses(animal(np.zeros(100), np.cumsum(np.ones((100, 2)), 0)), NAMES)
    poses.confidence[:40, 1] = 0.59
    aligned = align(poses, "s", RAW)
    assert aligned.valid.sum() == 60
    assert aligned.qc["keypoints"]["nose"]["below_confidence"] == pytest.approx(0.4)


def test_time_and_frame_after_resampling_point_into_the_video():
    n = 200
    poses = make_poses(animal(np.zeros(n), np.cumsum(np.ones((n, 2)), 0)), NAMES, fps=60)
    poses = dataclasses.replace(poses, first_frame=10)
    aligned = align(poses, "s", RAW.model_copy(update={"fps": 30.0}))
    np.testing.assert_array_equal(aligned.frame, 10 + 2 * np.arange(100))
    np.testing.assert_allclose(aligned.time_s, aligned.frame / 60)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"min_confidence": 1.0}, "confidence reaches 0.9 at most, align.min_conf"),
        ({"centre": "belly"}, "'belly' is not in its file, which has: tail, nose, left, right"),
    ],
)
def test_unusable_settings_are_refused(change, match):
    poses = make_poses(animal(np.zeros(60), np.cumsum(np.ones((60, 2)), 0)), NAMES)
    poses = dataclasses.replace(poses, confidence=poses.confidence * 0.9)
    with pytest.raises(InputError, match=match):
        align(poses, "s", Align.model_validate(RAW.model_dump() | change))


def test_aliases_choose_and_rename():
    poses = make_poses(
        animal(np.ones(60), np.cumsum(np.ones((60, 2)), 0)), ("Tail", "Snout", "l", "r")
    )
    aliases = {"tail": ["TailBase", "Tail"], "nose": ["Snout", "Nose"], "right": ["r"]}
    aligned = align(poses, "s", RAW, aliases)
    assert aligned.names == ["nose_x", "right_x", "right_y"]
    np.testing.assert_allclose(aligned.features[0], [1, 0.5, 0.2], atol=1e-5)
    with pytest.raises(InputError, match="'a' or 'b' is not in its file"):
        align(poses, "s", RAW, aliases | {"ear": ["a", "b"]})


def test_an_object_is_no_body_axis_but_an_animal_may_turn_on_the_spot():
    position = animal(np.linspace(0, 9, 300), np.cumsum(np.ones((300, 2)), 0))
    pivoting = position - position[:, :1]
    assert align(make_poses(pivoting, NAMES), "s", RAW).valid.all()
    position[:, 0] = [150.0, 150.0]
    with pytest.raises(
        InputError, match=r"'tail' never moves while .* set align.head_fixed to true"
    ):
        align(make_poses(position, NAMES), "s", RAW)


def test_real_recordings_that_cannot_be_used(real_poses):
    settings = Align(centre="nose", forward="objectA")
    poses = read_poses(real_poses / "reject/nose-only.csv", 30)
    with pytest.raises(InputError, match="A body axis needs two"):
        align(poses, "s", settings)
    (path,) = (real_poses / "reject").glob("train1*.h5")
    with pytest.raises(InputError, match="which is no pixel"):
        align(read_poses(path, 30), "s", Align(centre="Tailbase", forward="Head"))


def test_aligned_file_of_a_real_recording(real_poses, tmp_path):
    """Features of a real mouse, recomputed from the raw file for frames that nothing has touched."""
    (csv,) = (real_poses / "bsoid-openfield").glob("*.csv")
    settings = Align(
        centre="Butt/Proximal Tail", forward="Snout", smooth=None, outliers=None, kinematics=False
    )
    out, qc = tmp_path / "m.parquet", tmp_path / "m.qc.json"
    arguments = ["align", "--poses", str(csv), "--session", "m", "--fps", "60"]
    arguments += ["--settings", settings.model_dump_json(), "--out", str(out), "--qc", str(qc)]
    assert main.main(arguments) == 0
    table = pq.read_table(out).to_pandas()
    raw = read_poses(csv, 60)
    sure = (raw.confidence >= 0.6).all(axis=1)
    axis = raw.position[:, 0] - raw.position[:, 5]
    unit = json.loads(qc.read_text())["body_length_px"]
    paw = raw.position[:, 1] - raw.position[:, 5]
    length = np.hypot(*axis.T)
    ahead = (paw * axis).sum(axis=1) / length / unit
    side = (axis[:, 0] * paw[:, 1] - axis[:, 1] * paw[:, 0]) / length / unit
    assert sure.mean() > 0.5
    np.testing.assert_allclose(table["Front Paw R_x"][sure], ahead[sure], atol=1e-5)
    np.testing.assert_allclose(table["Front Paw R_y"][sure], side[sure], atol=1e-5)
    np.testing.assert_allclose(table["Snout_x"][sure], (length / unit)[sure], atol=1e-5)
    assert table["valid"][sure].all()
    assert table["frame"].tolist() == list(range(7200))
    np.testing.assert_allclose(table["time_s"], np.arange(7200) / 60)


def test_align_loads_neither_torch_nor_mlflow():
    code = (
        "import sys, vame_pipe.align, vame_pipe.poses, vame_pipe.windows, vame_pipe.cli, vame_pipe.check\n"
        "print([m for m in ('torch', 'mlflow', 'matplotlib', 'snakemake') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
