"""What is done, missing or outdated, and what the next run would do."""

import json
import shutil
from dataclasses import asdict, replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import yaml

from vame_pipe.alignment.aligned_file import write_rejection
from vame_pipe.cli.main import main
from vame_pipe.config.loading import load
from vame_pipe.config.sections import Windows
from vame_pipe.core import clip_facts, digests, files, label_facts, segmentation_facts, source
from vame_pipe.core.clip_facts import ClipFacts
from vame_pipe.core.digests import DIGEST_CACHE, pose_digests
from vame_pipe.core.errors import LEAVE_OUT
from vame_pipe.core.files import file_fingerprint
from vame_pipe.core.label_facts import LabelFacts
from vame_pipe.core.layout import Layout
from vame_pipe.core.metadata import (
    ComparisonMetadata,
    LatentsMetadata,
    MotifsMetadata,
    WindowsMetadata,
    read_record,
    to_metadata,
)
from vame_pipe.core.metadata import write_rejection as write_placeholder
from vame_pipe.motifs.labelled_rows import label_sources
from vame_pipe.reporting.items import NOT_YET, Item
from vame_pipe.reporting.motif_status import find_labels, find_segmentation
from vame_pipe.reporting.plan import describe, plan
from vame_pipe.reporting.status import find_status
from vame_pipe.reporting.training_status import find_failure, find_windows
from vame_pipe.windows.build import build

AFTER_ALIGNMENT = (
    "1 set of windows, 1 table of the quality, 2 models, 4 encodings, 2 segmentations, 2 descriptions, "
    "2 comparisons of groups, 1 upload, 1 comparison, 1 report"
)


@pytest.fixture
def finished(tiny_run, tmp_path):
    """Configuration of a finished run of two sessions and two models, its results in a folder to change."""
    content = yaml.safe_load((tiny_run / "config.yaml").read_text())
    unread = shutil.ignore_patterns("artifacts", "mlflow.db", "logs", "benchmarks")
    shutil.copytree(tiny_run / "results", tmp_path / "results", ignore=unread)
    for name, session in content["sessions"].items():
        session["poses"] = str(shutil.copy(session["poses"], tmp_path / f"{name}.csv"))
    moved = content | {"results": str(tmp_path / "results")}
    return as_reported(moved, load(tiny_run / "config.yaml"))


def as_reported(content, before):
    """Let the report be of a configuration that differs in what the test has prepared only."""
    report = Layout(Path(content["results"])).report
    page = report.read_text(encoding="utf-8")
    assert before.digest in page
    report.write_text(page.replace(before.digest, load(content).digest), encoding="utf-8")
    return content


def status(content):
    config = load(content)
    found = {name: file_fingerprint(s.poses) for name, s in config.sessions.items()}
    return find_status(config, found)


def test_a_finished_run_has_nothing_to_do(finished):
    items = status(finished)
    assert {item.state for item in items} == {"done"}
    assert plan(items) == []
    assert describe(items)[:2] == ["align    2 done", "windows  1 done"]


def test_nothing_is_there_before_the_first_run(finished, tmp_path):
    items = status(finished | {"results": str(tmp_path / "elsewhere")})
    assert {item.state for item in items} == {"missing"}
    assert plan(items) == [f"not computed yet: 2 alignments, {AFTER_ALIGNMENT}"]


def test_a_changed_pose_file_is_named_with_all_that_follows(finished):
    with open(finished["sessions"]["m1"]["poses"], "a") as file:
        file.write("\n")
    assert plan(status(finished)) == [f"m1.csv changed: 1 alignment, {AFTER_ALIGNMENT}"]


def test_a_changed_setting_of_one_model_concerns_that_model_only(finished):
    finished["models"]["wide"]["zdims"] = 7
    work = (
        "1 model, 2 encodings, 1 segmentation, 1 description, 1 comparison of groups, 1 upload, "
        "1 comparison, 1 report"
    )
    assert plan(status(finished)) == [f"model.zdims was 6, is 7: {work}"]


def test_a_changed_setting_of_alignment_or_windows_says_what_it_was(finished):
    finished["align"]["max_gap_s"] = 0.5
    finished["windows"]["length_s"] = 0.6
    assert plan(status(finished)) == [
        f"align.max_gap_s was 0.25, is 0.5: 2 alignments, {AFTER_ALIGNMENT}",
        f"windows.length_s was 0.5, is 0.6: {AFTER_ALIGNMENT}",
    ]


