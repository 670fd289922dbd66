"""The motif stage: from latents with known states to the files that the report reads."""

import json
import shutil
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from aligned_files import FIRST_FRAME
from motif_project import LENGTH, draw_states, new_project
from sklearn.metrics import adjusted_rand_score

from vame_pipe.cli.main import main
from vame_pipe.config.sections import Motifs
from vame_pipe.core import files
from vame_pipe.core.errors import InputError
from vame_pipe.core.metadata import (
    LatentsMetadata,
    MotifsMetadata,
    read_record,
    to_metadata,
    write_rejection,
)
from vame_pipe.motifs import segmentation
from vame_pipe.motifs.inputs import Latents, read_latents
from vame_pipe.motifs.labels import label, used_rows
from vame_pipe.motifs.scan import select
from vame_pipe.motifs.segment import numbered_by_usage, segment

FAST = Motifs(n=3, seeds=2)
N_ROWS = 900
GAP = slice(300, 320)
HALF = LENGTH // 2


def valid_rows():
    valid = np.ones(N_ROWS, bool)
    valid[GAP] = False
    return valid


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """Two training sessions with three states, segmented, and a new session."""
    project = new_project(tmp_path_factory.mktemp("motifs"))
    states = {f"s{i}": draw_states(N_ROWS, seed=i) for i in range(3)}
    for i, (name, of_session) in enumerate(states.items()):
        project.add(name, valid_rows(), of_session, seed=i)
    segment(project.inputs("s0", "s1"), FAST, project.layout.motifs("m").root)
    return project, states


def read(project, session):
    return pq.read_table(project.layout.motifs("m").session(session)).to_pandas()


def test_states_are_found_at_their_rows(done):
    project, states = done
    for name in ("s0", "s1"):
        table = read(project, name)
        known = table["motif"].notna().to_numpy()
        found = table["motif"][known].astype(int)
        assert adjusted_rand_score(states[name][known], found) > 0.97
        assert (found == states[name][known]).mean() > 0.97  # the first states are used most
        assert table["confidence"][known].mean() > 0.95


def test_every_row_of_a_recording_has_a_motif_or_a_reason(done):
    project, _ = done
    table = read(project, "s0")
    assert table["row"].tolist() == list(range(N_ROWS))
    assert (table["frame"] == table["row"] + FIRST_FRAME).all()
    assert (table["motif"].isna() == table["reason"].notna()).all()
    assert (table["confidence"].isna() == table["motif"].isna()).all()
    assert (table["bout"].isna() == table["motif"].isna()).all()
    gap = np.flatnonzero(table["reason"] == "gap")
    assert gap.tolist() == list(range(GAP.start, GAP.stop))
    edge = np.flatnonzero(table["reason"] == "edge")
    begins = [*range(HALF), *range(GAP.stop, GAP.stop + HALF)]
    ends = [*range(GAP.start - HALF, GAP.start), *range(N_ROWS - HALF, N_ROWS)]
    assert sorted(edge) == sorted(begins + ends)


def labelled(done, tmp_path, min_confidence):
    """Motifs of a noisy session with another limit."""
    project, states = done
    project.add("noisy", valid_rows(), states["s0"], spread=1.5, seed=6)
    found = segmentation.load(project.layout.motifs("m"))
    settings = found.settings | {"min_confidence": min_confidence}
    out = tmp_path / f"{min_confidence}" / "noisy.parquet"
    latents, aligned = project.layout.latents("m", "noisy"), project.layout.aligned("noisy")
    label(replace(found, settings=settings), latents, aligned, out)
    return pd.read_parquet(out)


def test_a_bout_that_is_too_uncertain_loses_its_motif_as_a_whole(done, tmp_path):
    every = labelled(done, tmp_path, 0.0)
    assert "low confidence" not in set(every["reason"].dropna())
    mean = every.groupby("bout")["confidence"].mean()
    limit = 0.98
    table = labelled(done, tmp_path, limit)
    low = every["bout"].map(mean) < limit
    assert (mean < limit).sum() > 5 and ((table["reason"] == "low confidence") == low).all()
    assert table["motif"].isna().equals(every["motif"].isna() | low)
    assert (table["motif"].dropna() == every["motif"][table["motif"].notna()]).all()
    pd.testing.assert_series_equal(table["confidence"], every["confidence"])
    # the bouts that are left are numbered from 0; no two of them become one
    kept = every["bout"][table["bout"].notna()]
    number = {bout: i for i, bout in enumerate(kept.unique())}
    assert table["bout"].dropna().tolist() == kept.map(number).tolist()


