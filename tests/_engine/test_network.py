"""The module, its dropout and its first weights."""

import math

import numpy as np
import pytest
import torch

from listeners import OnTrainBegin
from skmnist._engine.network import MLP, Dropout
from small_models import fit


def make_dropout(p, seed=0):
    return Dropout(p, np.random.Generator(np.random.SFC64(seed)))


def test_layers_have_the_names_that_the_summary_reads():
    module = MLP(784, (256, 64), 10, "relu", dropout=0.5)

    assert list(dict(module.named_children())) == [
        *("hidden_1", "activation_1", "dropout_1"),
        *("hidden_2", "activation_2", "dropout_2"),
        "output",
    ]


def test_without_dropout_there_is_no_layer_for_it():
    module = MLP(4, (3,), 2, "relu", dropout=0.0)

    names = [name for name, _ in module.named_children()]
    assert names == ["hidden_1", "activation_1", "output"]


@pytest.mark.parametrize("p", [0.5, 0.25, 1 / 3])
def test_the_masks_of_a_device_keep_the_fraction_asked_for(p):
    X = torch.empty(100, 1000, dtype=torch.float64)

    masks = make_dropout(p)._draw_on_device(X)

    assert set(masks.unique().tolist()) == {0.0, 1 / (1 - p)}
    assert masks.count_nonzero() / masks.numel() == pytest.approx(1 - p, abs=0.01)


def test_the_masks_of_a_device_are_new_each_time_and_follow_the_seed():
    def draw(dropout):
        return tuple(dropout._draw_on_device(torch.empty(8, 8)).flatten().tolist())

    dropout = make_dropout(0.5)
    masks = [draw(dropout) for _ in range(200)]

    assert len(set(masks)) == 200
    assert draw(make_dropout(0.5)) == masks[0]


def test_the_masks_of_a_device_are_the_same_in_each_float_type():
    single, double = (
        make_dropout(0.5)._draw_on_device(torch.empty(30, 40, dtype=dtype))
        for dtype in (torch.float32, torch.float64)
    )

    assert single.dtype == torch.float32
    assert double.dtype == torch.float64
    assert torch.equal(single, double.float())


def test_no_hidden_layer_is_a_linear_model():
    module = MLP(4, (), 3, "relu", dropout=0.5)
    X = torch.rand(5, 4)

    torch.testing.assert_close(module(X), X @ module.output.weight.T)


def test_first_weights_are_glorot_uniform_and_biases_zero():
    module = MLP(784, (256,), 10, "relu", dropout=0.5)
    bound = math.sqrt(6 / (784 + 256))
    weight = module.hidden_1.weight.detach()

    assert weight.abs().max() <= bound
    assert weight.abs().max() > 0.99 * bound
    assert weight.mean().abs() < 0.01 * bound
    assert float(weight.std()) == pytest.approx(bound / math.sqrt(3), rel=0.01)
    assert not module.hidden_1.bias.any()


def test_making_a_module_leaves_the_global_generator_alone():
    before = torch.get_rng_state()

    module = MLP(20, (10,), 3, "relu", dropout=0.5).train()
    module(torch.rand(2, 20, generator=torch.Generator()))

    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize("p", [0.1, 0.25, 0.5, 0.9])
def test_the_mask_keeps_the_share_that_it_should(p):
    n = 4_000_000
    mask = make_dropout(p).draw_mask(torch.empty(n))

    kept = float((mask > 0).double().mean())

    assert kept == pytest.approx(1 - p, abs=4 * math.sqrt(p * (1 - p) / n) + 1e-5)
    assert float(mask.max()) == pytest.approx(1 / (1 - p), rel=1e-4)


@pytest.mark.parametrize(
    ("p", "expected"),
    [
        (0.5, [0, 0, 0, 0, 1, 1, 1, 0, 1, 1, 0, 1, 0, 1, 0, 1]),
        (0.25, [1, 1, 1, 1, 1, 1, 0, 1, 1, 1, 0, 1, 1, 1, 0, 1]),
        (0.3, [1, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0]),
    ],
)
def test_a_seed_gives_the_same_mask_on_every_machine(p, expected):
    mask = make_dropout(p).draw_mask(torch.empty(16))

    assert (mask > 0).int().tolist() == expected


