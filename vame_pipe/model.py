"""The five classes of VAME's network, under the name of the module that has them in VAME."""

from vame_pipe.training.network import RNN_VAE, Decoder, Decoder_Future, Encoder, Lambda

__all__ = ["RNN_VAE", "Decoder", "Decoder_Future", "Encoder", "Lambda"]
