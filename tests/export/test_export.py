"""Exports: each is read back by the library of its format and compared with the results."""

import json

import numpy as np
import pandas as pd
import pynwb
import pytest
import xarray as xr
import yaml
from exported_project import FPS, LENGTH, NAMES, STARTED, make_project
from nwbinspector import Importance, inspect_nwbfile
from pympi import Eaf

from vame_pipe.cli import export as command
from vame_pipe.cli.main import main
from vame_pipe.core.errors import InputError
from vame_pipe.core.metadata import AlignedMetadata, read_record
from vame_pipe.export import animal_facts, run
from vame_pipe.export.run import FORMATS, export
from vame_pipe.export.tables import BORIS_COLUMNS
from vame_pipe.motifs.label_file import frame_labels, read_labels
from vame_pipe.poses.readers import read_poses

WALK = NAMES[0]["name"]
BEHAVIOURS = {0: WALK, 1: "motif 1", 3: "motif 3"}
"""Motif 2 counts as motif 1."""


@pytest.fixture(scope="module")
def layout(tmp_path_factory):
    """The project, exported to every format."""
    layout = make_project(tmp_path_factory.mktemp("export"))
    for file_format in FORMATS:
        export(layout, file_format, model="vame")
    return layout


def exported(layout, file_format, name):
    return layout.exported("vame", file_format) / name


@pytest.fixture(scope="module")
def truth(layout):
    """By session and animal: motif of each row with merged ones as one, -1 without; latents."""
    found = {}
    for session in ("solo", "pair"):
        labels = pd.read_parquet(layout.motifs("vame").session(session))
        latents = pd.read_parquet(layout.latents("vame", session)).drop(columns=["frame", "time_s"])
        keys = ["session", "individual", "row"]
        table = labels.astype({"individual": str, "session": str}).merge(
            latents.astype({"individual": str, "session": str}), how="left", on=keys
        )
        table["motif"] = table["motif"].replace({2: 1}).fillna(-1).astype(int)
        found |= {(session, name): part for name, part in table.groupby("individual")}
    return found


def motifs_of_bouts(bouts, n_rows):
    """Motif of each row from (start in s, end in s, name)."""
    numbers = {name: number for number, name in BEHAVIOURS.items()}
    motif = np.full(n_rows, -1)
    for start, end, name in bouts:
        first, after = round(start * FPS), round(end * FPS)
        assert after > first and (motif[first:after] == -1).all()
        motif[first:after] = numbers[name]
    return motif


def test_the_wide_table_has_every_row_with_its_motif_name_and_latents(layout, truth):
    for (session, animal), expected in truth.items():
        table = pd.read_csv(exported(layout, "csv", f"{session}.csv"))
        table = table[table["individual"] == animal]
        assert table["motif"].fillna(-1).tolist() == expected["motif"].tolist()
        assert table["name"].eq(WALK).tolist() == expected["motif"].eq(0).tolist()
        np.testing.assert_allclose(table["z_02"], expected["z_02"], rtol=1e-6)
        aligned = pd.read_parquet(layout.aligned(session))
        of_animal = aligned[aligned["individual"] == animal]
        np.testing.assert_allclose(table["nose_x"], of_animal["nose_x"], rtol=1e-6)
        facts = read_record(AlignedMetadata, layout.aligned(session)).individuals[animal]
        cm = facts.body_length_px / {"solo": 4, "pair": 5}[session]
        speed = cm * np.hypot(of_animal["speed_forward"], of_animal["speed_lateral"])
        np.testing.assert_allclose(table["speed_cm_s"], speed, rtol=1e-5)
        known = table.dropna(subset="bout")
        assert len(known) == (expected["motif"] >= 0).sum()
        assert (known.groupby("bout")["motif"].nunique() == 1).all()
        assert known["bout"].diff().dropna().isin([0, 1]).all()
    assert np.isnan(table["z_00"]).sum() >= LENGTH - 1  # no window at the ends


