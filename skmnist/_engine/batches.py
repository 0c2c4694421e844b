"""Batches of whole tensors, each taken with one `index_select`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import repeat
from typing import Any, cast

import numpy as np
import scipy.sparse
import skorch.dataset
import torch
from torch.utils.data import Subset

from skmnist._arrays import Space, find_space
from skmnist._data import LabelledImages
from skmnist._engine.products import TILE

# Values of sparse rows that become dense at once where any batch size does: 32 MB.
DENSE_VALUES = 2**23


class ImageDataset(skorch.dataset.Dataset):
    """Images, labels and sample weights, each one whole tensor.

    Parameters
    ----------
    X : tensor, ndarray or CSR matrix of shape (n_samples, n_pixels)
        The images.
    y : tensor of int64, shape (n_samples,), default=None
        The labels, encoded as 0 to n_classes - 1.
    sample_weight : tensor of shape (n_samples,), default=None
        The weights, with mean one over the rows that are trained on together.
    """

    def __init__(
        self,
        X: Any,
        y: torch.Tensor | None = None,
        sample_weight: torch.Tensor | None = None,
    ):
        # Of a sparse matrix skorch would not know the length.
        super().__init__(X, y, length=X.shape[0] if scipy.sparse.issparse(X) else None)
        self.sample_weight = sample_weight


def make_subsets(
    *parts: LabelledImages | None, device: torch.device
) -> list[Subset | None]:
    """Return parts of a data set as torch takes them, each with weights of mean one.

    Parameters
    ----------
    *parts : LabelledImages or None
        The parts. Arrays that they share are moved to the device once.
    device : torch.device
        Where to.

    Returns
    -------
    subsets : list
        Subsets of an :class:`ImageDataset`; None for None.
    """
    moved: dict[int, Any] = {}

    def move(array):
        if array is None or scipy.sparse.issparse(array):
            return array
        return as_tensor(array, device).to(device)

    def move_once(array):
        if id(array) not in moved:
            moved[id(array)] = move(array)
        return moved[id(array)]

    subsets: list[Subset | None] = []
    for part in parts:
        if part is None:
            subsets.append(None)
        else:
            weight = move(part.normalized_weight())
            dataset = ImageDataset(move_once(part.X), move_once(part.codes), weight)
            subsets.append(Subset(dataset, part.rows))  # type: ignore[arg-type]
    return subsets


class Batches:
    """Batches of a dataset's rows.

    Parameters
    ----------
    dataset : ImageDataset or a Subset of one
        The data; a subset's rows stay an index into the whole.
    batch_size : int
        The number of rows of a batch.
    device : str or torch.device
        Where the batches are wanted.
    rng : numpy.random.Generator, default=None
        Shuffles the rows anew for each pass; by default they keep their order, and
        batches of wide sparse rows may be smaller.
    augment : callable, default=None
        From the rows of pixels of a batch to those that are given instead.
    """

    def __init__(
        self,
        dataset: ImageDataset | Subset,
        batch_size: int,
        device: str | torch.device,
        rng: np.random.Generator | None = None,
        augment: Callable[[torch.Tensor], torch.Tensor] | None = None,
    ):
        is_subset = isinstance(dataset, Subset)
        whole = cast(ImageDataset, dataset.dataset if is_subset else dataset)
        self.device = device
        if scipy.sparse.issparse(whole.X):
            if rng is None:
                n_tiles = max(1, DENSE_VALUES // whole.X.shape[1] // TILE)
                batch_size = min(batch_size, n_tiles * TILE)
            n_rows = min(batch_size, len(dataset))
            self.X: Any = _SparseRows(whole.X, n_rows, device)
        else:
            self.X = torch.as_tensor(whole.X, device=device)
        self.y = None if whole.y is None else torch.as_tensor(whole.y, device=device)
        self.sample_weight = whole.sample_weight
        self.rows = np.asarray(dataset.indices) if is_subset else None
        if self.rows is not None and np.array_equal(self.rows, np.arange(len(whole))):
            self.rows = None  # slices of the whole copy nothing
        self.n_samples = len(dataset)
        self.batch_size = batch_size
        self.rng = rng
        self.augment = augment

    def __iter__(self):
        return (batch for batch, _ in self.weighted())

    def __len__(self):
        return -(-self.n_samples // self.batch_size)

    def weighted(self) -> Iterator[tuple[tuple, torch.Tensor | None]]:
        """Yield pairs of a batch (images and labels) and its sample weights."""
        order = self.order()
        labels = self._select_batches(self.y, order)
        weights = self._select_batches(self.sample_weight, order)
        for rows, y, weight in zip(self._split(order), labels, weights, strict=False):
            yield (self.select_images(rows), y), weight

    def select_images(self, rows: torch.Tensor | slice) -> torch.Tensor:
        """Return some images, augmented if they are to be."""
        X = select_rows(self.X, rows)
        return X if self.augment is None else self.augment(X)

    def select_labels(
        self, rows: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Return the labels of some rows and their sample weights."""
        y, weight = self.y, self.sample_weight
        if weight is not None:
            weight = select_rows(weight, rows)
        return select_rows(cast(torch.Tensor, y), rows), weight

    @property
    def can_be_recorded(self) -> bool:
        """Whether a batch is selected on a CUDA device alone."""
        return getattr(self.X, "is_cuda", False) and self.augment is None

    def order(self) -> torch.Tensor | slice:
        """Return the order of the rows in the next pass."""
        order = self.rows
        if self.rng is not None:
            order = self.rng.permutation(self.n_samples if order is None else order)
        if order is None:
            return slice(self.n_samples)
        return torch.as_tensor(order, device=self.device)

    def _select_batches(self, tensor, order):
        # Of the whole pass at once: a selection for each batch takes longer.
        if tensor is None:
            return repeat(None)
        return select_rows(tensor, order).split(self.batch_size)

    def _split(self, order):
        if isinstance(order, torch.Tensor):
            return order.split(self.batch_size)
        starts = range(0, self.n_samples, self.batch_size)
        return [slice(start, start + self.batch_size) for start in starts]


