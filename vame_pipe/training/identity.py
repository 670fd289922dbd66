"""What identifies a training run: it can be resumed only if none of this has changed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from vame_pipe.core import files
from vame_pipe.core.source import TRAIN

if TYPE_CHECKING:
    from vame_pipe.config.sections import Model, Train
    from vame_pipe.windows.data import WindowData

RESUMABLE_SETTINGS = (
    "max_epochs",
    "patience",
    "device",
    "device_memory_gib",
    "checkpoint_minutes",
)
"""Settings of `train` that may change on resume: they affect only duration or hardware."""

CHECKPOINT_FORMAT = 2
"""Format of the checkpoint files; part of the identity, so that no other format is ever loaded."""


@dataclass(frozen=True)
class Identity:
    """Identity of a training run.

    Attributes
    ----------
    model, train : dict
        Settings, without those that may change on resume.
    inputs : dict
        Fingerprint of the windows; versions of the training stage, of checkpoints and of torch.
    """

    model: dict[str, Any]
    train: dict[str, Any]
    inputs: dict[str, Any]

    @property
    def key(self) -> str:
        """Sixteen hexadecimal digits that name the files of this training run."""
        return files.fingerprint(vars(self))[:16]

    def describe_mismatch(self, other: Identity) -> list[str]:
        """Return how this identity differs from another one, one line per value.

        Examples
        --------
        >>> now = Identity(model={}, train={"seed": 1}, inputs={})
        >>> now.describe_mismatch(Identity(model={}, train={"seed": 0}, inputs={}))
        ['train.seed was 0, is 1']
        """
        before, now = _flat(other), _flat(self)
        return [
            f"{name} was {_short(before.get(name))}, is {_short(now.get(name))}"
            for name in sorted(before.keys() | now.keys())
            if before.get(name) != now.get(name)
        ]


def identify(data: WindowData, model: Model, settings: Train) -> Identity:
    """Return the identity of a training run.

    The device is no part of it, nor is a batch size that is not set: the device of the first start decides
    on it, and it is saved in every checkpoint. So a missing or an additional GPU does not start another
    training run.
    """
    fixed = {k: v for k, v in settings.model_dump().items() if k not in RESUMABLE_SETTINGS}
    inputs = {
        "windows": data.fingerprint,
        "stage_version": TRAIN,
        "checkpoint_format": CHECKPOINT_FORMAT,
        # another version may round and draw differently: a mix of two is not reproducible
        "torch": str(torch.__version__),
    }
    return Identity(model.model_dump(), fixed, inputs)


def _flat(identity: Identity) -> dict[str, Any]:
    return {
        f"{section}.{key}": value
        for section, part in vars(identity).items()
        for key, value in part.items()
    }


def _short(value: Any) -> str:
    """Return a value for a message; of a fingerprint only the first digits."""
    text = str(value)
    return text[:8] if len(text) == 64 else text
