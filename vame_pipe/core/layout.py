"""Every path below the results folder, for the package and for the rules of the workflow."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from vame_pipe.core.folders import Below, DescribedFolder, GroupFolder, LabelFolder, VideoFolder
from vame_pipe.core.folders import WindowsFolder as WindowsFolder

MOTIF_TABLES = ("bouts", "usage", "transitions", "quality")
"""Files next to the motifs of the sessions: no session can have one of these names."""


@dataclass(frozen=True)
class Layout:
    """The files of one results folder.

    The rules of the workflow use the same methods with wildcards: ``layout.aligned("{session}")``.

    Attributes
    ----------
    root : Path
        The results folder.
    """

    root: Path

    config = Below("config.yaml")
    """The configuration of the last run, with every default written out."""
    aligned_folder = Below("aligned")

    def aligned(self, session: str) -> Path:
        """Features of every time step of a session."""
        return session_file(self.aligned_folder, session)

    def quality(self, session: str) -> Path:
        """Tracking quality of a session."""
        return self.aligned_folder / f"{session}.qc.json"

    keypoints = Below("keypoints.json")
    """Keypoints to use, if badly tracked ones are left out of all sessions."""

    @property
    def windows_folder(self) -> WindowsFolder:
        """The files of the training windows."""
        return WindowsFolder(self.root / "windows")

    def model(self, model: str) -> ModelFolder:
        """Return the files of a trained model."""
        return ModelFolder(self.root / "models" / model)

    def trained_models(self) -> list[str]:
        """Return the names of the models that have a run record, sorted."""
        return sorted(path.parent.name for path in self.root.glob("models/*/run.json"))

    def latents_folder(self, model: str) -> Path:
        return self.root / "latents" / model

    def latents(self, model: str, session: str) -> Path:
        """Latent vectors of a session, by one model."""
        return session_file(self.latents_folder(model), session)

    def novelty(self, model: str, session: str) -> Path:
        """How far a new session resembles the training sessions of a model."""
        return novelty_file(self.latents(model, session))

    def motifs(self, model: str) -> MotifFolder:
        """Return the files of the motifs that were found in the latents of a model."""
        return MotifFolder(self.root / "motifs" / model)

    def groups(self, model: str) -> GroupFolder:
        """Return the files of the comparison of groups."""
        return GroupFolder(self.root / "groups" / model, self.root / "figures" / model)

    def session_folders(self) -> list[Path]:
        """Return the folders with one file per session, of all models: latents, motifs, bouts, usage."""
        patterns = ("latents/*", "motifs/*", "motifs/*/bouts", "motifs/*/usage")
        found = (path for pattern in patterns for path in sorted(self.root.glob(pattern)))
        return [path for path in found if path.is_dir()]

    def checkpoints(self, model: str) -> Path:
        """Checkpoints of a training run. No rule declares this folder, see docs/resume.md."""
        return self.root / "checkpoints" / model

    def encoded(self, model: str) -> Path:
        """Sessions that an interrupted encoding job has finished."""
        return self.root / "checkpoints" / f"{model}+encode"

    mlflow = Below("mlflow")
    """Folder of the workflow's own MLflow store."""
    mlflow_database = Below("mlflow.db", "mlflow")
    """Database of that store."""
    experiment = Below("experiment.json", "mlflow")
    """Address of the MLflow experiment."""
    uploaded = Below("uploaded.json", "mlflow")
    """MLflow run of each model."""
    failed_uploads = Below("failed_uploads.txt", "mlflow")
    """Number of uploads that MLflow did not take."""
    comparison = Below("compare.parquet")
    """One row per model; a CSV of the same name is next to it."""
    similarity = Below("similarity.parquet")
    """One row per pair of models; a CSV of the same name is next to it."""
    qc = Below("qc.parquet")
    """Tracking quality of all sessions: one row per session, animal and keypoint."""
    report = Below("report.html")
    methods = Below("methods.md")

    def external_report(self, model: str) -> Path:
        """Report of a model that was trained elsewhere."""
        return self.root / f"report-{model}.html"

    def exported(self, model: str, file_format: str) -> Path:
        """Folder of the results of a model in the format of another program."""
        return self.root / "export" / model / file_format

    def log(self, stage: str, name: str = "") -> Path:
        """Log file of a job."""
        folder = self.root / "logs"
        return folder / f"{stage}/{name}.log" if name else folder / f"{stage}.log"

    def benchmark(self, stage: str, name: str = "") -> Path:
        """Run time and memory of a job."""
        folder = self.root / "benchmarks"
        return folder / f"{stage}/{name}.tsv" if name else folder / f"{stage}.tsv"


