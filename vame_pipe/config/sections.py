"""The sections of config.yaml: keys, types, defaults."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, FiniteFloat, StringConstraints, model_validator

from vame_pipe.config.align_section import DEFAULT_CONFIDENCE as DEFAULT_CONFIDENCE
from vame_pipe.config.align_section import Align as Align
from vame_pipe.config.align_section import Quantile as Quantile
from vame_pipe.config.section import NAME as NAME
from vame_pipe.config.section import Count, NotNegative, Positive, Seed
from vame_pipe.config.section import Keypoint as Keypoint
from vame_pipe.config.section import Name as Name
from vame_pipe.config.section import Section as Section
from vame_pipe.config.session_section import Session as Session

PUBLISHED: dict[str, Any] = {
    "max_epochs": 500,
    "batch_size": 256,
    "learning_rate": 5e-4,
    "warmup_steps": 0,
    "decay_fraction": 0.0,
    "max_grad_norm": None,
    "kl_start": 2,
    "anneal_epochs": 4,
    "patience": 50,
}
"""Settings of VAME 0.14.2, without the weights of its loss, see `Train.for_model`."""
PUBLISHED_ZDIMS = 30

RENAMED = {
    "align.smooth": "smooth_s",
    "align.outliers": "outlier_threshold",
    "windows.test_fraction": "val_fraction",
    "train.decay": "decay_fraction",
    "train.clip": "max_grad_norm",
    "train.noise": "input_noise",
    "train.device_memory_gb": "device_memory_gib",
}
"""Keys of version 0.1 and their names now. The old ones are refused; their values are not converted."""


class Windows(Section):
    """How aligned recordings are cut into windows, and which of them are held out for validation."""

    length_s: Positive = 1.0
    """Length of the windows that are encoded, in seconds."""
    future_s: NotNegative = 0.5
    """How far the movement after a window is predicted, in seconds; 0: no prediction."""
    val_fraction: Annotated[FiniteFloat, Field(gt=0, le=0.5)] = 0.1
    """Fraction of each session's frames that is held out for validation, as contiguous blocks."""
    balance: bool = True
    """true: positions, motion and partner have the same weight in training, however many features each has;
    false: every feature has the same weight, as in VAME."""
    seed: Seed = 0
    """Seed of the random choice of validation blocks."""


class Qc(Section):
    """Which recordings count as badly tracked."""

    warn_valid: Annotated[FiniteFloat, Field(ge=0, le=1)] = 0.8
    """A recording with a smaller fraction of valid frames is flagged in the report."""
    min_valid: Annotated[FiniteFloat, Field(gt=0, le=1)] | None = None
    """No model is trained on a recording in which no animal reaches this fraction of valid frames. The
    report lists it with its reason; it is still encoded. null: every recording is used."""


class Model(Section):
    """The architecture of the network, with the names and defaults of VAME."""

    zdims: Count = 30
    """Dimensions of the latent space."""
    hidden_size_layer_1: Count = 256
    """Hidden units of the encoder's GRU, per direction."""
    hidden_size_layer_2: Count | None = None
    """Hidden units of the encoder's second layer (kept for compatibility with VAME): must equal
    hidden_size_layer_1; null: the same."""
    hidden_size_rec: Count = 256
    """Hidden units of the reconstruction decoder, per direction."""
    hidden_size_pred: Count = 256
    """Hidden units of the prediction decoder, per direction."""
    dropout_encoder: Annotated[FiniteFloat, Field(ge=0, lt=1)] = 0.0
    """Dropout between the two layers of the encoder."""
    dropout_rec: Annotated[FiniteFloat, Field(ge=0, lt=1)] = 0.0
    """Dropout on the reconstruction decoder's hidden states."""
    dropout_pred: Annotated[FiniteFloat, Field(ge=0, lt=1)] | None = None
    """Dropout on the prediction decoder's hidden states; null: 0.5, because the prediction overfits long
    before the reconstruction does, or 0 with the preset vame."""
    softplus: bool = False
    """Softplus on the log variance."""

    @model_validator(mode="after")
    def _one_encoder_size(self) -> Model:
        if self.hidden_size_layer_2 not in (None, self.hidden_size_layer_1):
            raise ValueError(
                f"hidden_size_layer_2 is {self.hidden_size_layer_2}, hidden_size_layer_1 is "
                f"{self.hidden_size_layer_1}: both layers of the encoder have the same size, set them equal"
            )
        return self

    def for_preset(self, preset: str | None) -> Model:
        """Return the settings with the dropout of a preset, if none is set."""
        if self.dropout_pred is not None:
            return self
        return self.model_copy(update={"dropout_pred": 0.0 if preset == "vame" else 0.5})


