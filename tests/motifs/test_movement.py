"""The movement of animals of known size and speed, from their poses to centimetres."""

import numpy as np
import pose_files
import pyarrow.parquet as pq
import pytest

from vame_pipe.alignment.session import align_session
from vame_pipe.config.sections import Align, Session
from vame_pipe.core.metadata import AlignedMetadata, read_record
from vame_pipe.core.scale import cm_per_unit
from vame_pipe.motifs.movement import in_cm, movement, posture

FPS = 30.0
SIZES, PX_PER_S, PX_PER_CM = (50.0, 80.0), (100.0, 40.0), 8.0


@pytest.mark.parametrize("dimensions", [2, 3])
@pytest.mark.parametrize("scale", [True, False])
def test_speeds_and_lengths_are_in_cm_whatever_the_size_of_the_animal(tmp_path, scale, dimensions):
    """Two rigid animals that walk ahead; of the third keypoint nothing moves but the height."""
    position = np.zeros((60, 2, 3, dimensions)) + 7
    seconds = np.arange(60)[:, None] / FPS
    for animal, (size, speed) in enumerate(zip(SIZES, PX_PER_S, strict=True)):
        position[:, animal, :, 0] += speed * seconds + [0, size, size / 2]
        position[:, animal, :, 1] += 200 * animal + np.array([0, 0, 4.0])
        if dimensions == 3:
            position[:, animal, 2, 2] += 24
    made = pose_files.Recording(position, np.ones(position.shape[:3]), ("a", "b"))
    pose_files.write_dlc_csv(tmp_path / "m.csv", made)
    centre, forward = made.keypoints[:2]
    settings = Align(
        centre=centre, forward=forward, smooth_s=None, outlier_threshold=None, scale=scale
    )
    out = tmp_path / "m.parquet"
    session = Session(poses=str(tmp_path / "m.csv"), fps=FPS)
    align_session("m", session, settings, None, out, tmp_path / "m.qc.json")
    meta, table = read_record(AlignedMetadata, out), pq.read_table(out).to_pandas()
    for name, size, speed in zip(made.individuals, SIZES, PX_PER_S, strict=True):
        rows = table[table["individual"] == name]
        moved = movement({n: rows[n].to_numpy(float) for n in meta.features}, meta)
        assert moved.unit != "cm"
        cm = in_cm(moved, np.full(len(rows), cm_per_unit(meta, name, PX_PER_CM)))
        assert cm.unit == "cm" and cm.linear.keys() == moved.linear.keys()
        np.testing.assert_allclose(cm.linear["speed"], speed / PX_PER_CM, rtol=1e-4)
        np.testing.assert_allclose(cm.linear["speed_forward"], speed / PX_PER_CM, rtol=1e-4)
        np.testing.assert_allclose(cm.linear["elongation"], size / PX_PER_CM, rtol=1e-5)
        np.testing.assert_allclose(cm.linear["posture_speed"], 0, atol=0.1)
        np.testing.assert_allclose(cm.linear["turn_rate"], 0, atol=1e-3)
        if dimensions == 3:  # one of three keypoints is above the floor
            np.testing.assert_allclose(cm.linear["height"], 24 / 3 / PX_PER_CM, rtol=1e-5)
        # pictures of the animal are drawn from these
        assert cm.posture is moved.posture and cm.velocity is moved.velocity


def test_three_dimensions_have_a_third_axis():
    features = {"nose_x": np.ones(4), "nose_z": np.full(4, 0.5)}
    assert posture(features, ["tail", "nose"]).tolist() == [[[0, 0, 0], [1, 0, 0.5]]] * 4