@dataclass(frozen=True)
class ModelFolder:
    """The files of one trained model."""

    root: Path

    weights = Below("model.pt")
    """The self-contained model file."""
    config = Below("config.yaml")
    run = Below("run.json")
    """The run record."""
    metrics = Below("metrics.jsonl")
    """One line per epoch."""
    losses = Below("losses.png")
    reconstructions = Below("reconstructions.png")
    spectrum = Below("spectrum.png")

    @property
    def outputs(self) -> list[Path]:
        """The files that the rule `train` declares, the model file first."""
        return [
            *(self.weights, self.config, self.run),
            *(self.losses, self.reconstructions, self.spectrum),
        ]

    @property
    def artifacts(self) -> list[Path]:
        """The files that MLflow gets, the model file first."""
        return [
            *(self.weights, self.config, self.run, self.metrics),
            *(self.losses, self.reconstructions, self.spectrum),
        ]


@dataclass(frozen=True)
class MotifFolder:
    """The segmentation of the latents of one model, and the motifs of every session."""

    root: Path

    segmentation = Below("segmentation.npz")
    """The arrays of the segmentation."""
    settings = Below("segmentation.json")
    """What the segmentation was made from."""

    def session(self, session: str) -> Path:
        """Motif of every time step of a session."""
        return session_file(self.root, session)

    bouts = Below("bouts.parquet")
    """One row per bout of the training sessions."""
    usage = Below("usage.parquet")
    """One row per animal and motif of the training sessions."""

    def bouts_of(self, session: str) -> Path:
        """One row per bout of a new session."""
        return session_file(self.root / "bouts", session)

    def usage_of(self, session: str) -> Path:
        """One row per animal and motif of a new session."""
        return session_file(self.root / "usage", session)

    transitions = Below("transitions.parquet")
    """One row per animal and pair of motifs that follow one another."""
    quality = Below("quality.parquet")
    """How far the motifs can be trusted, next to those of PCA."""
    usage_plot = Below("usage.png")
    ethogram_plot = Below("ethogram.png")
    quality_plot = Below("quality.png")

    @property
    def outputs(self) -> list[Path]:
        """The files that the rule `segment` declares next to those of sessions, and that MLflow gets."""
        return [
            *(self.segmentation, self.settings),
            *(self.bouts, self.usage, self.transitions, self.quality),
            *(self.usage_plot, self.ethogram_plot, self.quality_plot),
        ]

    @property
    def described(self) -> DescribedFolder:
        """What the motifs are."""
        return DescribedFolder(self.root / "described")

    @property
    def labelled(self) -> LabelFolder:
        """How far the motifs hold what people labelled."""
        return LabelFolder(self.root / "labelled")

    clips = Below("clips")
    """Folder of one animated picture per motif."""

    @property
    def videos(self) -> VideoFolder:
        """Clips of each motif that are cut from videos."""
        return VideoFolder(self.root / "videos")


def novelty_file(latents: Path) -> Path:
    """Return the file that is next to the latents of a new session.

    Examples
    --------
    >>> novelty_file(Path("results/latents/vame/mouse1.parquet")).as_posix()
    'results/latents/vame/mouse1.novelty.json'
    """
    return latents.with_suffix(".novelty.json")


def session_file(folder: Path, session: str) -> Path:
    """Return the file of a session in a folder of aligned sessions or of latents.

    Examples
    --------
    >>> session_file(Path("results/aligned"), "mouse1").as_posix()
    'results/aligned/mouse1.parquet'
    """
    return folder / f"{session}.parquet"