class Train(Section):
    """How a model is trained."""

    preset: Literal["vame"] | None = None
    """vame: VAME's published settings for all keys below that are not set."""
    max_epochs: Count = 20
    """Passes over the training windows. The learning rate falls during the last `decay_fraction` of
    them."""
    batch_size: Count | None = None
    """Windows per step; null: 64 on a CPU, 256 on a GPU."""
    learning_rate: Positive = 1e-2
    """Highest learning rate (of Adam)."""
    warmup_steps: Annotated[int, Field(ge=0)] = 20
    """Steps over which the learning rate rises to its peak."""
    decay_fraction: Annotated[FiniteFloat, Field(ge=0, lt=1)] = 0.5
    """Fraction of training, at its end, over which the learning rate falls to zero."""
    max_grad_norm: Positive | None = 5.0
    """Maximum norm of the gradient; null: gradients are not clipped."""
    beta: NotNegative = 1.0
    """Weight of a window's KL divergence, in nats, relative to its summed squared errors."""
    prediction_weight: NotNegative = 1.0
    """Weight of the squared error of the prediction."""
    kl_start: Annotated[int, Field(ge=0)] = 0
    """Epoch at which annealing of the KL and spectral terms starts."""
    anneal_epochs: Count = 1
    """Epochs over which the two terms grow to their full weight."""
    anneal_function: Literal["linear", "sigmoid"] = "linear"
    """How they grow."""
    spectral_weight: NotNegative = 0.1
    """Weight of the spectral term (VAME's kmeans_lambda)."""
    input_noise: NotNegative = 0.0
    """Standard deviation of Gaussian noise on the encoder's normalised input during training."""
    patience: Count = 5
    """Epochs without a better validation loss after which the learning rate starts to fall early."""
    seed: Seed = 0
    """Seed of initial weights, order of windows, sampling and noise."""
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    """Device for training and encoding; auto: a GPU if there is one, else the CPU."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """Numeric precision during training. bfloat16 is faster for networks of VAME's size on hardware that
    supports it. Weights and latents are float32 in both cases."""
    device_memory_gib: Positive | None = None
    """Memory limit (GiB) for keeping all frames on the device; larger data stay in main memory, and
    each batch is copied. null: no limit."""
    checkpoint_minutes: Positive = 5.0
    """Minutes between checkpoints; one is always saved at the end of an epoch."""

    @model_validator(mode="after")
    def _fill_in_preset(self) -> Train:
        if self.preset == "vame":
            unset = {k: v for k, v in PUBLISHED.items() if k not in self.model_fields_set}
            for key, value in (unset | self._published_weights(PUBLISHED_ZDIMS)).items():
                # the class is frozen, and model_fields_set must stay: for_model fills in what is not set
                object.__setattr__(self, key, value)
        return self

    def _published_weights(self, zdims: int) -> dict[str, float]:
        """Return those weights of VAME's loss that are not set.

        VAME sums squared errors over a batch, but adds the KL divergence (the mean over dimensions) and the
        spectral term once per batch. The weights here are per window and, for the KL divergence, per nat.
        """
        batch_size = self.batch_size or PUBLISHED["batch_size"]
        weights = {"beta": 1 / (batch_size * zdims), "spectral_weight": 0.1 / batch_size}
        return {k: v for k, v in weights.items() if k not in self.model_fields_set}

    def for_model(self, model: Model) -> Train:
        """Return the settings with those weights of a preset that depend on the latent dimensions."""
        if self.preset != "vame":
            return self
        return self.model_copy(update=self._published_weights(model.zdims))

    def for_device(self, device: str) -> Train:
        """Return the settings with the batch size for a device, if none is set."""
        return self.model_copy(
            update={"batch_size": self.batch_size or (64 if device == "cpu" else 256)}
        )


AUTO_NUMBERS = (4, 5, 6, 8, 10, 12, 15, 20, 25, 30)
"""Numbers of motifs that `n: auto` tries."""


class Motifs(Section):
    """How motifs are found in the latents."""

    method: Literal["hmm", "kmeans"] = "hmm"
    """hmm: a hidden Markov model with Gaussian emissions; kmeans: the nearest centre, at any time."""
    n: (
        Annotated[int, Field(ge=1, le=200)]
        | Annotated[list[Annotated[int, Field(ge=1, le=200)]], Field(min_length=1)]
        | Literal["auto"]
    ) = 15
    """Number of motifs. A list: the largest of these numbers at which seeds agree nearly as well as at the
    best; auto: the same for numbers from 4 to 30."""
    bout_s: Positive | None = 0.5
    """Median duration of a bout that the hidden Markov model should reach at least, in seconds; null: as
    the model finds them."""
    min_confidence: Annotated[FiniteFloat, Field(ge=0, le=1)] = 0.5
    """Mean probability of its motif that a bout must reach; the frames of other bouts have no motif, with
    the reason low confidence. kmeans has no probabilities."""
    seeds: Annotated[int, Field(ge=1, le=50)] = 5
    """Number of seeds. The segmentations of different seeds are compared, and the one that agrees best with
    the others is used."""
    communities: Annotated[int, Field(ge=1, le=200)] = 4
    """Number of groups into which the trees of motifs are cut. Changing it changes no motif."""

    @property
    def numbers(self) -> list[int]:
        """The numbers of motifs to try, ascending."""
        if self.n == "auto":
            return list(AUTO_NUMBERS)
        return [self.n] if isinstance(self.n, int) else sorted(set(self.n))

    def for_segmentation(self) -> dict[str, Any]:
        """Return the settings on which the motifs depend."""
        return self.model_dump(exclude={"communities"})


class Mlflow(Section):
    """Where training runs are recorded."""

    tracking_uri: str | None = None
    """Address of MLflow; null: a SQLite file in the results folder. The environment variable
    MLFLOW_TRACKING_URI overrides both."""
    experiment: Annotated[str, StringConstraints(min_length=1)] = "vame"
    """Name of the MLflow experiment."""