def test_with_a_limit_of_1_no_uncertain_row_has_a_motif(done, tmp_path):
    table = labelled(done, tmp_path, 1.0)
    bouts = pd.read_parquet(tmp_path / "1.0/bouts/noisy.parquet")
    assert table["motif"].notna().sum() == pytest.approx(bouts["duration_s"].sum() * 10)
    assert (table["confidence"][table["motif"].notna()] == 1).all()
    assert (table["reason"] == "low confidence").mean() > 0.5


def test_bouts_usage_and_transitions_agree_with_the_rows(done):
    project, _ = done
    folder = project.layout.motifs("m")
    bouts, usage, transitions = (
        pd.read_parquet(path) for path in (folder.bouts, folder.usage, folder.transitions)
    )
    for name in ("s0", "s1"):
        table = read(project, name)
        own = bouts[bouts["session"] == name]
        for bout in own.itertuples():
            rows = table[table["bout"] == bout.bout]
            assert (rows["motif"] == bout.motif).all()
            assert [rows["row"].min(), rows["row"].max()] == [bout.start_row, bout.end_row]
            assert [rows["frame"].min(), rows["frame"].max()] == [bout.start_frame, bout.end_frame]
            assert bout.duration_s == pytest.approx(len(rows) / 10)
            assert bout.end_s - bout.start_s == pytest.approx(bout.duration_s - 0.1)
        assert not ((own["start_row"] < GAP.start) & (own["end_row"] >= GAP.stop)).any()
        of_session = usage[usage["session"] == name].set_index("motif")
        counted = table["motif"].value_counts()
        assert of_session["n_rows"].to_dict() == {int(k): v for k, v in counted.items()}
        assert of_session["fraction"].sum() == pytest.approx(1)
        assert of_session["n_bouts"].to_dict() == own["motif"].value_counts().to_dict()
        # all bouts touch the next one, but for the one at the gap
        of_session = transitions[transitions["session"] == name]
        assert of_session["count"].sum() == len(own) - 2
        assert (of_session["source"] != of_session["target"]).all()


def test_motifs_are_numbered_by_usage(done):
    project, _ = done
    usage = pd.read_parquet(project.layout.motifs("m").usage)
    total = usage.groupby("motif")["n_rows"].sum()
    assert total.is_monotonic_decreasing and len(total) == 3


def test_quality_has_a_row_for_latents_and_one_for_pca(done):
    project, _ = done
    quality = pd.read_parquet(project.layout.motifs("m").quality).set_index("representation")
    assert quality.index.tolist() == ["latents", "pca"]
    assert quality.loc["latents", "adjusted_rand"] > 0.99
    assert quality.loc["latents", "variation_of_information"] < 0.02
    assert quality["chosen"].all() and (quality["n"] == 3).all()
    assert quality.loc["latents", "n_sessions_min"] == 2
    assert np.isfinite(quality["log_likelihood"]).all()


def test_the_same_input_gives_the_same_files(done, tmp_path):
    project, _ = done
    segment(project.inputs("s0", "s1"), FAST, tmp_path / "again")
    for path in project.layout.motifs("m").root.glob("*.*"):
        assert (tmp_path / "again" / path.name).read_bytes() == path.read_bytes(), path.name


def test_a_new_session_gets_what_a_training_session_would_get(done, tmp_path):
    """And nothing that is already there changes."""
    project, states = done
    layout, folder = project.layout, project.layout.motifs("m")
    before = {path: path.read_bytes() for path in folder.root.iterdir()}
    for name in ("s0", "s2"):
        arguments = ["label", "--segmentation", str(folder.root)]
        arguments += ["--latents", str(layout.latents("m", name))]
        arguments += ["--aligned", str(layout.aligned(name))]
        assert main([*arguments, "--out", str(tmp_path / f"{name}.parquet")]) == 0
    assert (tmp_path / "s0.parquet").read_bytes() == folder.session("s0").read_bytes()
    assert {path: path.read_bytes() for path in folder.root.iterdir()} == before
    table = pd.read_parquet(tmp_path / "s2.parquet")
    known = table["motif"].notna().to_numpy()
    assert adjusted_rand_score(states["s2"][known], table["motif"][known]) > 0.97
    record = read_record(MotifsMetadata, tmp_path / "s2.parquet")
    assert record.segmentation_fingerprint == segmentation.load(folder).fingerprint


