"""A model as MLflow loads it: MLflow runs this file, with a copy of the package beside it."""

from __future__ import annotations

import warnings
from typing import Any

import mlflow.models
import mlflow.pyfunc
import numpy as np

# MLflow wishes for hints of types, knows none for arrays, and overrules filters of warnings
with warnings.catch_warnings(record=True):

    class Encoder(mlflow.pyfunc.PythonModel):
        """Frames in, latents out."""

        def load_context(self, context: mlflow.pyfunc.PythonModelContext) -> None:
            from vame_pipe.encoding import model_file

            self.model = model_file.load(context.artifacts["model"])
            self.network = self.model.network()

        def predict(self, context, model_input, params: dict[str, Any] | None = None):
            """Return the latents of every window of `length` frames.

            Parameters
            ----------
            model_input : numpy.ndarray
                `(n_runs, n_frames, n_features)` float32, aligned features in the model's order, not
                normalised: windows, or longer runs of frames.

            Returns
            -------
            numpy.ndarray
                `(n_runs * (n_frames - length + 1), zdims)` float32, the posterior mean of each window, in
                order; NaN for a window in which something is not known.
            """
            from vame_pipe.encoding.encode import encode_runs

            return encode_runs(self.model, self.network, np.asarray(model_input, np.float32))


mlflow.models.set_model(Encoder())
