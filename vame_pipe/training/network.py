"""RNN_VAE, the recurrent variational autoencoder of VAME.

An encoder maps a window of frames to the mean and log variance of a normal posterior over latent vectors.
Two decoders reconstruct the window from a latent vector z and predict the frames after it:

    h = encoder(window);  mu, logvar = W h;  z = mu + exp(logvar / 2) * noise
    reconstruction = decoder(z);  prediction = decoder_future(z)

Luxem et al. 2022, Communications Biology 5:1267. Names, arguments, shapes and parameter names are those of
VAME 0.14.2, so that its state dicts load.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from vame_pipe.training.gru import run_gru


class Encoder(nn.Module):
    """Two-layer bidirectional GRU (Cho et al. 2014, arXiv 1406.1078).

    Parameters
    ----------
    NUM_FEATURES : int
        Features per frame.
    hidden_size_layer_1 : int
        Hidden units per direction, in both layers.
    hidden_size_layer_2 : int
        Unused, as in VAME: both layers of the GRU have the same size.
    dropout_encoder : float
        Dropout between the two layers.
    """

    def __init__(
        self,
        NUM_FEATURES: int,
        hidden_size_layer_1: int,
        hidden_size_layer_2: int,
        dropout_encoder: float,
    ):
        super().__init__()
        self.encoder_rnn = nn.GRU(
            NUM_FEATURES,
            hidden_size_layer_1,
            num_layers=2,
            batch_first=True,
            bidirectional=True,
            dropout=dropout_encoder,
        )

    def forward(self, inputs: Tensor) -> Tensor:
        """Return the four final hidden states next to each other.

        Parameters
        ----------
        inputs : Tensor
            `(batch, time, NUM_FEATURES)`.

        Returns
        -------
        Tensor
            `(batch, 4 * hidden_size_layer_1)`: layer 1 forward, layer 1 backward, layer 2 forward, layer 2
            backward.
        """
        _, hidden = run_gru(self.encoder_rnn, inputs)  # (4, batch, hidden)
        return hidden.transpose(0, 1).flatten(1)


class Lambda(nn.Module):
    """Maps the hidden states of the encoder to the posterior, and samples from it.

    Sampling is reparametrised: `z = mean + exp(logvar / 2) * noise`, with standard normal noise (Kingma &
    Welling 2014, arXiv 1312.6114).

    Parameters
    ----------
    ZDIMS : int
        Dimensions of the latent space.
    hidden_size_layer_1, hidden_size_layer_2 : int
        Those of `Encoder`.
    softplus : bool
        Apply softplus to the log variance, which keeps it positive.
    """

    def __init__(
        self, ZDIMS: int, hidden_size_layer_1: int, hidden_size_layer_2: int, softplus: bool
    ):
        super().__init__()
        self.hidden_to_mean = nn.Linear(4 * hidden_size_layer_1, ZDIMS)
        self.hidden_to_logvar = nn.Linear(4 * hidden_size_layer_1, ZDIMS)
        self.softplus = softplus

    def forward(self, hidden: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return z, mean and log variance of the posterior.

        Parameters
        ----------
        hidden : Tensor
            What `Encoder` returned.

        Returns
        -------
        z, mean, logvar : Tensor
            `(batch, ZDIMS)` each. z is a sample in training, and the mean in evaluation.
        """
        mean = self.hidden_to_mean(hidden)
        logvar = self.hidden_to_logvar(hidden)
        if self.softplus:
            logvar = functional.softplus(logvar)
        if not self.training:
            return mean, mean, logvar
        return mean + torch.randn_like(mean) * torch.exp(0.5 * logvar), mean, logvar