def refused(folder, project, session="s0", model="m"):
    with pytest.raises(InputError) as error:
        label(
            segmentation.load(folder),
            project.layout.latents(model, session),
            project.layout.aligned(session),
            folder.root / "out.parquet",
        )
    (line,) = error.value.problems
    return line


@pytest.fixture
def copied(done, tmp_path):
    project, _ = done
    shutil.copytree(project.layout.motifs("m").root, tmp_path / "copy")
    return type(project.layout.motifs("m"))(tmp_path / "copy")


def test_latents_of_another_model_are_refused(done, copied):
    project, _ = done
    project.add("s9", valid_rows(), seed=9, model="other")
    assert "but the motifs belong to model" in refused(copied, project, "s9", "other")


def test_latents_of_another_recording_are_refused(done, copied):
    project, _ = done
    project.add("s8", valid_rows(), seed=8)
    shutil.copy(project.layout.latents("m", "s0"), project.layout.latents("m", "s8"))
    assert "another aligned recording" in refused(copied, project, "s8")


@pytest.mark.parametrize("change", [{"stage_version": 0}, {"fps": 25.0}])
def test_latents_of_another_version_or_rate_are_refused(done, copied, change):
    project, _ = done
    project.add("s7", valid_rows(), seed=7)
    path = project.layout.latents("m", "s7")
    table, meta = pq.read_table(path), read_record(LatentsMetadata, path)
    files.write_tables(path, [table], table.schema, to_metadata(replace(meta, **change)))
    line = refused(copied, project, "s7")
    assert line.startswith(f"{path}: has ") and "the segmentation needs 10 fps and stage" in line


@pytest.mark.parametrize("damage", ["cut", "text", "empty", "pickle", "missing", "zip"])
def test_a_damaged_segmentation_is_refused_in_one_line(done, copied, damage):
    path = copied.segmentation
    content = path.read_bytes()
    if damage == "missing":
        path.unlink()
    elif damage == "pickle":
        np.savez(path.with_suffix(".npz"), mean=np.array([{"a": 1}], object))
    else:
        of_first = content.index(b"PK\1\2") + 10  # its compression, in the directory of the archive
        strange = content[:of_first] + b"\xff" + content[of_first + 1 :]
        damaged = {"cut": content[:300], "text": b"no", "empty": b"", "zip": strange}
        path.write_bytes(damaged[damage])
    line = refused(copied, done[0])
    assert str(path) in line or str(copied.root) in line


@pytest.mark.parametrize("change", [{"lag": 2}, {"method": "kmeans"}, {"fps": 9.0}])
def test_settings_and_arrays_that_do_not_belong_together_are_refused(done, copied, change):
    content = json.loads(copied.settings.read_text())
    copied.settings.write_text(json.dumps(content | change))
    assert "do not belong together" in refused(copied, done[0])


@pytest.mark.parametrize("text", ["", "[]", "{}", "{"])
def test_damaged_settings_are_refused(done, copied, text):
    copied.settings.write_text(text)
    assert "is damaged" in refused(copied, done[0])


def test_two_animals_are_told_apart(tmp_path):
    project = new_project(tmp_path)
    states = draw_states(1200)
    animals = {"a": np.ones(500, bool), "b": np.ones(700, bool)}
    project.add("s", animals, states)
    segment(project.inputs("s"), FAST, project.layout.motifs("m").root)
    table = read(project, "s")
    assert len(table) == 1200
    known = table["motif"].notna().to_numpy()
    assert (~known).sum() == 4 * HALF
    assert adjusted_rand_score(states[known], table["motif"][known]) > 0.97
    bouts = pd.read_parquet(project.layout.motifs("m").bouts)
    for name, own in bouts.groupby("individual", observed=True):
        assert own["bout"].tolist() == list(range(len(own)))
        assert own["end_row"].max() == {"a": 500, "b": 700}[name] - HALF - 1


def test_more_motifs_than_the_data_support_are_left_out(tmp_path, caplog):
    """Latents that take three values only; one session, and one that has no window."""
    project = new_project(tmp_path)
    project.add("s", np.ones(600, bool), draw_states(600), spread=0.0)
    project.add("short", np.arange(50) % 5 > 0)
    segment(project.inputs("s", "short"), Motifs(n=8, seeds=2), project.layout.motifs("m").root)
    found = segmentation.load(project.layout.motifs("m"))
    assert found.n_motifs == 3
    assert "8 motifs were asked for, the data support 3" in caplog.text
    assert "session short: no latent vector, so no motif" in caplog.text
    assert read(project, "short")["motif"].isna().all()
    usage = pd.read_parquet(project.layout.motifs("m").usage)
    assert (usage[usage["session"] == "short"]["n_rows"] == 0).all()
    assert usage[usage["session"] == "short"]["median_bout_s"].isna().all()