def test_boris_events_are_pairs_in_the_order_of_time_that_give_the_motifs_back(layout, truth):
    for session in ("solo", "pair"):
        table = pd.read_csv(exported(layout, "boris", f"{session}.tsv"), sep="\t")
        assert list(table) == list(BORIS_COLUMNS)
        assert table["Time"].is_monotonic_increasing
        assert (table["Observation id"] == session).all() and (table["FPS"] == FPS).all()
        for animal, events in table.groupby("Subject"):
            kinds = events["Behavior type"].tolist()
            assert kinds == ["START", "STOP"] * (len(kinds) // 2)
            starts, stops = events.iloc[::2], events.iloc[1::2]
            assert starts["Behavior"].tolist() == stops["Behavior"].tolist()
            bouts = zip(starts["Time"], stops["Time"], starts["Behavior"], strict=True)
            expected = truth[session, animal]["motif"]
            assert motifs_of_bouts(bouts, len(expected)).tolist() == expected.tolist()
    solo = pd.read_csv(exported(layout, "boris", "solo.tsv"), sep="\t")
    assert solo["Observation date"].unique().tolist() == ["2026-05-04 09:30:00"]


def test_boris_events_are_labels_that_fit_the_motifs(layout, truth):
    """What is exported can be corrected in BORIS and compared with the motifs."""
    for session, animals in (("solo", "a"), ("pair", "ab")):
        labels = read_labels(exported(layout, "boris", f"{session}.tsv"), session)
        assert labels.fps == FPS
        found = frame_labels(labels, list(animals), FPS, 0, 80)
        for name in animals:
            expected = [BEHAVIOURS.get(motif) for motif in truth[session, name]["motif"]]
            assert found[name].tolist() == expected


def test_elan_has_a_tier_per_animal_with_the_bouts(layout, truth):
    for session, animals in (("solo", "a"), ("pair", "ab")):
        file = Eaf(exported(layout, "elan", f"{session}.eaf"))
        assert list(file.tiers) == [f"motif {name}" for name in animals]
        for name in animals:
            bouts = file.get_annotation_data_for_tier(f"motif {name}")
            bouts = [(start / 1000, end / 1000, label) for start, end, label in bouts]
            expected = truth[session, name]["motif"]
            assert motifs_of_bouts(bouts, len(expected)).tolist() == expected.tolist()
        slots = list(file.timeslots.values())
        assert slots == sorted(set(slots))
        used = {k for tier in file.tiers.values() for a in tier[0].values() for k in a[:2]}
        assert used == set(file.timeslots)
        assert set(file.linguistic_types) == {
            tier[2]["LINGUISTIC_TYPE_REF"] for tier in file.tiers.values()
        }
    solo = Eaf(exported(layout, "elan", "solo.eaf"))
    assert solo.adocument["DATE"] == STARTED
    assert file.adocument["DATE"] == "1970-01-01T00:00:00+00:00"


def test_netcdf_is_a_data_set_of_poses_as_movement_defines_it(layout, truth):
    for session in ("solo", "pair"):
        path = exported(layout, "netcdf", f"{session}.nc")
        with xr.open_dataset(path) as found:
            assert found["position"].dims == ("time", "space", "keypoint", "individual")
            assert found["confidence"].dims == ("time", "keypoint", "individual")
            assert found.attrs["ds_type"] == "poses" and found.attrs["fps"] == FPS
            np.testing.assert_allclose(found["time"], np.arange(80) / FPS)
            names = json.loads(found["motif"].attrs["names"])
            assert names == {str(number): name for number, name in BEHAVIOURS.items()}
            recorded = read_poses(layout.root.parent / f"{session}.csv", FPS)
            again = read_poses(path)
            for name in found["individual"].to_numpy():
                one = found.sel(individual=name)
                assert one["motif"].to_numpy().tolist() == truth[session, name]["motif"].tolist()
                expected = truth[session, name][["z_00", "z_01", "z_02"]]
                np.testing.assert_array_equal(one["latents"], expected)
                position = one["position"].transpose("time", "keypoint", "space")
                np.testing.assert_array_equal(position, recorded[name].position)
                np.testing.assert_array_equal(again[name].position, recorded[name].position)
                np.testing.assert_array_equal(one["confidence"], recorded[name].confidence)


@pytest.mark.parametrize(
    "file,session,animal",
    [("solo", "solo", "a"), ("pair-1-a", "pair", "a"), ("pair-2-b", "pair", "b")],
)
def test_nwb_has_poses_latents_motifs_and_bouts_of_one_animal(layout, truth, file, session, animal):
    path = exported(layout, "nwb", f"{file}.nwb")
    expected = truth[session, animal]
    assert not pynwb.validate(path=path)
    with pynwb.NWBHDF5IO(path, "r") as io:
        content = io.read()
        behavior = content.processing["behavior"]
        assert behavior["motif"].data[:].tolist() == expected["motif"].tolist()
        assert behavior["motif"].rate == FPS and behavior["motif"].starting_time == 0
        np.testing.assert_array_equal(
            behavior["latents"].data[:], expected[["z_00", "z_01", "z_02"]]
        )
        assert json.loads(behavior["latents"].comments)["model"] == "vame"
        table = content.intervals["motif_bouts"].to_dataframe()
        bouts = zip(table["start_time"], table["stop_time"], table["label"], strict=True)
        assert motifs_of_bouts(bouts, len(expected)).tolist() == expected["motif"].tolist()
        series = behavior["PoseEstimation"].pose_estimation_series
        assert list(behavior["PoseEstimation"].skeleton.nodes) == ["nose", "left ear", "tail"]
        recorded = read_poses(layout.root.parent / f"{session}.csv", FPS)[animal]
        np.testing.assert_array_equal(series["left ear"].data[:], recorded.position[:, 1])
        assert content.subject.subject_id == ("m7" if session == "solo" else f"pair-{animal}")
    (again,) = read_poses(path).values()
    np.testing.assert_array_equal(again.position, recorded.position)
    assert again.fps == FPS


def test_nwbinspector_misses_only_what_a_session_does_not_tell(layout):
    found = list(inspect_nwbfile(nwbfile_path=exported(layout, "nwb", "solo.nwb")))
    assert [each.check_function_name for each in found] == ["check_experiment_description"]
    assert found[0].importance == Importance.BEST_PRACTICE_SUGGESTION
    found = list(inspect_nwbfile(nwbfile_path=exported(layout, "nwb", "pair-1-a.nwb")))
    suggestion = Importance.BEST_PRACTICE_SUGGESTION
    serious = {m.check_function_name for m in found if m.importance != suggestion}
    assert serious == {"check_subject_age", "check_subject_species_exists"}
    assert {each.check_function_name for each in found} == {
        *("check_session_start_time_old_date", "check_experimenter_exists"),
        *("check_experiment_description", "check_institution"),
        *("check_subject_age", "check_subject_species_exists"),
    }


def test_metadata_that_archives_do_not_take_are_named(tmp_path, caplog):
    layout = make_project(tmp_path)
    text = layout.config.read_text()
    wrong = {"species": "mouse", "sex": "female", "age": "90 days", "date_of_birth": "3.2.26"}
    given = yaml.safe_load(text)
    given["sessions"]["solo"]["metadata"] |= wrong
    layout.config.write_text(yaml.safe_dump(given))
    with pytest.raises(InputError) as error:
        export(layout, "nwb", model="vame")
    assert [line.split(" is '")[0] for line in error.value.problems] == [
        f"session solo: {key}" for key in wrong
    ]
    assert "NWB needs M, F, O (other) or U (unknown)" in error.value.problems[1]
    for keys in animal_facts.DEMANDED:
        assert f"these sessions have no {keys}, without which" in caplog.text
    assert caplog.text.count("do not take their files: pair.") == 2
    folder = layout.exported("vame", "nwb")
    assert not (folder / "solo.nwb").exists() and (folder / "pair-1-a.nwb").exists()


@pytest.mark.parametrize("age", ["P90D", "P12W", "P1Y2M", "P80D/P90D", "P1DT12H", "P2.5M"])
def test_ages_are_durations(age):
    animal_facts.require_valid("s", {"age": age})


@pytest.mark.parametrize("age", ["", "P", "90D", "P90", "P1DT", "p90d"])
def test_other_ages_are_refused(age):
    with pytest.raises(InputError, match="age is"):
        animal_facts.require_valid("s", {"age": age})


def test_videos_are_named_where_a_format_has_a_place_for_them(tmp_path):
    layout = make_project(tmp_path, video="a b.mp4")
    for file_format in ("elan", "boris"):
        export(layout, file_format, sessions=["solo"], model="vame")
    media = Eaf(exported(layout, "elan", "solo.eaf")).media_descriptors
    assert [m["MIME_TYPE"] for m in media] == ["video/mp4"]
    assert media[0]["MEDIA_URL"].startswith("file:///") and media[0]["MEDIA_URL"].endswith(
        "a%20b.mp4"
    )
    events = pd.read_csv(exported(layout, "boris", "solo.tsv"), sep="\t")
    assert set(events["Observation type"]) == {"Media file(s)"}
    assert set(events["Source"]) == {"player #1:a b.mp4"}


def test_the_same_results_are_the_same_bytes(layout, tmp_path):
    for file_format in ("csv", "boris", "elan", "netcdf"):
        assert (
            main(
                [
                    "export",
                    str(layout.root),
                    f"--to={file_format}",
                    "--model=vame",
                    f"--out={tmp_path}",
                ]
            )
            == 0
        )
    paths = sorted(tmp_path.iterdir())
    assert len(paths) == 8
    for path in paths:
        kind = {".csv": "csv", ".tsv": "boris", ".eaf": "elan", ".nc": "netcdf"}[path.suffix]
        assert path.read_bytes() == exported(layout, kind, path.name).read_bytes()


def test_mistakes_are_lines(layout, tmp_path, monkeypatch):
    assert command.FORMATS == FORMATS

    def problems(**options):
        with pytest.raises(InputError) as error:
            export(layout, **{"file_format": "csv", "out": tmp_path, "model": "vame"} | options)
        return error.value.problems

    assert problems(sessions=["mouse", "solo"]) == [
        "--sessions: there is no session mouse. Sessions: pair, solo."
    ]
    assert problems(model="other") == ["--model: there is no model other. Models: vame."]
    monkeypatch.setattr(run.importlib.util, "find_spec", lambda name: None)
    (line,) = problems(file_format="nwb")
    assert line.startswith("export to nwb: pynwb and ndx_pose not installed. Run: pip install")
    assert list(tmp_path.iterdir()) == []


def test_sessions_with_faults_are_named_and_the_others_are_exported(tmp_path, capsys):
    layout = make_project(tmp_path, metadata={"session_start_time": "yesterday"})
    assert main(["export", str(layout.root), "--to=elan", "--model=vame"]) == 2
    lines = capsys.readouterr().err
    assert "session solo: session_start_time is 'yesterday'; expected a date" in lines
    assert [path.name for path in layout.exported("vame", "elan").iterdir()] == ["pair.eaf"]
    (tmp_path / "pair.csv").unlink()
    assert main(["export", str(layout.root), "--to=nwb", "--model=vame", "--sessions=pair"]) == 2
    lines = capsys.readouterr().err
    assert lines.count("ERROR") == 1 and "session pair: " in lines
    assert not layout.exported("vame", "nwb").exists()
    layout.motifs("vame").session("pair").write_bytes(
        layout.motifs("vame").session("solo").read_bytes()
    )
    assert main(["export", str(layout.root), "--to=csv", "--model=vame", "--sessions=pair"]) == 2
    assert "was made from other latents or by another segmentation" in capsys.readouterr().err
