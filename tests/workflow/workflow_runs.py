"""Start snakemake and look at what it did; shared by the tests of the workflow."""

import re

import pandas as pd
import yaml
from conftest import snakemake

LAST = {"upload_mlflow": 1, "compare": 1, "report": 1, "all": 1}
"""Jobs that follow from any change of a model."""


def from_training(n_models):
    """Jobs from the training of some models on."""
    stages = ("train", "encode", "segment", "describe", "groups")
    return dict.fromkeys(stages, n_models) | LAST


ODD = "a {b} <c> $(touch pwned)"
"""A text that a shell and Snakemake could take for something else."""


def job_counts(text):
    """Jobs by rule, as snakemake announces them."""
    table = text.partition("Job stats:")[2].partition("total")[0]
    return {rule: int(count) for rule, count in re.findall(r"^(\w+) +(\d+)$", table, re.M)}


def planned_jobs(folder, *arguments):
    """Jobs by rule that a dry run announces."""
    done = snakemake(folder, "--dry-run", *arguments)
    assert done.returncode == 0, done.stderr
    return job_counts(done.stdout)


def run(folder, *arguments, **environment):
    """Run snakemake without a problem; return the jobs by rule, and what it printed."""
    done = snakemake(folder, *arguments, **environment)
    assert done.returncode == 0, done.stderr
    return job_counts(done.stderr), done.stderr


def configure(folder, **changes):
    settings = yaml.safe_load((folder / "config.yaml").read_text())
    for key, value in changes.items():
        together = isinstance(value, dict) and key not in {"sessions", "models"}
        settings[key] = settings.get(key, {}) | value if together else value
    (folder / "config.yaml").write_text(yaml.safe_dump(settings))


def with_next_version(text, stage):
    """The text of core/source.py with the version of a stage raised by one."""
    pattern = rf"^{stage} = (\d+)$"
    assert len(re.findall(pattern, text, re.M)) == 1
    return re.sub(pattern, lambda found: f"{stage} = {int(found[1]) + 1}", text, flags=re.M)


def add_session(folder, name, **session):
    """Add a session to config.yaml."""
    sessions = yaml.safe_load((folder / "config.yaml").read_text())["sessions"]
    configure(folder, sessions=sessions | {name: {"fps": 30} | session})


def content(folder, *patterns):
    """Content of the files of a results folder, by path."""
    results = folder / "results"
    return {
        path.relative_to(results): path.read_bytes()
        for pattern in patterns
        for path in sorted(results.glob(pattern))
    }


def assert_recorded(client, experiment, results, names):
    """Assert that MLflow has the run of each model once, complete, and as the comparison describes it."""
    runs = client.search_runs([client.get_experiment_by_name(experiment).experiment_id])
    assert sorted(each.info.run_name for each in runs) == sorted(names)
    table = pd.read_parquet(results / "compare.parquet").set_index("model")
    differing = table.filter(regex=r"^(model|train)\.").columns
    assert len(differing) > 0
    for each in runs:
        assert each.info.status == "FINISHED"
        artifacts = {a.path for a in client.list_artifacts(each.info.run_id)}
        assert {"model.pt", "qc.json", "latents", "spectrum.png"} <= artifacts
        row = table.loc[each.info.run_name]
        assert row["run_id"] == each.info.run_id
        assert row["final/loss"] == each.data.metrics["final/loss"]
        assert [row[key] for key in differing] == [int(each.data.params[key]) for key in differing]
    versions = client.search_model_versions(f"name = '{experiment}'")
    assert sorted(version.run_id for version in versions) == sorted(r.info.run_id for r in runs)
    best = client.get_model_version_by_alias(experiment, "best")
    assert best.tags["model"] == table.index[table["best"]].item()
    similarity = pd.read_csv(results / "similarity.csv")
    assert len(similarity) == len(names) * (len(names) - 1)
    assert similarity["cka"].between(0, 1).all()
    return runs