class _SparseRows:
    """Rows that become dense when they are taken, until the next are."""

    def __init__(self, X, n_rows, device):
        self.X = X
        self.device = device
        # One for all batches: the memory of many would be left in pieces, and grow to
        # that of the whole.
        self.dense = np.empty((n_rows, X.shape[1]), X.dtype)

    def __getitem__(self, rows):
        some = self.X[rows]
        dense = some.toarray(out=self.dense[: some.shape[0]])
        return torch.from_numpy(dense).to(self.device)

    def index_select(self, dim, rows):
        return self[rows.cpu().numpy()]


def select_rows(tensor: torch.Tensor, rows: torch.Tensor | slice) -> torch.Tensor:
    """Return some rows of a tensor."""
    return tensor[rows] if isinstance(rows, slice) else tensor.index_select(0, rows)


def augment_rows(
    function: Callable[[torch.Tensor], torch.Tensor],
    image_shape: tuple[int, int],
    X: torch.Tensor,
) -> torch.Tensor:
    """Return rows of pixels as a function of images makes them anew."""
    return function(X.view(-1, 1, *image_shape)).view(X.shape)


def call_augmentation(
    augmentation: Callable[[torch.Tensor], torch.Tensor], images: torch.Tensor
) -> torch.Tensor:
    """Return what a user's augmentation makes of images.

    Parameters
    ----------
    augmentation : callable
        The parameter of :class:`MNISTMLPClassifier`.
    images : tensor of shape (n_images, 1, rows, columns)
        The images.

    Returns
    -------
    augmented : tensor of shape (n_images, 1, rows, columns)
        The images of a batch, of the same type and on the same device.

    Raises
    ------
    ValueError
        If it returns anything else than finite floats of that shape.
    """
    with torch.no_grad():
        augmented = augmentation(images)
    expected = f"give one that returns a float tensor of shape {tuple(images.shape)}."
    if not isinstance(augmented, torch.Tensor):
        raise ValueError(
            f"augmentation returned a {type(augmented).__name__}; {expected}"
        )
    if augmented.shape != images.shape or not augmented.is_floating_point():
        raise ValueError(
            f"augmentation returned a tensor of {augmented.dtype} and of shape "
            f"{tuple(augmented.shape)}; {expected}"
        )
    augmented = augmented.to(images).contiguous()
    if not augmented.isfinite().all():
        raise ValueError(f"augmentation returned NaN or infinite values; {expected}")
    return augmented


def as_tensor(X: Any, device: str | torch.device = "cpu") -> torch.Tensor:
    """Return a tensor that shares an array's memory, also where that is read-only.

    Parameters
    ----------
    X : ndarray, tensor or array of another library
        The array.
    device : str or torch.device, default="cpu"
        Where an array of another library goes to.

    Returns
    -------
    tensor : tensor
        The tensor, without a gradient.
    """
    if isinstance(X, torch.Tensor):
        return X.detach()
    if not isinstance(X, np.ndarray):
        space = find_space(torch.empty(0, device=device))
        return cast(Space, space).move(X)
    if X.flags.writeable:
        return torch.from_numpy(X)
    # torch warns of read-only arrays (memory maps, joblib's workers). We never write.
    return torch.from_numpy(np.asarray(_WriteableView(X)))


class _WriteableView:
    def __init__(self, array):
        self.array = array
        interface = array.__array_interface__
        self.__array_interface__ = {**interface, "data": (interface["data"][0], False)}
