"""Small trained models, for the tests of the comparison and of the page."""

import shutil
from pathlib import Path

from conftest import MODEL, TRAIN
from motif_files import write_motifs

from vame_pipe.core.layout import Layout
from vame_pipe.encoding.sessions import encode_sessions
from vame_pipe.reporting.comparison import compare
from vame_pipe.tracking.tracker import NullTracker
from vame_pipe.training.run import TrainingJob, train_model

SOURCE = {"git_commit": "c0ffee", "git_dirty": "true"}


def make_results(root: Path, data: Path, models: dict[str, int], sessions: list[str]) -> Layout:
    """Fill a results folder with models `{name: zdims}` of one epoch, latents, motifs and a comparison."""
    layout = Layout(root)
    for name in ("aligned", "windows"):
        shutil.copytree(data / name, root / name)
    for name, zdims in models.items():
        job = TrainingJob(
            name=name,
            sweep="mice",
            variant=name,
            model=MODEL.model_copy(update={"zdims": zdims}),
            train=TRAIN.model_copy(update={"max_epochs": 1}),
            windows=layout.windows_folder.root,
            checkpoints=layout.checkpoints(name),
            out=layout.model(name).root,
        )
        train_model(job, NullTracker(), SOURCE)
        targets = {layout.aligned(s): layout.latents(name, s) for s in sessions}
        encode_sessions(layout.model(name).weights, targets, "cpu")
        write_motifs(layout, name, sessions)
    compare(layout, sorted(models), {})
    return layout