def test_a_session_to_encode_trains_nothing(finished):
    finished["sessions"]["m3"] = finished["sessions"]["m1"] | {"use": "encode"}
    assert plan(status(finished)) == [
        "not computed yet: 1 alignment, 1 table of the quality, 2 encodings, 2 labellings, "
        "2 comparisons of groups, 1 report",
        "session m3 is new: 1 table of the quality, 2 comparisons of groups, 1 report",
    ]


def test_a_changed_subject_compares_the_groups_again(finished):
    finished["sessions"]["m2"]["subject"] = "mouse 1"
    work = "2 comparisons of groups, 1 report"
    assert plan(status(finished)) == [f"session m2: subject was not set, is mouse 1: {work}"]


@pytest.fixture
def annotated(finished):
    """Both sessions have labels, and the first one a video; records as the two stages write them."""
    layout, before = Layout(Path(finished["results"])), load(finished)
    folder = layout.root.parent
    for name, session in finished["sessions"].items():
        session["labels"] = str(folder / f"{name} labels.csv")
        Path(session["labels"]).write_text("frame,label\n1,walk\n")
    finished["sessions"]["m1"]["video"] = str(folder / "m1.mp4")
    given = load(finished)
    labels = label_sources(given.labelled)
    for model in given.variants:
        motifs = layout.motifs(model)
        made = {
            n: read_record(LatentsMetadata, layout.latents(model, n)).fingerprint for n in labels
        }
        facts = LabelFacts(
            *({}, 1, 1, "time", []),
            sessions={name: asdict(each) for name, each in labels.items()},
            labels={name: file_fingerprint(each.labels) for name, each in labels.items()},
            latents=made,
            segmentation=segmentation_facts.read(motifs.settings).fingerprint,
            stage_version=source.LABELS,
        )
        label_facts.write(facts, motifs.labelled.facts)
        digest = file_fingerprint(motifs.described.description)
        videos = {name: session.videos for name, session in given.filmed.items()}
        clips = ClipFacts([], [], videos, clip_facts.has_library(), digest, source.VIDEOS)
        clip_facts.write(clips, motifs.videos.facts)
        for path in (*motifs.labelled.outputs, motifs.videos.clips, motifs.videos.videos):
            path.touch()
    return as_reported(finished, before)


UPLOADED = {"upload", "compare", "report"}
OF_MOTIFS = {"describe", "videos", "groups", "labels", *UPLOADED}
OF_WINDOWS = {"windows", "quality", "train", "encode", "segment", *OF_MOTIFS}


@pytest.mark.parametrize(
    ("session", "changed", "stages"),
    [
        ("m1", {}, set()),
        ("m1", {"group": "a"}, {"quality", "groups", "report"}),
        ("m1", {"subject": "mouse 1"}, {"groups", "labels", *UPLOADED}),
        ("m1", {"subject": "mouse 1", "labels": None}, {"groups", "labels", *UPLOADED}),
        ("m1", {"pair": "litter 1"}, {"groups", "report"}),
        ("both", {"px_per_cm": 9}, {"quality", *OF_MOTIFS}),
        ("m1", {"labels": None}, {"labels", *UPLOADED}),
        ("m2", {"exclude": "too dark"}, OF_WINDOWS),
        ("m2", {"use": "encode"}, OF_WINDOWS | {"label"}),
        ("m2", {"video": "m2.mp4"}, {"videos", "report"}),
        ("m1", {"video": None}, {"report"}),
        ("m1", {"metadata": {"sex": "f"}}, {"report"}),
        ("m1", {"format": "deeplabcut"}, OF_WINDOWS | {"align"}),
        ("qc", {"min_valid": 0.1}, OF_WINDOWS),
        ("qc", {"warn_valid": 0.1}, {"quality", "report"}),
        ("motifs", {"communities": 2}, OF_MOTIFS),
        ("order", {}, OF_WINDOWS),
    ],
)
def test_the_stages_of_each_change_are_those_whose_rules_run(annotated, session, changed, stages):
    """As a dry run of snakemake lists them."""
    sessions = annotated["sessions"]
    if session == "order":
        annotated["sessions"] = {name: sessions[name] for name in ("m2", "m1")}
    for section in [*sessions.values()] if session == "both" else []:
        section |= changed
    if session in sessions:
        sessions[session] |= changed
    elif session in ("qc", "motifs"):
        annotated[session] = annotated.get(session, {}) | changed
    assert {item.stage for item in status(annotated) if not item.is_done} == stages