def test_a_collapsed_latent_space_is_one_motif(tmp_path, caplog):
    project = new_project(tmp_path)
    project.add("s", np.ones(200, bool), spread=0.0)
    segment(project.inputs("s"), FAST, project.layout.motifs("m").root)
    assert segmentation.load(project.layout.motifs("m")).n_motifs == 1
    assert "the latent space has collapsed" in caplog.text


def test_a_session_that_never_uses_a_motif_has_a_row_that_says_0(tmp_path):
    project = new_project(tmp_path)
    project.add("s", np.ones(600, bool), draw_states(600), seed=1)
    project.add("t", np.ones(600, bool), draw_states(600, n_states=2), seed=2)
    segment(project.inputs("s", "t"), FAST, project.layout.motifs("m").root)
    usage = pd.read_parquet(project.layout.motifs("m").usage)
    own = usage[usage["session"] == "t"]
    assert own["motif"].tolist() == [0, 1, 2] and own["n_rows"].min() == 0
    quality = pd.read_parquet(project.layout.motifs("m").quality)
    assert quality["n_sessions_min"][0] == 1


def test_kmeans_has_no_confidence(tmp_path):
    project = new_project(tmp_path)
    states = draw_states(600)
    project.add("s", np.ones(600, bool), states)
    settings = Motifs(method="kmeans", n=3, seeds=2)
    segment(project.inputs("s"), settings, project.layout.motifs("m").root)
    table = read(project, "s")
    known = table["motif"].notna().to_numpy()
    assert adjusted_rand_score(states[known], table["motif"][known]) > 0.97
    assert table["confidence"].isna().all()
    quality = pd.read_parquet(project.layout.motifs("m").quality)
    assert quality["log_likelihood"].isna().all()


def test_a_scan_chooses_the_true_number(tmp_path):
    project = new_project(tmp_path)
    project.add("s", np.ones(1500, bool), draw_states(1500))
    segment(project.inputs("s"), Motifs(n=[3, 6], seeds=3), project.layout.motifs("m").root)
    quality = pd.read_parquet(project.layout.motifs("m").quality)
    assert quality["n"].tolist() == [3, 6, 3, 6]
    assert quality["chosen"].tolist() == [True, False, True, False]
    assert segmentation.load(project.layout.motifs("m")).n_motifs == 3


def test_latents_of_a_changed_model_are_refused_with_all_problems(tmp_path):
    project = new_project(tmp_path)
    for name in ("s", "t"):
        project.add(name, np.ones(300, bool))
    project.inputs("s", "t")
    project.layout.model("m").weights.write_text("trained again")
    with pytest.raises(InputError) as error:
        project.inputs("s", "t")
    assert len(error.value.problems) == 2
    assert all("but the motifs belong to model" in line for line in error.value.problems)


def test_latents_of_windows_of_another_length_are_refused(tmp_path):
    project = new_project(tmp_path)
    project.add("s", np.ones(300, bool))
    path = project.layout.latents("m", "s")
    table, meta = pq.read_table(path), read_record(LatentsMetadata, path)
    files.write_tables(path, [table], table.schema, to_metadata(replace(meta, length=7)))
    with pytest.raises(
        InputError, match=r"s.parquet: is of windows of 7 rows, but those in .* have 5"
    ):
        project.inputs("s")


def command(project, out):
    """Arguments of `vame-pipe` to segment the latents of the model m."""
    layout = project.layout
    return [
        *("segment", "--latents", str(layout.latents_folder("m"))),
        *("--aligned", str(layout.aligned_folder), "--windows", str(layout.windows_folder.root)),
        *("--model", str(layout.model("m").weights), "--out", str(out)),
        *("--settings", FAST.model_dump_json()),
    ]


def test_the_command_writes_what_the_function_writes(done, tmp_path):
    project, _ = done
    project.inputs("s0", "s1")
    assert main(command(project, tmp_path / "out")) == 0
    expected = {path.name for path in project.layout.motifs("m").root.iterdir()}
    assert {path.name for path in (tmp_path / "out").iterdir()} == expected


