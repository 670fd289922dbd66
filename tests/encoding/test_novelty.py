"""How far a new recording resembles the training sessions: known shifts, lengths and errors are found."""

import dataclasses
import shutil

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from models import random_model, write_model_of

from vame_pipe.core import novelty
from vame_pipe.core.errors import InputError
from vame_pipe.core.layout import novelty_file
from vame_pipe.core.metadata import AlignedMetadata, read_record
from vame_pipe.core.novelty import Novelty
from vame_pipe.encoding import model_file
from vame_pipe.encoding.model_file import Reference
from vame_pipe.encoding.novelty import find_reasons, reconstruction_errors
from vame_pipe.encoding.sessions import encode_sessions
from vame_pipe.windows import data as window_data


@pytest.fixture(scope="module")
def known_model(data, tmp_path_factory):
    """A model with random weights that describes its training sessions."""
    path = write_model_of(data / "windows", tmp_path_factory.mktemp("model") / "model.pt")
    meta = window_data.load(data / "windows").meta
    reference = Reference(1.2, meta.body_lengths, meta.source_rates)
    model = model_file.load(path)
    settings = model.settings | {"windows": {"balance": True}}
    model_file.save(dataclasses.replace(model, reference=reference, settings=settings), path)
    return path


def novelty_of(model, aligned, folder) -> Novelty:
    out = folder / "z.parquet"
    encode_sessions(model, {aligned: out}, "cpu", novelty=True)
    return novelty.read(novelty_file(out))


def test_windows_beyond_the_percentile_are_counted(data, known_model, tmp_path):
    """By the whole network, window by window."""
    aligned = data / "aligned/sim-3.parquet"
    found = novelty_of(known_model, aligned, tmp_path)
    model = model_file.load(known_model)
    table = pd.read_parquet(aligned)
    frames = (table[model.features] - model.mean) / model.std
    windows = torch.tensor(frames.to_numpy(np.float32)).unfold(0, model.length, 1).transpose(1, 2)
    windows = windows[torch.isfinite(windows).all(dim=(1, 2))]
    with torch.no_grad():
        reconstruction, *_ = model.network()(windows)
    errors = (reconstruction - windows).square().mean(dim=(1, 2)).numpy()
    assert found.n_windows == len(windows) > 500
    assert 0.02 < found.beyond_p99 < 0.98
    assert found.beyond_p99 == pytest.approx((errors > 1.2).mean(), abs=2 / len(windows))
    in_deviations = np.sqrt(window_data.feature_weights(model.features, balance=True))
    expected = frames[table["run"] >= 0].mean() / in_deviations
    assert found.feature_shift == pytest.approx(expected.to_dict(), abs=1e-5)


def test_a_shifted_feature_is_named(data, known_model, tmp_path):
    """The training sessions of this model had a nose that was two standard deviations further back."""
    model = model_file.load(known_model)
    other = tmp_path / "other.pt"
    at = model.features.index("nose_x")
    weights = window_data.feature_weights(model.features, balance=True)
    mean = list(model.mean)
    mean[at] -= 2 * model.std[at] * float(weights[at]) ** 0.5
    model_file.save(dataclasses.replace(model, mean=mean), other)
    aligned = data / "aligned/sim-2.parquet"
    before = novelty_of(known_model, aligned, tmp_path)
    after = novelty_of(other, aligned, tmp_path)
    assert after.feature_shift["nose_x"] == pytest.approx(
        before.feature_shift["nose_x"] + 2, abs=1e-4
    )
    assert after.largest_shifts[0][0] == "nose_x"
    assert any("nose_x by +" in reason for reason in after.reasons)
    assert not any("nose_x by" in reason for reason in before.reasons)


def test_a_training_session_has_the_body_length_and_the_frame_rate_of_training(
    data, known_model, tmp_path
):
    found = novelty_of(known_model, data / "aligned/sim-1.parquet", tmp_path)
    lengths = [
        read_record(AlignedMetadata, data / f"aligned/sim-{i}.parquet")
        .individuals["id_0"]
        .body_length_px
        for i in (1, 2)
    ]
    assert model_file.load(known_model).reference.body_lengths == lengths
    assert found.body_length_ratio == {"id_0": pytest.approx(lengths[0] / np.mean(lengths))}
    assert (found.source_fps, found.training_fps) == (30.0, [30.0])
    assert not any("scale" in reason or "fps" in reason for reason in found.reasons)