def test_a_session_that_windows_leave_out_is_not_new(finished):
    layout = Layout(Path(finished["results"]))
    frames, settings = layout.windows_folder.frames, layout.motifs("vame").settings
    windows, facts = read_record(WindowsMetadata, frames), segmentation_facts.read(settings)
    aligned = {
        name: Item("align", name, "done", fingerprint=each)
        for name, each in windows.aligned.items()
    }
    latents = {
        name: Item("encode", f"vame/{name}", "done", fingerprint=each)
        for name, each in facts.latents.items()
    }
    left = replace(
        windows,
        aligned={"m1": windows.aligned["m1"]},
        excluded={"m2": "few valid frames"},
        min_valid=0.9,
    )
    table = pq.read_table(frames)
    files.write_tables(frames, [table], table.schema, to_metadata(left))
    segmentation_facts.write(replace(facts, latents={"m1": facts.latents["m1"]}), settings)
    config = load(finished | {"qc": {"min_valid": 0.9}})
    assert find_windows(layout, config, aligned).is_done
    assert find_segmentation(layout, config, "vame", latents).is_done
    del aligned["m2"]
    assert find_windows(layout, config, aligned).causes == ("session m2 was removed",)


def test_a_session_that_is_new_or_removed_is_named(finished):
    finished["sessions"]["m3"] = finished["sessions"].pop("m2")
    lines = plan(status(finished))
    assert f"session m3 is new: {AFTER_ALIGNMENT}" in lines
    assert f"session m2 was removed: {AFTER_ALIGNMENT}" in lines


def test_a_new_version_of_a_stage_is_a_reason(finished, monkeypatch):
    monkeypatch.setattr(source, "ENCODE", source.ENCODE + 1)
    (line,) = plan(status(finished))
    before, after = source.ENCODE - 1, source.ENCODE
    assert line.startswith(
        f"encoding of vame_pipe changed (version {before} to {after}): 4 encodings"
    )


def test_an_interrupted_training_run_resumes(finished):
    layout = Layout(Path(finished["results"]))
    layout.model("vame").run.unlink()
    (line,) = plan(status(finished))
    assert line.startswith("training was interrupted and resumes: 1 model, 2 encodings")


def test_a_recording_that_could_not_be_aligned_says_why(finished):
    layout = Layout(Path(finished["results"]))
    write_rejection("m1", ["session m1: no frames"], layout.aligned("m1"), layout.quality("m1"))
    items = status(finished)
    assert items[0].causes == ("session m1: no frames",)


