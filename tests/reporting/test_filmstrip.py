"""Skeletons of a recording over time."""

import numpy as np
import pytest

from vame_pipe.alignment.session import align_session
from vame_pipe.config.sections import Align, Session
from vame_pipe.core.layout import Layout
from vame_pipe.core.quality import read_quality
from vame_pipe.poses.parts import PoseSource
from vame_pipe.poses.simulate import KEYPOINTS, simulate, write_deeplabcut
from vame_pipe.reporting.filmstrip import N_FRAMES, draw_strip, read_strip
from vame_pipe.reporting.recordings import Recording

BONES = [[0, 3], [3, 6]]
NOSE, TAIL = KEYPOINTS.index("nose"), KEYPOINTS.index("tailbase")


@pytest.fixture(params=[True, False])
def made(request, tmp_path):
    """A recording whose left ear is lost for two seconds, in body lengths or in pixels."""
    position, confidence, _ = simulate(600, 30, 0)
    confidence[:] = 1
    confidence[400:460, KEYPOINTS.index("left_ear")] = 0.1
    path, layout = tmp_path / "a.csv", Layout(tmp_path)
    write_deeplabcut(path, position, confidence, KEYPOINTS)
    settings = Align(centre="tailbase", forward="nose", smooth_s=None, scale=request.param)
    layout.aligned_folder.mkdir()
    source = Session(poses=str(path), fps=30)
    align_session("a", source, settings, None, layout.aligned("a"), layout.quality("a"))
    return layout, path


def recording_of(layout):
    quality = read_quality(layout.quality("a")).individuals["id_0"]
    return Recording("a", "id_0", "a", "train", 1.0, 10, quality, False, ())


def test_frames_are_those_around_the_invalid_ones_as_recorded_and_as_aligned(made):
    layout, path = made
    strip = read_strip(layout, recording_of(layout), PoseSource((path,), 30), BONES)
    rows = np.rint(strip.time_s * 30).astype(int)
    assert strip.note == "" and len(rows) == N_FRAMES and rows[N_FRAMES // 2] == 400
    np.testing.assert_array_equal(strip.valid, (rows < 400) | (rows >= 460))
    assert 0 < strip.valid.sum() < N_FRAMES
    ear = KEYPOINTS.index("left_ear")
    np.testing.assert_array_equal(strip.trusted[:, ear], strip.valid)
    assert strip.trusted[:, [NOSE, TAIL]].all()
    # the same animal in both rows: it keeps its shape, and the aligned one looks to the right
    good = strip.valid
    for k in range(len(KEYPOINTS)):
        apart = [
            np.linalg.norm(each[good, k] - each[good, TAIL], axis=1)
            for each in (strip.recorded, strip.aligned)
        ]
        np.testing.assert_allclose(*apart, atol=1e-3)
    np.testing.assert_allclose(strip.aligned[good, TAIL], [[-0.5, 0]] * good.sum(), atol=1e-6)
    assert (strip.aligned[good, NOSE, 0] > 0.2).all()
    np.testing.assert_allclose(strip.aligned[good, NOSE, 1], 0, atol=1e-6)


def test_lines_join_trusted_points_and_other_points_are_hollow(made):
    layout, path = made
    strip = read_strip(layout, recording_of(layout), PoseSource((path,), 30), BONES)
    drawing = draw_strip(strip)
    n_hollow = int((~strip.trusted).sum())
    assert n_hollow and drawing.count('fill="none"') == n_hollow
    n_known = np.isfinite(strip.aligned).all(axis=2).sum() + strip.trusted.size
    assert drawing.count("<circle") == n_known
    assert drawing.count("#FFF3DC") == 2 * (~strip.valid).sum() and "nan" not in drawing


def test_without_the_pose_file_only_what_was_aligned_is_drawn(made):
    layout, path = made
    path.unlink()
    strip = read_strip(layout, recording_of(layout), PoseSource((path,), 30), BONES)
    assert strip.recorded is None and strip.note == "pose file not found"
    assert ">aligned<" in draw_strip(strip) and ">recorded<" not in draw_strip(strip)
