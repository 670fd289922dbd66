"""RNN_VAE, the recurrent variational autoencoder of VAME.

Luxem et al. 2022, Communications Biology 5:1267. Names, arguments, shapes and parameter names are
those of VAME 0.14.2, so that its state dicts load.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


class Encoder(nn.Module):
    """Two-layer bidirectional GRU.

    Parameters
    ----------
    NUM_FEATURES : int
    hidden_size_layer_1 : int
        Hidden units per direction, in both layers.
    hidden_size_layer_2 : int
        As in VAME, not used: one GRU has one size.
    dropout_encoder : float
        Dropout between the layers.
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
        """Encode `(batch, time, features)` to `(batch, 4 * hidden_size_layer_1)`.

        The four final hidden states side by side: layer 1 forward and backward, layer 2 forward and
        backward.
        """
        _, hidden = self.encoder_rnn(inputs)  # (4, batch, hidden)
        return hidden.transpose(0, 1).flatten(1)


class Lambda(nn.Module):
    """Maps the encoder's hidden state to the posterior and samples from it.

    Parameters
    ----------
    ZDIMS : int
    hidden_size_layer_1, hidden_size_layer_2 : int
        Sizes of the encoder; only the first counts.
    softplus : bool
        Apply softplus to the log variance.
    """

    def __init__(
        self, ZDIMS: int, hidden_size_layer_1: int, hidden_size_layer_2: int, softplus: bool
    ):
        super().__init__()
        self.hidden_to_mean = nn.Linear(4 * hidden_size_layer_1, ZDIMS)
        self.hidden_to_logvar = nn.Linear(4 * hidden_size_layer_1, ZDIMS)
        self.softplus = softplus

    def forward(self, hidden: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return `(z, mean, logvar)`, each `(batch, ZDIMS)`; in evaluation z is the mean."""
        mean = self.hidden_to_mean(hidden)
        logvar = self.hidden_to_logvar(hidden)
        if self.softplus:
            logvar = functional.softplus(logvar)
        if not self.training:
            return mean, mean, logvar
        return mean + torch.randn_like(mean) * torch.exp(0.5 * logvar), mean, logvar


def _initial_state(states: Tensor, batch_mixing: bool) -> Tensor:
    """Turn `(batch, 2 * hidden)` into the `(2, batch, hidden)` of a bidirectional GRU."""
    batch, width = states.shape
    if (
        batch_mixing
    ):  # VAME's reshape: sample b gets the state of samples b // 2 and (batch + b) // 2
        return states.reshape(2, batch, width // 2)
    return states.view(batch, 2, width // 2).transpose(0, 1).contiguous()


class Decoder(nn.Module):
    """Reconstructs the window from z: z repeated over time feeds a bidirectional GRU.

    Parameters
    ----------
    TEMPORAL_WINDOW : int
        Frames to decode.
    ZDIMS, NUM_FEATURES, hidden_size_rec : int
    dropout_rec : float
        Dropout on the hidden states (in VAME this argument has no effect).
    batch_mixing : bool
        Reproduce VAME's initial hidden state, which mixes the samples of a batch.
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
        """Decode `(batch, TEMPORAL_WINDOW, ZDIMS)` from `z` `(batch, ZDIMS)` to features."""
        state = _initial_state(self.latent_to_hidden(z), self.batch_mixing)
        decoded, _ = self.rnn_rec(inputs[:, : self.steps], state)
        return self.hidden_to_output(self.dropout(decoded))


class Decoder_Future(nn.Module):
    """Predicts the frames after the window; as `Decoder`, over FUTURE_STEPS frames.

    Parameters
    ----------
    TEMPORAL_WINDOW, ZDIMS, NUM_FEATURES, FUTURE_STEPS, hidden_size_pred : int
    dropout_pred : float
    batch_mixing : bool
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
        """Predict `(batch, FUTURE_STEPS, NUM_FEATURES)` from `inputs` (z over time) and `z`."""
        state = _initial_state(self.latent_to_hidden(z), self.batch_mixing)
        decoded, _ = self.rnn_pred(inputs[:, : self.steps], state)
        return self.hidden_to_output(self.dropout(decoded))


class RNN_VAE(nn.Module):
    """The whole autoencoder.

    Parameters
    ----------
    TEMPORAL_WINDOW : int
        Twice the frames that are encoded (VAME's convention).
    ZDIMS, NUM_FEATURES : int
    FUTURE_DECODER : bool
    FUTURE_STEPS : int
    hidden_size_layer_1, hidden_size_layer_2, hidden_size_rec, hidden_size_pred : int
    dropout_encoder, dropout_rec, dropout_pred : float
    softplus : bool
    batch_mixing : bool
        Decode as VAME does, where the samples of a batch influence one another; for its weights.
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
            # z is repeated as often as the longer of the decoders reads it
            self.repeats = max(self.seq_len, FUTURE_STEPS)
        else:
            self.repeats = self.seq_len

    def forward(self, seq: Tensor) -> tuple[Tensor, ...]:
        """Autoencode `(batch, TEMPORAL_WINDOW // 2, NUM_FEATURES)`.

        Returns
        -------
        tuple of Tensor
            `(prediction, future, z, mu, logvar)`, without `future` if there is no future decoder.
        """
        z, mu, logvar = self.lmbda(self.encoder(seq))
        inputs = z.unsqueeze(1).expand(-1, self.repeats, -1)
        prediction = self.decoder(inputs, z)
        if self.FUTURE_DECODER:
            return prediction, self.decoder_future(inputs, z), z, mu, logvar
        return prediction, z, mu, logvar