def test_the_command_prints_status_and_plan(finished, tmp_path, capsys, monkeypatch):
    finished["models"]["wide"]["zdims"] = 7
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump(finished))
    with monkeypatch.context() as patch:
        patch.chdir(tmp_path)
        assert main(["status", "--config", str(path)]) == 0
        assert not (tmp_path / ".snakemake").exists()
    printed = capsys.readouterr().out
    assert "train    1 done, 1 outdated" in printed
    assert "         wide: model.zdims was 6, is 7\n" in printed
    assert "         wide/m1, wide/m2: model.zdims was 6, is 7\n" in printed
    heading, line = printed.splitlines()[-2:]
    assert heading == "The next `snakemake` run will compute:"
    assert line.startswith("  model.zdims was 6, is 7: 1 model")
    finished["models"]["wide"]["zdims"] = 6
    path.write_text(yaml.safe_dump(finished))
    assert main(["status", "--config", str(path)]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "Everything is up to date."


def test_the_command_reads_the_digests_that_a_run_has_cached(
    finished, tmp_path, monkeypatch, capsys
):
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump(finished))
    poses = [session["poses"] for session in finished["sessions"].values()]
    pose_digests(poses, tmp_path / DIGEST_CACHE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(digests, "file_fingerprint", None)  # no file is read
    assert main(["status", "--config", str(path)]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "Everything is up to date."


def test_a_changed_group_aligns_and_trains_nothing(finished):
    name = "mouse1_day1_of_the_second_cohort_in_the_open_field"
    finished["sessions"]["m1"]["group"] = name
    assert plan(status(finished)) == [
        f"session m1: group was not set, is {name}: 1 table of the quality, 2 comparisons of groups, "
        "1 report"
    ]
    lines = describe(status(finished))  # in full
    assert f"         vame, wide: session m1: group was not set, is {name}" in lines


def test_keypoints_are_printed_as_names(finished):
    finished["keypoints"] = {"nose": ["nose"], "tailbase": ["tailbase", "Tailroot"]}
    assert plan(status(finished)) == [
        "keypoints was not set, is [nose, tailbase (tailbase or Tailroot)]: "
        f"2 alignments, {AFTER_ALIGNMENT}"
    ]


def test_of_many_causes_of_the_same_work_the_first_are_printed():
    items = [Item("align", f"m{i}", "outdated", (f"m{i}.csv changed",)) for i in range(7)]
    assert plan(items[:5]) == [f"m{i}.csv changed: 1 alignment" for i in range(5)]
    assert plan(items)[3:] == [
        "m3.csv changed: 1 alignment",
        "3 more causes like these, each: 1 alignment",
    ]
    everything = [Item("windows", "windows", "outdated", tuple(f"m{i} changed" for i in range(7)))]
    (line,) = [line for line in describe(everything) if "m0" in line]
    assert line.endswith("m2 changed; m3 changed; and 3 more causes")


def test_the_format_of_a_pose_file_counts(finished):
    finished["sessions"]["m1"]["format"] = "deeplabcut"
    (line,) = plan(status(finished))
    assert line.startswith("session m1: format was not set, is deeplabcut: 1 alignment, 1 set of")


@pytest.mark.parametrize(
    ("lost", "stages"),
    [
        ("aligned/m1.qc.json", AFTER_ALIGNMENT),
        ("windows/windows.parquet", "2 models"),
        ("windows/session_faults.json", "2 models"),
        ("models/vame/losses.png", "2 encodings"),
        ("models/vame/config.yaml", "2 encodings"),
        ("motifs/vame/segmentation.json", "1 upload"),
        ("motifs/vame/quality.png", "1 upload"),
        ("motifs/vame/m2.parquet", "1 upload"),
        ("figures/vame/map.svg", "1 report"),
        ("groups/wide/groups.csv", "1 report"),
        ("compare.csv", "1 report"),
        ("similarity.csv", "1 report"),
    ],
)
def test_every_declared_output_is_looked_for(finished, lost, stages):
    (Path(finished["results"]) / lost).unlink()
    (line,) = plan(status(finished))
    assert line.startswith(f"{lost} is missing: 1 ") and stages in line


@pytest.mark.parametrize(
    ("lost", "stage"), [("mlflow/uploaded.json", "upload"), ("report.html", "report")]
)
def test_a_lost_upload_or_report_is_missing(finished, lost, stage):
    (Path(finished["results"]) / lost).unlink()
    items = {item.stage: item for item in status(finished)}
    assert items[stage].state == "missing" and items[stage].causes == (NOT_YET,)


@pytest.mark.parametrize("stage", ["COMPARE", "REPORT"])
def test_a_new_version_of_comparison_or_report_is_a_reason(finished, monkeypatch, stage):
    version = getattr(source, stage)
    monkeypatch.setattr(source, stage, version + 1)
    work = {"COMPARE": "1 comparison, 1 report", "REPORT": "1 report"}[stage]
    name = {"COMPARE": "comparison", "REPORT": "report"}[stage]
    change = f"(version {version} to {version + 1})"
    assert plan(status(finished)) == [f"{name} of vame_pipe changed {change}: {work}"]


def test_a_model_that_was_removed_is_compared_no_more(finished):
    del finished["models"]["wide"]
    assert plan(status(finished)) == ["model wide was removed: 1 upload, 1 comparison, 1 report"]


def test_a_comparison_and_a_report_of_an_earlier_model_are_outdated(finished):
    """They were copied from another results folder, or an older run."""
    layout = Layout(Path(finished["results"]))
    meta = read_record(ComparisonMetadata, layout.comparison)
    stale = replace(meta, models=meta.models | {"vame": "0" * 64})
    table = pq.read_table(layout.comparison)
    files.write_tables(layout.comparison, [table], table.schema, to_metadata(stale))
    assert plan(status(finished)) == ["model vame was trained again: 1 comparison, 1 report"]
    files.write_tables(layout.comparison, [table], table.schema, to_metadata(meta) | {"more": 1})
    assert plan(status(finished)) == ["the models were compared again: 1 report"]
    layout.report.write_text("<html></html>")
    assert plan(status(finished)) == ["report.html is of another version: 1 report"]


def test_a_model_of_other_windows_is_outdated_though_the_sessions_are_the_same(finished):
    finished["windows"]["length_s"] = 0.6
    layout = Layout(Path(finished["results"]))
    paths = [layout.aligned(name) for name in finished["sessions"]]
    build(paths, Windows(**finished["windows"]), layout.windows_folder.root)
    (line,) = plan(status(finished))
    assert line.startswith("the windows changed since it was trained: 2 models, 4 encodings")


def test_a_changed_setting_of_the_motifs_trains_nothing(finished):
    """The number of communities changes no motif."""
    before = finished["motifs"]["n"]
    finished["motifs"] |= {"n": before + 1, "communities": 2}
    assert plan(status(finished)) == [
        f"motifs.n was {before}, is {before + 1}: 2 segmentations, 2 descriptions, "
        "2 comparisons of groups, 1 upload, 1 comparison, 1 report",
        "motifs.communities was 4, is 2: 2 descriptions, 2 comparisons of groups, 1 upload, "
        "1 comparison, 1 report",
    ]


def test_motifs_of_other_latents_are_outdated(finished):
    layout = Layout(Path(finished["results"]))
    facts = segmentation_facts.read(layout.motifs("vame").settings)
    other = replace(facts, latents=facts.latents | {"m2": "0" * 64})
    segmentation_facts.write(other, layout.motifs("vame").settings)
    work = "1 segmentation, 1 description, 1 comparison of groups, 1 upload, 1 comparison, 1 report"
    assert plan(status(finished)) == [f"session m2 was encoded again: {work}"]
    layout.motifs("vame").settings.write_text("{}")
    (line,) = plan(status(finished))
    assert "segmentation.json: is damaged" in line and line.endswith(work)


def test_motifs_of_a_new_session_belong_to_one_segmentation_and_its_latents(finished):
    """Its files are those of a training session, as if m2 had been new."""
    layout = Layout(Path(finished["results"]))
    folder = layout.motifs("vame")
    encoded = Item("encode", "vame/m2", "done", fingerprint="latents")
    segmented = Item("segment", "vame", "done", fingerprint="motifs")
    for path in (folder.bouts_of("m2"), folder.usage_of("m2")):
        path.parent.mkdir()
        path.touch()

    def write(segmentation, latents):
        table = pq.read_table(folder.session("m2"))
        meta = to_metadata(MotifsMetadata(segmentation, latents, source.SEGMENT))
        files.write_tables(folder.session("m2"), [table], table.schema, meta)
        return find_labels(layout, segmented, "m2", encoded)

    assert write("motifs", "latents") == Item("label", "vame/m2", "done")
    assert write("others", "latents").causes == ("the motifs of model vame were found again",)
    assert write("motifs", "others").causes == ("session m2 was encoded again",)
    folder.bouts_of("m2").unlink()
    lost = write("motifs", "latents")
    assert lost.causes == ("motifs/vame/bouts/m2.parquet is missing",)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (
            {"experiment": "tiny", "runs": {"vame": "a", "wide": None}},
            "the last upload to MLflow was",
        ),
        ({"experiment": "tiny", "runs": {"vame": "a"}}, "model wide is new"),
        ("nothing", "a file in "),
    ],
)
def test_an_incomplete_upload_is_tried_again(finished, content, reason):
    layout = Layout(Path(finished["results"]))
    layout.uploaded.write_text(json.dumps(content))
    (line,) = plan(status(finished))
    assert line.startswith(reason) and line.endswith("1 upload, 1 comparison, 1 report")


