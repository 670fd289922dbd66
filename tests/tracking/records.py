"""A finished training run, as the tests of this folder record it."""

from vame_pipe.core.run_record import RunRecord, TrainingData

RECORD = RunRecord(
    name="vame",
    sweep="vame",
    variant="vame",
    training_id="abc",
    started=1_000_000,
    params={
        "model.zdims": 4,
        "train.max_epochs": 3,
        "train.patience": 5,
        "train.max_grad_norm": None,
    },
    data=TrainingData(
        path="w",
        fingerprint="d",
        features=["a"],
        aligned={"sim-1": "f1"},
        length=15,
        fps=30.0,
        n_frames=100,
        n_train=50,
        n_val=10,
    ),
    stage_version=1,
    source={"device": "cpu"},
    ended=1_060_000,
    summary={"final/r2_reconstruction": 0.9},
    stop="max_epochs reached",
)
HISTORY = [{"epoch": e, "val/loss": 10.0 - e, "train/loss": 5.0} for e in range(3)]
