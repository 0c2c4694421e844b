"""Batches of whole tensors, and the data that they are taken from."""

import gc
import warnings
import weakref

import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal
from skorch.callbacks import Callback
from torch.utils.data import Subset

from skmnist._data import LabelledImages
from skmnist._engine.batches import Batches, ImageDataset, as_tensor, make_subsets
from small_models import fit


def test_a_shuffled_pass_sees_each_row_once():
    data = Subset(
        ImageDataset(torch.arange(20.0).view(10, 2), torch.arange(10)), [*range(8)]
    )
    batches = Batches(data, 3, "cpu", np.random.default_rng(0))

    first, second = (torch.cat([y for _, y in batches]).tolist() for _ in range(2))

    assert sorted(first) == sorted(second) == list(range(8))
    assert first != second
    assert len(batches) == 3


def test_images_labels_and_weights_stay_together():
    X = torch.arange(20.0).view(10, 2)
    data = Subset(ImageDataset(X, torch.arange(10), torch.arange(10.0)), [*range(10)])

    for (Xi, yi), weight in Batches(
        data, 4, "cpu", np.random.default_rng(0)
    ).weighted():
        assert_array_equal(Xi[:, 0] / 2, yi)
        assert_array_equal(weight, yi)


def test_a_read_only_array_is_shared_without_a_warning():
    array = np.arange(4.0)
    array.setflags(write=False)

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        tensor = as_tensor(array)

    assert tensor.data_ptr() == array.ctypes.data
    assert not array.flags.writeable


def test_parts_share_their_images_and_weigh_one_on_average_each():
    X, codes = np.zeros((10, 4), dtype=np.float32), np.arange(10)
    data = LabelledImages(X, codes, np.arange(1.0, 11.0), rows=np.arange(10))
    parts = data._replace(rows=np.arange(7)), data._replace(rows=np.arange(7, 10))

    subsets = make_subsets(*parts, None, device=torch.device("cpu"))

    assert subsets.pop() is None
    for subset, part in zip(subsets, parts, strict=True):
        assert subset.dataset.X.data_ptr() == X.ctypes.data
        assert_array_equal(subset.indices, part.rows)
        assert float(subset.dataset.sample_weight[part.rows].mean()) == pytest.approx(1)
    assert_array_equal(data.weight, np.arange(1.0, 11.0))


def test_training_copies_neither_images_nor_their_split(digits):
    X, _ = digits
    seen = []

    class Keep(Callback):
        def on_epoch_begin(self, net, dataset_train, dataset_valid, **kwargs):
            seen.extend([dataset_train.dataset.X, dataset_valid.dataset.X])

    fit(digits, Keep(), max_epochs=1, device="cpu")

    assert {tensor.data_ptr() for tensor in seen} == {X.ctypes.data}


def test_the_fitted_net_keeps_no_data(digits):

    X = digits[0].copy()
    reference = weakref.ref(X)
    classifier = fit((X, digits[1]))

    del X
    gc.collect()

    assert classifier.net_ is not None
    assert reference() is None