def test_an_older_model_file_is_read_and_its_novelty_is_unknown(data, tmp_path, caplog):
    path = write_model_of(data / "windows", tmp_path / "model.pt")
    content = torch.load(path, weights_only=True)
    del content["reference"]
    torch.save(content, path)
    assert model_file.load(path).reference is None
    found = novelty_of(path, data / "aligned/sim-3.parquet", tmp_path)
    assert (found.known, found.beyond_p99, found.reasons) == (False, None, [])
    assert found.feature_shift and not found.body_length_ratio
    (line,) = [r.getMessage() for r in caplog.records if r.levelname == "WARNING"]
    assert "session sim-3: novelty is unknown" in line


def test_a_file_that_is_up_to_date_is_kept_and_a_damaged_one_written_again(
    data, known_model, tmp_path
):
    aligned = data / "aligned/sim-3.parquet"
    first = novelty_of(known_model, aligned, tmp_path)
    path = tmp_path / "z.novelty.json"
    stamp = path.stat().st_mtime_ns
    assert novelty_of(known_model, aligned, tmp_path) == first
    assert path.stat().st_mtime_ns == stamp
    for damage in ("{", "[]", '{"session": "sim-3"}'):
        path.write_text(damage)
        with pytest.raises(InputError):
            novelty.read(path)
        assert novelty_of(known_model, aligned, tmp_path) == first


def test_a_session_that_cannot_be_encoded_leaves_its_reasons(data, known_model, tmp_path):
    aligned = tmp_path / "sim-1.parquet"
    shutil.copy(data / "aligned/sim-1.parquet", aligned)
    model = model_file.load(known_model)
    other = tmp_path / "other.pt"
    model_file.save(dataclasses.replace(model, fps=25.0), other)
    encode_sessions(
        other, {aligned: tmp_path / "z.parquet"}, "cpu", record_failure=True, novelty=True
    )
    with pytest.raises(InputError, match="the model was trained at 25"):
        novelty.read(tmp_path / "z.novelty.json")


def record(**changes) -> Novelty:
    values = {
        "session": "s",
        "n_windows": 10,
        "beyond_p99": 0.01,
        "body_length_px": {"id_0": 50.0},
        "body_length_ratio": {"id_0": 1.0},
        "source_fps": 30.0,
        "training_fps": [30.0],
        "feature_shift": {},
        "reasons": [],
        "known": True,
        "latents_fingerprint": "",
        "stage_version": 1,
    }
    return Novelty(**values | changes)


@given(length=st.floats(1, 1000), low=st.floats(20, 60), spread=st.floats(0, 40))
@settings(max_examples=30)
def test_a_body_length_is_named_outside_the_range_of_training(length, low, spread):
    reference = Reference(1.0, [low, low + spread], [30.0])
    model = random_model(["nose_x"], 5)
    found = find_reasons(record(body_length_px={"id_0": length}), model, reference, 1.0)
    outside = length < low / 1.5 or length > (low + spread) * 1.5
    assert [reason for reason in found if "another scale" in reason] == found
    assert len(found) == outside


def test_frame_rates_that_differ_by_rounding_are_the_same():
    reference, model = Reference(1.0, [50.0], [30.0, 60.0]), random_model(["nose_x"], 5)
    for fps, named in ((29.97, False), (59.94, False), (25.0, True), (45.0, True)):
        found = find_reasons(
            record(source_fps=fps, training_fps=[30.0, 60.0]), model, reference, 1.0
        )
        assert [f"recorded at {fps:g} fps, the training sessions at 30 to 60 fps"] * named == found


def test_keypoints_on_the_other_side_are_named():
    names = ["left_y", "right_y", "left_x", "right_x"]
    model = random_model(names, 5, mean=[0.3, -0.3, 0.5, 0.5], std=[0.1] * 4)
    reference = Reference(1.0, [50.0], [30.0])
    for shift, named in (([-6, 6, 0, 0], True), ([-1, 1, 0, 0], False), ([0, 0, -9, -9], False)):
        shifts = dict(zip(names, map(float, shift), strict=True))
        found = find_reasons(record(feature_shift=shifts), model, reference, 1.0)
        assert any("left and right seem swapped" in reason for reason in found) == named


def test_no_window_has_no_error():
    model = random_model(["a", "b"], 5)
    none = np.empty(0, np.int64)
    frames, latents = np.zeros((3, 2), np.float32), np.zeros((0, 4), np.float32)
    assert len(reconstruction_errors(model.network(), frames, none, latents, 5)) == 0


def test_a_rejection_is_read_as_its_reasons(tmp_path):
    novelty.write_rejection("s", ["session s: no", "session s: nor"], tmp_path / "n.json")
    with pytest.raises(InputError) as caught:
        novelty.read(tmp_path / "n.json")
    assert caught.value.problems == ["session s: no", "session s: nor"]