def test_a_failed_upload_after_the_last_one_is_tried_again(finished):
    layout = Layout(Path(finished["results"]))
    layout.failed_uploads.write_text("1\n")
    (line,) = plan(status(finished))
    assert line.startswith("the last upload to MLflow was incomplete: 1 upload")


def test_another_experiment_is_an_upload(finished):
    finished["mlflow"]["experiment"] = "other"
    assert plan(status(finished)) == ["mlflow.experiment changed: 1 upload, 1 comparison, 1 report"]


def test_a_session_that_could_not_be_encoded_is_listed_with_the_reason(finished):
    layout = Layout(Path(finished["results"]))
    write_placeholder(layout.latents("vame", "m2"), ["m2.parquet: has 25 fps"])
    (line,) = plan(status(finished))
    assert line.startswith("m2.parquet: has 25 fps: 1 encoding, ")
    assert "         vame/m2: m2.parquet: has 25 fps" in describe(status(finished))


def test_a_recording_that_could_not_be_aligned_is_told_from_one_that_is_new(tmp_path):
    layout = Layout(tmp_path)
    layout.log("align", "a").parent.mkdir(parents=True)
    layout.log("align", "a").write_text(f"WARNING: session a: a.csv: damaged. {LEAVE_OUT}")
    layout.log("align", "b").write_text("INFO: session b: 300 frames")
    (line,) = find_failure(layout, "a")
    assert line.startswith("alignment of a failed, see ") and "a.log" in line
    assert find_failure(layout, "b") == find_failure(layout, "c") == []