def _initial_state(states: Tensor, batch_mixing: bool) -> Tensor:
    """Turn `(batch, 2 * hidden)` into the initial state `(2, batch, hidden)` of a bidirectional GRU."""
    batch, width = states.shape
    if batch_mixing:
        # VAME's reshape: sample b gets the states of the samples b // 2 and (batch + b) // 2
        return states.reshape(2, batch, width // 2)
    return states.view(batch, 2, width // 2).transpose(0, 1).contiguous()


class Decoder(nn.Module):
    """Reconstructs the window from z.

    z, repeated for every frame, is the input of a one-layer bidirectional GRU whose initial state is a
    linear map of z; a linear layer maps its hidden states to features.

    Parameters
    ----------
    TEMPORAL_WINDOW : int
        Frames to reconstruct.
    ZDIMS : int
        Dimensions of the latent space.
    NUM_FEATURES : int
        Features per frame.
    hidden_size_rec : int
        Hidden units per direction.
    dropout_rec : float
        Dropout on the hidden states (in VAME this argument has no effect).
    batch_mixing : bool
        Reproduce VAME's initial state, which mixes the samples of a batch.
    """

    def __init__(
        self,
        TEMPORAL_WINDOW: int,
        ZDIMS: int,
        NUM_FEATURES: int,
        hidden_size_rec: int,
        dropout_rec: float,
        batch_mixing: bool = False,
    ):
        super().__init__()
        self.steps = TEMPORAL_WINDOW
        self.batch_mixing = batch_mixing
        self.rnn_rec = nn.GRU(ZDIMS, hidden_size_rec, batch_first=True, bidirectional=True)
        self.latent_to_hidden = nn.Linear(ZDIMS, 2 * hidden_size_rec)
        self.hidden_to_output = nn.Linear(2 * hidden_size_rec, NUM_FEATURES)
        self.dropout = nn.Dropout(dropout_rec)

    def forward(self, inputs: Tensor, z: Tensor) -> Tensor:
        """Return the reconstruction `(batch, TEMPORAL_WINDOW, NUM_FEATURES)`.

        Parameters
        ----------
        inputs : Tensor
            `(batch, time, ZDIMS)`, z repeated over time; at least TEMPORAL_WINDOW frames.
        z : Tensor
            `(batch, ZDIMS)`.
        """
        state = _initial_state(self.latent_to_hidden(z), self.batch_mixing)
        decoded, _ = run_gru(self.rnn_rec, inputs[:, : self.steps], state)
        return self.hidden_to_output(self.dropout(decoded))


class Decoder_Future(nn.Module):
    """Predicts the frames after the window from z, as `Decoder` reconstructs the window.

    Parameters
    ----------
    TEMPORAL_WINDOW : int
        Unused, as in VAME.
    FUTURE_STEPS : int
        Frames to predict.
    ZDIMS, NUM_FEATURES, hidden_size_pred, dropout_pred, batch_mixing
        As those of `Decoder`.
    """

    def __init__(
        self,
        TEMPORAL_WINDOW: int,
        ZDIMS: int,
        NUM_FEATURES: int,
        FUTURE_STEPS: int,
        hidden_size_pred: int,
        dropout_pred: float,
        batch_mixing: bool = False,
    ):
        super().__init__()
        self.steps = FUTURE_STEPS
        self.batch_mixing = batch_mixing
        self.rnn_pred = nn.GRU(ZDIMS, hidden_size_pred, batch_first=True, bidirectional=True)
        self.latent_to_hidden = nn.Linear(ZDIMS, 2 * hidden_size_pred)
        self.hidden_to_output = nn.Linear(2 * hidden_size_pred, NUM_FEATURES)
        self.dropout = nn.Dropout(dropout_pred)

    def forward(self, inputs: Tensor, z: Tensor) -> Tensor:
        """Return the prediction `(batch, FUTURE_STEPS, NUM_FEATURES)`; see `Decoder.forward`."""
        state = _initial_state(self.latent_to_hidden(z), self.batch_mixing)
        decoded, _ = run_gru(self.rnn_pred, inputs[:, : self.steps], state)
        return self.hidden_to_output(self.dropout(decoded))


class RNN_VAE(nn.Module):
    """The autoencoder: encoder, latent space, decoders of the window and of the frames after it.

    Parameters
    ----------
    TEMPORAL_WINDOW : int
        Twice the number of frames that are encoded (VAME's convention).
    ZDIMS, NUM_FEATURES : int
        Dimensions of the latent space; features per frame.
    FUTURE_DECODER : bool
        Predict the frames after the window.
    FUTURE_STEPS : int
        Frames to predict.
    hidden_size_layer_1, hidden_size_layer_2, hidden_size_rec, hidden_size_pred : int
        Hidden units of encoder and decoders, per direction; the second is unused, see `Encoder`.
    dropout_encoder, dropout_rec, dropout_pred : float
        Dropout between the layers of the encoder, and on the hidden states of the decoders.
    softplus : bool
        Apply softplus to the log variance.
    batch_mixing : bool
        Reproduce VAME's decoders, which mix the samples of a batch; required for weights trained with VAME.

    Examples
    --------
    >>> sizes = dict.fromkeys(["hidden_size_layer_1", "hidden_size_layer_2"], 8)
    >>> sizes |= dict.fromkeys(["hidden_size_rec", "hidden_size_pred"], 8)
    >>> dropout = dict.fromkeys(["dropout_encoder", "dropout_rec", "dropout_pred"], 0.0)
    >>> network = RNN_VAE(30, 4, 12, True, 5, **sizes, **dropout, softplus=False)
    >>> [tuple(output.shape) for output in network(torch.zeros(2, 15, 12))]
    [(2, 15, 12), (2, 5, 12), (2, 4), (2, 4), (2, 4)]
    """

    def __init__(
        self,
        TEMPORAL_WINDOW: int,
        ZDIMS: int,
        NUM_FEATURES: int,
        FUTURE_DECODER: bool,
        FUTURE_STEPS: int,
        hidden_size_layer_1: int,
        hidden_size_layer_2: int,
        hidden_size_rec: int,
        hidden_size_pred: int,
        dropout_encoder: float,
        dropout_rec: float,
        dropout_pred: float,
        softplus: bool,
        batch_mixing: bool = False,
    ):
        super().__init__()
        self.FUTURE_DECODER = FUTURE_DECODER
        self.seq_len = TEMPORAL_WINDOW // 2
        self.encoder = Encoder(
            NUM_FEATURES, hidden_size_layer_1, hidden_size_layer_2, dropout_encoder
        )
        self.lmbda = Lambda(ZDIMS, hidden_size_layer_1, hidden_size_layer_2, softplus)
        self.decoder = Decoder(
            self.seq_len, ZDIMS, NUM_FEATURES, hidden_size_rec, dropout_rec, batch_mixing
        )
        if FUTURE_DECODER:
            self.decoder_future = Decoder_Future(
                self.seq_len,
                ZDIMS,
                NUM_FEATURES,
                FUTURE_STEPS,
                hidden_size_pred,
                dropout_pred,
                batch_mixing,
            )
            # repeat z for the longer of the two decoders
            self.repeats = max(self.seq_len, FUTURE_STEPS)
        else:
            self.repeats = self.seq_len

    def forward(self, seq: Tensor) -> tuple[Tensor, ...]:
        """Encode and decode a batch of windows.

        Parameters
        ----------
        seq : Tensor
            `(batch, TEMPORAL_WINDOW // 2, NUM_FEATURES)`.

        Returns
        -------
        prediction : Tensor
            `(batch, TEMPORAL_WINDOW // 2, NUM_FEATURES)`: VAME's name for the reconstruction.
        future : Tensor
            `(batch, FUTURE_STEPS, NUM_FEATURES)`; left out if there is no future decoder.
        z, mu, logvar : Tensor
            `(batch, ZDIMS)` each, see `Lambda`.
        """
        z, mu, logvar = self.lmbda(self.encoder(seq))
        inputs = z.unsqueeze(1).expand(-1, self.repeats, -1)
        prediction = self.decoder(inputs, z)
        if self.FUTURE_DECODER:
            return prediction, self.decoder_future(inputs, z), z, mu, logvar
        return prediction, z, mu, logvar


def trained_network(arguments: dict[str, Any], state: dict[str, Tensor], device: str) -> RNN_VAE:
    """Return the network with the given arguments and weights, on a device, in evaluation mode."""
    network = RNN_VAE(**arguments)
    network.load_state_dict(state)
    network.to(device).eval()
    return network