@pytest.mark.parametrize("p", [0.1, 0.3, 0.7, 1 / 3])
def test_the_share_that_is_kept_is_exact_to_17_bits(p):
    mask = make_dropout(p).draw_mask(torch.empty(1000, dtype=torch.float64))

    assert 1 / float(mask.max()) == pytest.approx(1 - p, abs=2**-17)


@pytest.mark.parametrize("p", [0.5, 0.25, 0.3])
def test_the_last_of_a_mask_is_as_random_as_the_first(p):
    mask = make_dropout(p).draw_mask(torch.empty(2**18 + 63))  # not whole words

    assert 0 < (mask[-63:] > 0).double().mean() < 1


@pytest.mark.parametrize("p", [0.5, 0.25, 0.3])
def test_mask_is_independent_across_places_and_draws(p):
    dropout = make_dropout(p)
    kept = torch.stack([dropout.draw_mask(torch.empty(64)) > 0 for _ in range(20_000)])
    signs = (kept.double() - (1 - p)) / math.sqrt(p * (1 - p))

    correlation = signs.T @ signs / len(signs)
    off_diagonal = correlation - torch.diag(correlation.diag())

    assert off_diagonal.abs().max() < 5 / math.sqrt(len(signs))
    assert signs.mean(dim=0).abs().max() < 5 / math.sqrt(len(signs))
    assert (signs[1:] * signs[:-1]).mean().abs() < 5 / math.sqrt(signs.numel())


@pytest.mark.parametrize("shape", [(1, 1), (3, 5), (128, 256)])
def test_masks_come_in_any_shape_and_type(shape):
    mask = make_dropout(0.5).draw_mask(torch.empty(shape, dtype=torch.float64))

    assert mask.shape == shape
    assert mask.dtype == torch.float64


@pytest.mark.parametrize("p", [1e-9, 1 - 1e-9])
def test_extreme_rates_stay_finite(p):
    assert make_dropout(p).draw_mask(torch.empty(1000)).isfinite().all()


def test_masks_drawn_ahead_differ_from_each_other():
    dropout = make_dropout(0.5)

    masks = [dropout.draw_mask(torch.empty(8, 64)) for _ in range(20)]

    assert len({tuple(mask.ravel().tolist()) for mask in masks}) == 20


def test_small_masks_are_drawn_several_at_a_time():
    dropout = make_dropout(0.5)
    dropout.draw_mask(torch.empty(8, 64))
    before = repr(dropout.rng.bit_generator.state)

    dropout.draw_mask(torch.empty(8, 64))
    assert repr(dropout.rng.bit_generator.state) == before
    for other in (torch.empty(4, 64), torch.empty(4, 64, dtype=torch.float64)):
        assert dropout.draw_mask(other).dtype == other.dtype
        assert repr(dropout.rng.bit_generator.state) != before
        before = repr(dropout.rng.bit_generator.state)


def test_without_masks_ahead_the_next_depends_on_the_generator_alone():
    dropout = make_dropout(0.5)
    dropout.draw_mask(torch.empty(8, 64))
    state = dropout.rng.bit_generator.state

    dropout.discard_masks()
    first = dropout.draw_mask(torch.empty(8, 64))
    dropout.rng.bit_generator.state = state
    dropout.discard_masks()

    assert torch.equal(dropout.draw_mask(torch.empty(8, 64)), first)


def test_dropout_drops_nothing_outside_training():
    X = torch.rand(4, 4)

    assert make_dropout(0.5).eval()(X) is X


def test_dropout_can_be_changed_while_training(digits):
    def drop_nothing(net):
        net.module_.dropout_1.p = 0.0

    changed = fit(digits, OnTrainBegin(drop_nothing), dropout=0.5)
    without = fit(digits, dropout=0.0)

    losses = [model.history_["train_loss"].iloc[-1] for model in (changed, without)]
    assert losses[0] == pytest.approx(losses[1], rel=0.05)
