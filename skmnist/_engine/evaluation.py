"""The skorch net without its training: logits, and gradients over the pixels."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.sparse
import torch
from skorch import NeuralNetClassifier
from torch.nn import functional as F
from torch.utils.data import Subset

from skmnist._engine.batches import Batches, ImageDataset, as_tensor
from skmnist._engine.network import MLP
from skmnist._engine.products import TILE

# Images that are evaluated at once where no gradient is needed. On the CPU they and the
# hidden units stay in its cache; a GPU needs many to be busy.
BATCH_SIZE = 512
BATCH_SIZE_ON_DEVICE = 8192


class EvaluationNet(NeuralNetClassifier):
    """A skorch classifier that takes whole arrays of images."""

    def forward_numpy(
        self, X: np.ndarray, head: Callable[[torch.Tensor], torch.Tensor]
    ) -> np.ndarray:
        """Return `head` of the logits of images, without a gradient.

        Parameters
        ----------
        X : ndarray or CSR matrix of shape (n_samples, n_pixels)
            The images.
        head : callable
            From a tensor of logits to a tensor: softmax, for example.

        Returns
        -------
        outputs : ndarray
            The outputs of all images.
        """
        batches = self._batches(X)
        with torch.inference_mode():
            # Into one array: many small ones would leave the memory of the batches in
            # pieces.
            outputs, start = np.empty(0), 0
            for Xi, _ in batches:
                part = head(self._logits(Xi)).cpu().numpy()
                if start == 0:
                    shape = (batches.n_samples, *part.shape[1:])
                    outputs = np.empty(shape, part.dtype)
                outputs[start : start + len(part)] = part
                start += len(part)
            return outputs

    def forward_tensor(
        self, X: Any, head: Callable[[torch.Tensor], torch.Tensor]
    ) -> torch.Tensor:
        """Return `head` of the logits of images that are not NumPy's.

        Parameters
        ----------
        X : tensor or array of another library, of shape (n_samples, n_pixels)
            The images.
        head : callable
            As for :meth:`forward_numpy`.

        Returns
        -------
        outputs : tensor
            The outputs of all images, on the device of a tensor `X`.
        """
        batches = self._batches(X)
        with torch.inference_mode():
            parts = [head(self._logits(Xi)) for Xi, _ in batches]
        # Outside: autograd takes no tensor that was made in inference mode.
        outputs = torch.cat(parts)
        return outputs.to(X.device) if isinstance(X, torch.Tensor) else outputs

    def _batches(self, X):
        if self.module_.training:
            self.module_.eval()
        is_sparse = scipy.sparse.issparse(X)
        dataset = ImageDataset(X if is_sparse else as_tensor(X, self.device))
        return self.evaluation_batches(dataset)

    def _logits(self, X):
        n_missing = -X.shape[0] % TILE
        if n_missing == 0 or not self._is_module_as_built():
            return self.module_(X)
        return self.module_(F.pad(X, (0, 0, 0, n_missing)))[: X.shape[0]]

    def input_gradient(self, X: np.ndarray, classes: np.ndarray) -> np.ndarray:
        """Return the gradient of one class's logit over the pixels of each image.

        Parameters
        ----------
        X : ndarray of shape (n_samples, n_pixels)
            The images.
        classes : ndarray of int, shape (n_samples,)
            For each image the class, encoded as 0 to n_classes - 1.

        Returns
        -------
        gradient : ndarray of shape (n_samples, n_pixels)
            How much the logit grows with each pixel.
        """
        self.module_.eval()
        dtype = self.module_.output.weight.dtype
        pixels = torch.tensor(X, dtype=dtype, device=self.device, requires_grad=True)
        logits = self._logits(pixels)
        columns = torch.as_tensor(classes, device=self.device).unsqueeze(1)
        (gradient,) = torch.autograd.grad(logits.gather(1, columns).sum(), pixels)
        return gradient.cpu().numpy()

    def evaluation_batches(self, dataset: ImageDataset | Subset) -> Batches:
        """Return batches in their order, as large as is good without a gradient."""
        size = BATCH_SIZE if self.is_on_cpu else BATCH_SIZE_ON_DEVICE
        return Batches(dataset, size, self.device)

    def predict(self, X: Any) -> np.ndarray:
        """Return the encoded label of each image, or an indicator of its labels."""
        if self.predict_nonlinearity == "auto":
            return super().predict(X)
        return (self.predict_proba(X) > 0.5).astype(np.int64)

    @property
    def is_on_cpu(self) -> bool:
        """Whether it computes on the processor."""
        return torch.device(self.device).type == "cpu"

    def _is_module_as_built(self):
        return type(self.module_) is MLP and self.module_.is_as_built()
