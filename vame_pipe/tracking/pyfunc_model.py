"""The model that MLflow loads. MLflow executes this file, next to a copy of the package."""

from __future__ import annotations

import warnings
from typing import Any

import mlflow.models
import mlflow.pyfunc
import numpy as np

# MLflow warns that type hints are missing, supports none for arrays, and ignores filters of warnings
with warnings.catch_warnings(record=True):

    class Encoder(mlflow.pyfunc.PythonModel):
        """Encodes aligned features as latents."""

        def load_context(self, context: mlflow.pyfunc.PythonModelContext) -> None:
            """Load the model file."""
            from vame_pipe.encoding import model_file

            self.model = model_file.load(context.artifacts["model"])
            self.network = self.model.network()

        def predict(self, context, model_input, params: dict[str, Any] | None = None):  # type: ignore[no-untyped-def]
            """Return the latents of every window of `length` frames.

            Parameters
            ----------
            context : mlflow.pyfunc.PythonModelContext
                Not used.
            model_input : numpy.ndarray
                `(n_runs, n_frames, n_features)` float32, aligned features in the order of the model's
                metadata, not normalised: windows, or longer runs of frames.
            params : dict, optional
                Not used.

            Returns
            -------
            numpy.ndarray
                `(n_runs * (n_frames - length + 1), zdims)` float32, the posterior mean of each window, in
                order; NaN for windows with missing values.
            """
            from vame_pipe.encoding.encode import encode_runs

            return encode_runs(self.model, self.network, np.asarray(model_input, np.float32))


mlflow.models.set_model(Encoder())
