import shutil

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from aligned_files import write_aligned
from hypothesis import given, settings
from hypothesis import strategies as st
from models import random_model, write_model_of

from vame_pipe import align, encode, load_model, read_poses
from vame_pipe.alignment import aligned_file
from vame_pipe.alignment.session import align_session
from vame_pipe.cli.main import main
from vame_pipe.config.sections import Align, Session, Windows
from vame_pipe.core import files
from vame_pipe.core.errors import InputError
from vame_pipe.core.layout import WindowsFolder
from vame_pipe.core.metadata import AlignedMetadata, LatentsMetadata, read_record
from vame_pipe.core.schemas import INDEX_FIELDS, feature_fields
from vame_pipe.encoding import model_file
from vame_pipe.encoding.encode import encode_runs
from vame_pipe.encoding.sessions import encode_sessions
from vame_pipe.windows.build import build
from vame_pipe.windows.data import gather, normalise

ALIGN = Align(centre="tailbase", forward="nose")
INDEX = [field.name for field in INDEX_FIELDS]
Z = [f"z_{i:02d}" for i in range(4)]


@pytest.fixture(scope="module")
def model_path(data, tmp_path_factory):
    """A model with random weights that fits the windows of `data`."""
    return write_model_of(data / "windows", tmp_path_factory.mktemp("model") / "model.pt")


@pytest.fixture(scope="module")
def latents(data, model_path, tmp_path_factory):
    """Latents of a session that the model was trained on, and of one that it was not."""
    folder = tmp_path_factory.mktemp("latents")
    paths = {name: folder / f"{name}.parquet" for name in ("sim-1", "sim-3")}
    encode_sessions(
        model_path, {data / f"aligned/{name}.parquet": path for name, path in paths.items()}, "cpu"
    )
    return paths


def align_recording(recordings, out, **changes):
    source = Session(poses=str(recordings / "sim-1.csv"), fps=30)
    chosen = Align(centre="tailbase", forward="nose", **changes)
    align_session(out.stem, source, chosen, None, out, out.with_suffix(".qc.json"))


