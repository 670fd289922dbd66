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

    def describe_mismatch(self, other: dict[str, Any]) -> list[str]:
        """Return how this identity differs from another one, one line per value.

        Parameters
        ----------
        other : dict
            Identity in a checkpoint, by section; another version may have written other sections.

        Examples
        --------
        >>> now = Identity(model={}, train={"seed": 1}, inputs={})
        >>> now.describe_mismatch({"model": {}, "train": {"seed": 0}, "host": "lab"})
        ['host was lab, is None', 'train.seed was 0, is 1']
        """
        before, now = _flat(other), _flat(vars(self))
        return [
            f"{name} was {_short(before.get(name))}, is {_short(now.get(name))}"
            for name in sorted(before.keys() | now.keys())
            if before.get(name) != now.get(name)
        ]


def identify(data: WindowData, model: Model, settings: Train) -> Identity:
    """Return the identity of a training run.

    It does not contain the device, so a missing or an additional GPU does not start another training run.
    A batch size that is not set is chosen for the device of the first start. It is saved in every
    checkpoint, and does not belong to the identity either.
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


def _flat(identity: dict[str, Any]) -> dict[str, Any]:
    """Return the values of an identity by their names, such as `train.seed`."""
    flat: dict[str, Any] = {}
    for section, part in identity.items():
        if isinstance(part, dict):
            flat |= {f"{section}.{key}": value for key, value in part.items()}
        else:
            flat[section] = part
    return flat


def _short(value: Any) -> str:
    """Return a value as text for a message: only the first eight digits of a fingerprint."""
    text = str(value)
    return text[:8] if len(text) == 64 else text
