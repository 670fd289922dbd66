from types import SimpleNamespace

import numpy as np
import torch

from vame_pipe.training import validation
from vame_pipe.training.losses import LossTerms


def test_a_fixed_choice_of_many_validation_windows_is_used(monkeypatch):
    """It depends on the seed of the windows alone; of few windows all are used."""
    monkeypatch.setattr(validation, "MAX_VAL_WINDOWS", 50)

    def starts(n_windows, seed):
        meta = SimpleNamespace(settings={"seed": seed})
        data = SimpleNamespace(val=np.arange(n_windows, dtype=np.int32), meta=meta)
        return validation.validation_starts(data).tolist()

    assert starts(50, seed=0) == list(range(50))
    chosen = starts(1000, seed=0)
    assert chosen == sorted(set(chosen)) and len(chosen) == 50
    assert starts(1000, seed=0) == chosen != starts(1000, seed=1)


def test_metrics_have_the_names_of_the_terms():
    settings = SimpleNamespace(beta=2.0, prediction_weight=0.5, spectral_weight=0.1)
    terms = LossTerms(8.0, 4.0, 2.0, 10.0)
    assert validation.with_prefix("val", terms, settings) == {
        "val/reconstruction": 8.0,
        "val/prediction": 4.0,
        "val/kl": 2.0,
        "val/spectral": 10.0,
        "val/loss": 8 + 0.5 * 4 + 2 * 2 + 0.1 * 10,
    }


def test_the_decoded_window_is_reconstruction_then_prediction():
    """A network that returns the negative of its input, and ones for the future."""
    window = torch.randn(3, 7, 2)

    class Network(SimpleNamespace):
        def __call__(self, past):
            return (-past, *([torch.ones(3, 2, 2)] if self.FUTURE_DECODER else []), "z", "mu")

    network = Network(eval=lambda: None, seq_len=5, FUTURE_DECODER=True)
    decoded = validation.reconstruct(network, window)
    assert torch.equal(decoded[:, :5], -window[:, :5]) and (decoded[:, 5:] == 1).all()
    network.FUTURE_DECODER = False
    assert torch.equal(validation.reconstruct(network, window), -window[:, :5])