def test_a_job_that_is_killed_in_the_middle_leaves_nothing_behind(done, tmp_path):
    project, _ = done
    log = tmp_path / "log"
    slow = Motifs(n=40, seeds=50).model_dump_json()
    arguments = [*command(project, tmp_path / "out")[:-1], slow, "--log", str(log)]
    process = subprocess.Popen([sys.executable, "-m", "vame_pipe", *arguments])
    deadline = time.monotonic() + 60
    while not (log.exists() and "rows of" in log.read_text()) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert process.poll() is None
    process.kill()
    process.wait()
    assert not (tmp_path / "out").exists()
    assert main(command(project, tmp_path / "out")) == 0


def test_long_recordings_are_sampled_evenly(tmp_path, monkeypatch):
    monkeypatch.setattr("vame_pipe.motifs.sample.MAX_ROWS", 600)
    monkeypatch.setattr("vame_pipe.motifs.sample.STRETCH", 100)
    project = new_project(tmp_path)
    states = [draw_states(900, seed=i) for i in range(2)]
    states.append(np.repeat([0, 1, 2], 30))  # one stretch, none of which is in the sample
    for i, of_session in enumerate(states):
        project.add(f"s{i}", np.ones(len(of_session), bool), of_session, seed=i)
    segment(project.inputs("s0", "s1", "s2"), FAST, project.layout.motifs("m").root)
    for i, of_session in enumerate(states):
        table = read(project, f"s{i}")
        known = table["motif"].notna().to_numpy()
        assert known.sum() == len(of_session) - 2 * HALF
        assert adjusted_rand_score(of_session[known], table["motif"][known]) > 0.97
    quality = pd.read_parquet(project.layout.motifs("m").quality).set_index("representation")
    assert quality.loc["latents", "n_sessions_min"] == 3
    assert np.isnan(quality.loc["pca", "n_sessions_min"])


def test_a_session_that_was_not_encoded_leaves_its_reasons_in_place_of_motifs(done, tmp_path):
    """So that a job of many sessions does not fail with it; the report names it."""
    project, _ = done
    latents, out = tmp_path / "bad.parquet", tmp_path / "motifs.parquet"
    write_rejection(latents, ["session bad: no frames"])
    command = ["label", "--segmentation", str(project.layout.motifs("m").root)]
    command += ["--latents", str(latents), "--aligned", str(project.layout.aligned("s2"))]
    assert main([*command, "--out", str(out)]) == 2 and not out.exists()
    assert main([*command, "--record-failure", "--out", str(out)]) == 0
    with pytest.raises(InputError, match="session bad: no frames"):
        read_record(MotifsMetadata, out)


def test_motifs_are_numbered_by_the_rows_that_have_them_in_the_results(done):
    project, _ = done
    used = pd.read_parquet(project.layout.motifs("m").usage)
    rows = used.groupby("motif")["n_rows"].sum().to_numpy()
    assert (np.diff(rows) <= 0).all()
    found = segmentation.load(project.layout.motifs("m"))
    latents = [read_latents(project.layout.latents("m", name)) for name in ("s0", "s1")]
    backwards = replace(found, arrays=select(found.arrays, np.array([2, 1, 0])))
    again = numbered_by_usage(backwards, latents)
    for name, array in found.arrays.items():
        np.testing.assert_allclose(again.arrays[name], array)


def test_rows_too_uncertain_for_a_motif_do_not_count_in_its_number(done):
    """Most rows are at 0, between states 0 and 1; the fit numbers state 0 first, but no row gets it."""
    arrays = {
        "offset": np.zeros(1),
        "scale": np.ones(1),
        "mean": np.array([[-0.1], [0.12], [9.0]]),
        "start": np.full(3, 1 / 3),
        "transition": np.full((3, 3), 0.05) + 0.85 * np.eye(3),
        "covariance": np.ones((1, 1, 1)),
        "temper": np.array(1.0),
    }
    found = replace(
        segmentation.load(done[0].layout.motifs("m")),
        arrays=arrays,
        settings=FAST.for_segmentation() | {"min_confidence": 0.9},
    )
    values, run = np.repeat([0.0, 9.0], [60, 40])[:, None], np.repeat([0, 1], [60, 40])
    latents = Latents(values, np.zeros(100, np.int64), np.arange(100), run)
    assert used_rows(found, latents).tolist() == [0, 0, 40]
    assert numbered_by_usage(found, [latents]).arrays["mean"].ravel().tolist() == [9.0, -0.1, 0.12]
