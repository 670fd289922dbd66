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
        """Encodes aligned features as latents, and labels them with motifs."""

        def load_context(self, context: mlflow.pyfunc.PythonModelContext) -> None:
            """Load the model file."""
            from vame_pipe.encoding import model_file

            self.model = model_file.load(context.artifacts["model"])
            self.network = self.model.network()
            self.segmentation = None
            if "segmentation" in context.artifacts:
                from pathlib import Path

                from vame_pipe.core.layout import MotifFolder
                from vame_pipe.motifs import segmentation

                folder = Path(context.artifacts["segmentation"]).parent
                self.segmentation = segmentation.load(MotifFolder(folder))

        def predict(self, context, model_input, params: dict[str, Any] | None = None):  # type: ignore[no-untyped-def]
            """Return the latents of every window of `length` frames, and its motif if there are motifs.

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
            numpy.ndarray or dict of str to numpy.ndarray
                `(n_runs * (n_frames - length + 1), zdims)` float32, the posterior mean of each window, in
                order; NaN for windows with missing values. With a segmentation, a dict: `latents` are
                these; `motif (n_windows,)` int64, -1 where unknown, and `confidence (n_windows,)` float32
                belong to the row `lag` after the middle of the window, see the model's metadata.
            """
            from vame_pipe.encoding.encode import encode_runs

            runs = np.asarray(model_input, np.float32)
            latents = encode_runs(self.model, self.network, runs)
            if self.segmentation is None:
                return latents
            from vame_pipe.motifs.labels import label_runs

            run = np.repeat(np.arange(len(runs)), len(latents) // max(1, len(runs)))
            motif, confidence = label_runs(self.segmentation, latents, run)
            return {"latents": latents, "motif": motif, "confidence": confidence}


mlflow.models.set_model(Encoder())
