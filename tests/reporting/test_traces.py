from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from vame_pipe.core.layout import Layout
from vame_pipe.poses.parts import PoseSource
from vame_pipe.reporting.recordings import read_recordings
from vame_pipe.reporting.traces import EXCERPT_S, trace_excerpt


@pytest.fixture(scope="module")
def recording(data):
    return next(r for r in read_recordings(Layout(data), ["sim-1"], 0.8))


def test_an_excerpt_is_from_the_middle_of_the_recording(data, recordings, recording):
    source = PoseSource((recordings / "sim-1.csv",), fps=30)
    excerpt = trace_excerpt(Layout(data), recording, source)
    assert excerpt.aligned.shape == excerpt.recorded.shape == (round(EXCERPT_S * 30), 3)
    np.testing.assert_allclose(excerpt.recorded[:, 0], excerpt.aligned[:, 0])
    assert excerpt.aligned[0, 0] == pytest.approx(15 - EXCERPT_S / 2, abs=1 / 30)
    assert excerpt.unit == "body lengths"


def test_without_a_pose_file_only_the_aligned_part_is_returned(data, recording):
    for source in (None, PoseSource((Path("gone.csv"),), fps=30)):
        excerpt = trace_excerpt(Layout(data), recording, source)
        assert excerpt.recorded is None and len(excerpt.aligned) == EXCERPT_S * 30
        assert excerpt.note == "pose file not found"


def test_an_excerpt_is_of_one_animal_of_the_session(data, recordings, recording, tmp_path):
    """The second animal is the first one, moved by one body length."""
    table = pq.read_table(Layout(data).aligned("sim-1"))
    both = [table]
    for name in table.column_names:
        if name.endswith("_x"):
            moved = pa.array(table[name].to_numpy() + 1, pa.float32())
            table = table.set_column(table.column_names.index(name), name, moved)
    position = table.column_names.index("individual")
    name = pa.array(["white"] * len(table)).dictionary_encode()
    both.append(table.set_column(position, table.schema.field("individual"), name))
    layout = Layout(tmp_path)
    layout.aligned_folder.mkdir()
    pq.write_table(pa.concat_tables(both).unify_dictionaries(), layout.aligned("sim-1"))

    source = PoseSource((recordings / "sim-1.csv",), fps=30)
    first = trace_excerpt(layout, recording, source)
    second = trace_excerpt(layout, replace(recording, individual="white"), source)
    assert first.aligned.shape == second.aligned.shape
    np.testing.assert_allclose(first.aligned + np.array([0, 1, 0]), second.aligned, rtol=1e-5)
    assert first.recorded is not None
    assert second.recorded is None
    assert second.note == "pose file has no animal of this name" and first.note == ""


def test_a_pose_file_that_was_replaced_since_leaves_the_trace_out(
    data, recordings, recording, tmp_path
):
    poses = tmp_path / "poses.csv"
    text = (recordings / "sim-1.csv").read_text()
    poses.write_text(text.replace("left_ear", "ear"))
    excerpt = trace_excerpt(Layout(data), recording, PoseSource((poses,), fps=30))
    assert excerpt.keypoint == "left_ear" and excerpt.recorded is None
    assert excerpt.note == "pose file has no such keypoint"
    poses.write_text("not poses")
    excerpt = trace_excerpt(Layout(data), recording, PoseSource((poses,), fps=30))
    assert excerpt.recorded is None and excerpt.note == "pose file cannot be read"
    assert len(excerpt.aligned) == EXCERPT_S * 30