@pytest.mark.parametrize("session", ["sim-1", "sim-3"])
def test_latents_are_those_of_the_network_for_every_window(data, model_path, latents, session):
    """Of every window of a session, seen in training or not, to the last bit."""
    table = pq.read_table(latents[session]).to_pandas()
    aligned = pq.read_table(data / f"aligned/{session}.parquet").to_pandas()
    file = model_file.load(model_path)
    length = file.length
    valid = (aligned["run"] >= 0).to_numpy()
    starts = [i for i in range(len(valid) - length + 1) if valid[i : i + length].all()]
    centres = aligned.iloc[[s + length // 2 for s in starts]]
    assert table.columns.tolist() == [*INDEX, *Z]
    for column in INDEX:
        assert table[column].tolist() == centres[column].tolist()
    assert table["session"].unique().tolist() == [session]
    np.testing.assert_allclose(table["time_s"], table["frame"] / 30)

    frames = torch.from_numpy(
        normalise(
            aligned[file.features].to_numpy(),
            np.array(file.mean, np.float32),
            np.array(file.std, np.float32),
        )
    )
    net = file.network()
    with torch.no_grad():
        for at in (0, len(starts) // 2, len(starts) - 1):
            window = frames[starts[at] : starts[at] + length][None]
            *_, mu, _ = net(window)
            np.testing.assert_allclose(table[Z].iloc[at].to_numpy(), mu[0], rtol=2e-6, atol=1e-6)
        window = gather(frames, torch.tensor(starts[:256]), length)
        *_, mu, _ = net(window)  # the batch that validation would make of them
    np.testing.assert_array_equal(table[Z].to_numpy()[:256], mu.numpy())


def test_the_metadata_have_the_average_posterior_standard_deviation(data, model_path, latents):
    file = model_file.load(model_path)
    meta = read_record(LatentsMetadata, latents["sim-1"])
    aligned = pq.read_table(data / "aligned/sim-1.parquet").to_pandas()
    features = torch.tensor(aligned[file.features].to_numpy())
    frames = (features - torch.tensor(file.mean)) / torch.tensor(file.std)
    windows = frames.unfold(0, file.length, 1).transpose(1, 2)
    windows = windows[torch.isfinite(windows).all(dim=(1, 2))]
    net = file.network()
    with torch.no_grad():
        *_, logvar = net(windows)
    expected = torch.exp(logvar.double() / 2).mean(dim=0)
    assert len(windows) == pq.read_metadata(latents["sim-1"]).num_rows
    np.testing.assert_allclose(meta.posterior_std, expected, rtol=1e-5)
    assert meta.length == 15 and meta.fps == 30
    assert meta.model_fingerprint == files.file_fingerprint(model_path)
    of_aligned = read_record(AlignedMetadata, data / "aligned/sim-1.parquet").fingerprint
    assert meta.aligned_fingerprint == of_aligned


masks = st.lists(st.tuples(st.booleans(), st.integers(1, 12)), min_size=1, max_size=6).map(
    lambda parts: np.repeat([valid for valid, _ in parts], [n for _, n in parts])
)


@given(animals=st.lists(masks, min_size=1, max_size=3), length=st.integers(2, 7))
@settings(deadline=None, max_examples=25)
def test_no_window_crosses_an_animal_or_a_run(tmp_path_factory, animals, length):
    """Brute force: windows of rows that are all valid, of one animal after the other."""
    folder = tmp_path_factory.mktemp("pair")
    valid = dict(zip("abc", animals, strict=False))
    path = write_aligned(folder, "s", valid, fps=30.0)
    model = random_model(["nose_x", "speed"], length, mean=[1e4, 0.0], std=[1e4, 3.0])
    model_file.save(model, folder / "model.pt")
    encode_sessions(folder / "model.pt", {path: folder / "z.parquet"}, "cpu")
    table = pq.read_table(folder / "z.parquet").to_pandas()
    rows = pq.read_table(path).to_pandas()
    net, keys, windows = model.network(), [], []
    for individual, mask in valid.items():
        values = rows[rows["individual"] == individual][model.features].to_numpy()
        for start in range(len(mask) - length + 1):
            if mask[start : start + length].all():
                keys.append([individual, start + length // 2])
                windows.append((values[start : start + length] - model.mean) / model.std)
    assert table[["individual", "row"]].values.tolist() == keys
    index = rows.set_index(["individual", "row"])
    for column in ("frame", "time_s", "run"):
        assert table[column].tolist() == [index.loc[tuple(key), column] for key in keys]
    if windows:
        with torch.no_grad():
            *_, mu, _ = net(torch.tensor(np.array(windows), dtype=torch.float32))
        np.testing.assert_allclose(table[Z].to_numpy(), mu, rtol=1e-5, atol=1e-5)


def test_encode_returns_what_the_workflow_writes(recordings, model_path, latents):
    (poses,) = read_poses(recordings / "sim-1.csv", 30).values()
    found = encode(model_file.load(model_path), align(poses, ALIGN))
    expected = pq.read_table(latents["sim-1"]).to_pandas()[["row", "frame", "time_s", "run", *Z]]
    pd.testing.assert_frame_equal(found, expected, check_exact=True)


def test_a_new_recording_is_aligned_as_the_model_says(recordings, model_path, latents):
    model = load_model(model_path)
    assert model.settings["align"]["keypoints"] is None
    (poses,) = read_poses(recordings / "sim-1.csv", 30).values()
    found = encode(model, align(poses, *model.alignment()))
    expected = pq.read_table(latents["sim-1"]).to_pandas()[["row", "frame", "time_s", "run", *Z]]
    pd.testing.assert_frame_equal(found, expected, check_exact=True)


def test_a_session_of_two_animals_has_the_latents_of_each(data, model_path, latents, tmp_path):
    """Two recordings as the animals of one session."""
    sources = {name: data / f"aligned/{name}.parquet" for name in ("sim-1", "sim-3")}
    meta = files.read_metadata(sources["sim-1"])
    facts = [files.read_metadata(path)["individuals"]["id_0"] for path in sources.values()]
    meta |= {"session": "pair", "individuals": dict(zip(sources, facts, strict=True))}
    tables = []
    for individual, path in sources.items():
        table = pq.read_table(path)
        names = [pa.array([name] * len(table)) for name in ("pair", individual)]
        columns = [*names, *table.columns[2:]]
        plain = pa.Table.from_arrays(columns, names=table.column_names)
        tables.append(plain.cast(table.schema.remove_metadata()))
    pair = tmp_path / "pair.parquet"
    files.write_tables(pair, tables, tables[0].schema, meta)
    encode_sessions(model_path, {pair: tmp_path / "z.parquet"}, "cpu")
    found = pq.read_table(tmp_path / "z.parquet").to_pandas()
    n_windows = []
    for individual, path in latents.items():
        alone = pq.read_table(path).to_pandas()
        of_animal = found[found["individual"] == individual].reset_index(drop=True)
        n_windows.append(len(alone))
        assert of_animal[INDEX[2:]].equals(alone[INDEX[2:]])
        # other batches: matrix products round differently
        np.testing.assert_allclose(of_animal[Z], alone[Z], rtol=1e-4, atol=1e-6)
    stds = [read_record(LatentsMetadata, path).posterior_std for path in latents.values()]
    together = read_record(LatentsMetadata, tmp_path / "z.parquet").posterior_std
    np.testing.assert_allclose(together, np.average(stds, axis=0, weights=n_windows), rtol=1e-5)


def test_recordings_that_do_not_fit_the_model_are_refused(model_path, recordings, tmp_path):
    aligned, out = tmp_path / "other.parquet", tmp_path / "latents.parquet"
    align_recording(recordings, aligned, fps=15, kinematics=False)
    with pytest.raises(InputError) as error:
        encode_sessions(model_path, {aligned: out}, "cpu")
    features, fps, kinematics = error.value.problems
    assert (
        "was aligned with align.kinematics false, the recordings of the model with true"
        in kinematics
    )
    assert "missing speed_forward, speed_lateral, turn_rate" in features
    assert "15 fps, the model was trained at 30" in fps
    assert all(str(aligned) in line for line in error.value.problems)
    assert not out.exists()


def test_encode_refuses_other_features_frame_rates_and_settings(recordings, model_path):
    (poses,) = read_poses(recordings / "sim-1.csv", 30).values()
    aligned = align(poses, ALIGN.model_copy(update={"fps": 15.0, "kinematics": False}))
    with pytest.raises(InputError) as error:
        encode(model_file.load(model_path), aligned)
    features, fps, settings = error.value.problems
    assert "missing speed_forward, speed_lateral, turn_rate" in features
    assert "15 fps, the model was trained at 30" in fps
    assert "align.kinematics false, the recordings of the model with true" in settings


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"scale": False}, "align.scale false, the recordings of the model with true"),
        ({"smooth_s": None}, "align.smooth_s null, the recordings of the model with 0.17"),
        ({"min_confidence": 0.1}, "align.min_confidence 0.1, the recordings of the model with 0.6"),
        (
            {"min_confidence": {"nose": 0.5}},
            'align.min_confidence {"nose": 0.5}, the recordings of the model with 0.6',
        ),
        ({"camera": "below"}, 'align.camera "below", the recordings of the model with "above"'),
        ({"floor": 1.5}, 'align.floor 1.5, the recordings of the model with "auto"'),
    ],
)
def test_a_recording_aligned_with_other_settings_is_refused_by_name(
    model_path, recordings, tmp_path, change, message
):
    aligned, out = tmp_path / "other.parquet", tmp_path / "latents.parquet"
    align_recording(recordings, aligned, **change)
    with pytest.raises(InputError) as error:
        encode_sessions(model_path, {aligned: out}, "cpu")
    (line,) = error.value.problems
    assert message in line and not out.exists()


def test_a_rejected_recording_is_refused_with_the_reasons(model_path, tmp_path):
    aligned = tmp_path / "bad.parquet"
    problem = "session bad: nothing in it"
    aligned_file.write_rejection("bad", [problem], aligned, tmp_path / "bad.qc.json")
    with pytest.raises(InputError, match=problem):
        encode_sessions(model_path, {aligned: tmp_path / "latents.parquet"}, "cpu")


def test_the_reasons_of_sessions_that_cannot_be_encoded_are_written_in_their_place(
    data, model_path, latents, recordings, tmp_path, capsys
):
    """One could not be aligned, one does not fit the model, one is fine; a file of reasons is replaced."""
    folder, out = tmp_path / "aligned", tmp_path / "latents"
    shutil.copytree(data / "aligned", folder)
    rejected = "session bad: nothing in it"
    aligned_file.write_rejection("bad", [rejected], folder / "bad.parquet", folder / "bad.qc.json")
    align_recording(recordings, folder / "other.parquet", fps=15)
    arguments = ["encode", "--model", str(model_path), "--aligned", str(folder), "--device", "cpu"]
    arguments += ["--sessions", "bad", "other", "sim-1", "--out", str(out)]
    assert main(arguments) == 2
    assert sorted(path.name for path in out.iterdir()) == ["sim-1.parquet"]
    capsys.readouterr()
    assert main([*arguments, "--record-failure"]) == 0
    warnings = capsys.readouterr().err
    problems = {}
    for name in ("bad", "other"):
        with pytest.raises(InputError) as error:
            read_record(LatentsMetadata, out / f"{name}.parquet")
        (problems[name],) = error.value.problems
        assert f"WARNING: {problems[name]}" in warnings
        assert pq.read_table(out / f"{name}.parquet").num_rows == 0
    assert problems["bad"] == rejected
    assert "has 15 fps, the model was trained at 30" in problems["other"]
    assert pq.read_table(out / "sim-1.parquet").equals(pq.read_table(latents["sim-1"]))

    align_recording(recordings, folder / "other.parquet")
    assert main([*arguments, "--record-failure"]) == 0
    assert pq.read_metadata(out / "other.parquet").num_rows == len(pq.read_table(latents["sim-1"]))


def test_an_interrupted_job_resumes_and_a_bad_recording_stops_no_other(
    data, model_path, latents, tmp_path, capsys
):
    """Finished sessions wait in the scratch folder and are used as they are, unless the model differs."""
    folder, out, scratch = tmp_path / "aligned", tmp_path / "latents", tmp_path / "scratch"
    shutil.copytree(data / "aligned", folder)
    build(
        sorted(folder.glob("*.parquet")), Windows(length_s=0.5, future_s=0.2), tmp_path / "windows"
    )
    intact = (folder / "sim-2.parquet").read_bytes()
    (folder / "sim-2.parquet").write_bytes(intact[:1000])
    arguments = ["encode", "--model", str(model_path), "--aligned", str(folder)]
    arguments += ["--windows", str(tmp_path / "windows"), "--scratch", str(scratch)]
    arguments += ["--device", "cpu", "--out", str(out)]
    assert main(arguments) == 2
    (error,) = [x for x in capsys.readouterr().err.splitlines() if x.startswith("ERROR")]
    assert "aligned/sim-2.parquet: cannot be read as Parquet" in error and not out.exists()
    finished = {p.name: p.stat() for p in scratch.iterdir()}
    assert set(finished) == {"sim-1.parquet", "sim-3.parquet"}
    (folder / "sim-2.parquet").write_bytes(intact)
    other = model_file.load(model_path)
    other.state["lmbda.hidden_to_mean.bias"] += 1
    model_file.save(other, tmp_path / "other.pt")
    encode_sessions(
        tmp_path / "other.pt", {folder / "sim-3.parquet": scratch / "sim-3.parquet"}, "cpu"
    )
    assert main(arguments) == 0
    assert not scratch.exists()
    kept = (out / "sim-1.parquet").stat()
    assert kept.st_ino == finished["sim-1.parquet"].st_ino
    # Snakemake refuses outputs that are older than the job's inputs
    assert kept.st_mtime_ns >= (folder / "sim-2.parquet").stat().st_mtime_ns
    alone = tmp_path / "alone.parquet"
    encode_sessions(model_path, {folder / "sim-2.parquet": alone}, "cpu")
    for name, path in (latents | {"sim-2": alone}).items():
        assert pq.read_table(out / f"{name}.parquet").equals(pq.read_table(path))


def test_a_damaged_file_of_latents_is_replaced(data, model_path, latents, tmp_path):
    out = tmp_path / "latents.parquet"
    out.write_bytes(latents["sim-1"].read_bytes()[:500])
    encode_sessions(model_path, {data / "aligned/sim-1.parquet": out}, "cpu")
    assert pq.read_table(out).equals(pq.read_table(latents["sim-1"]))


def test_a_recording_without_a_window_has_an_empty_file(data, model_path, tmp_path, caplog):
    source = data / "aligned/sim-1.parquet"
    table = pq.read_table(source).slice(0, 10)
    short = tmp_path / "short.parquet"
    pq.write_table(table.replace_schema_metadata(pq.read_schema(source).metadata), short)
    encode_sessions(model_path, {short: tmp_path / "latents.parquet"}, "cpu")
    result = pq.read_table(tmp_path / "latents.parquet")
    assert result.num_rows == 0 and "z_03" in result.column_names
    assert result.schema.remove_metadata() == pa.schema([*INDEX_FIELDS, *feature_fields(Z)])
    # the name is that of the metadata, not that of the file
    assert "session sim-1: no run of 15 valid frames" in caplog.text
    assert read_record(LatentsMetadata, tmp_path / "latents.parquet").posterior_std == [0.0] * 4


def test_runs_of_equal_length_are_encoded_run_by_run():
    model = random_model(["nose_x", "speed"], 5)
    runs = np.random.default_rng(0).normal(size=(3, 8, 2)).astype(np.float32)
    found = encode_runs(model, model.network(), runs)
    windows = [run[i : i + 5] for run in runs for i in range(4)]
    with torch.no_grad():
        *_, mu, _ = model.network()(torch.from_numpy(np.array(windows)))
    np.testing.assert_array_equal(found, mu)
    with pytest.raises(InputError, match="runs of 4 frames; this model needs at least 5"):
        encode_runs(model, model.network(), runs[:, :4])


def test_windows_lists_the_sessions_of_the_training_windows(data, model_path, tmp_path):
    """Only sim-1 and sim-2 are in the windows; sim-3 is aligned, too."""
    arguments = ["encode", "--model", str(model_path), "--aligned", str(data / "aligned")]
    arguments += ["--windows", str(data / "windows"), "--device", "cpu", "--out", str(tmp_path)]
    assert WindowsFolder(data / "windows").frames.exists()
    assert main(arguments) == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["sim-1.parquet", "sim-2.parquet"]
