"""Promises of the pages that no other file of tests holds."""

import pickle
import signal

import numpy as np
import pytest
import skorch.callbacks
import torch
from numpy.testing import assert_array_equal
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.utils.class_weight import compute_sample_weight

from skmnist import ImageScaler, MNISTMLPClassifier
from skmnist._engine.device import find_float_types, resolve_device
from skmnist.cli import main, make_parser, make_predict_parser


def small(**parameters):
    return MNISTMLPClassifier(
        **{"hidden_layer_sizes": 16, "max_epochs": 2, "random_state": 0, **parameters}
    )


def test_help_lists_every_option(capsys):
    with pytest.raises(SystemExit):
        main(["--help"])

    printed = capsys.readouterr().out
    for name, default in MNISTMLPClassifier().get_params().items():
        # The others take objects of Python; warm_start does nothing in a single fit.
        if default is not None and name != "warm_start":
            assert f"--{name.replace('_', '-')}" in printed


@pytest.mark.parametrize("parser", [make_parser(), make_predict_parser()])
def test_every_option_is_explained(parser):
    assert [option.dest for option in parser._actions if not option.help] == []


def test_the_scaler_learns_nothing_from_its_images(digits):
    X, _ = digits

    one, all_images = ImageScaler(1).fit(X[:1]), ImageScaler(1).fit(X)

    assert_array_equal(one.transform(X), all_images.transform(X))


def test_skorchs_early_stopping_stops_by_another_figure(digits):
    stopping = skorch.callbacks.EarlyStopping(
        monitor="valid_accuracy", lower_is_better=False, patience=2
    )

    history = small(callbacks=[stopping], max_epochs=200).fit(*digits).history_

    assert len(history) == history["valid_accuracy"].idxmax() + 1 + 2 < 200


def test_balanced_weights_of_a_partial_fit_are_those_of_its_labels(digits):
    X, y = digits
    X, y = X[y > 6], y[y > 6]
    weight, classes = compute_sample_weight("balanced", y), np.arange(10)

    balanced = small(class_weight="balanced").partial_fit(X, y, classes)
    weighted = small().partial_fit(X, y, classes, sample_weight=weight)

    np.testing.assert_allclose(
        balanced.predict_proba(X), weighted.predict_proba(X), rtol=1e-5
    )


def test_a_pipeline_passes_weights_by_the_name_of_the_step(digits):
    X, y = digits
    weight = np.linspace(0, 2, len(y))
    model = make_pipeline(ImageScaler(1), small())

    model.fit(X, y, mnistmlpclassifier__sample_weight=weight)

    expected = small().fit(X, y, sample_weight=weight)
    assert_array_equal(model.predict_proba(X), expected.predict_proba(X))


def test_warm_start_of_a_loaded_model_continues_exactly(digits):
    X, y = digits
    model = small(warm_start=True).fit(X, y)

    loaded = pickle.loads(pickle.dumps(model))

    assert_array_equal(
        loaded.fit(X, y).predict_proba(X), model.fit(X, y).predict_proba(X)
    )


class PressCtrlC(skorch.callbacks.Callback):
    """Sends the signal of Ctrl-C when the third epoch begins."""

    def on_epoch_begin(self, net, **kwargs):
        if len(net.history) == 3:
            signal.raise_signal(signal.SIGINT)


@pytest.fixture
def ctrl_c():
    """A callback that presses Ctrl-C, which a process in the background may ignore."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield PressCtrlC()
    signal.signal(signal.SIGINT, before)


def test_partial_fit_continues_after_ctrl_c(digits, ctrl_c):
    X, y = digits
    model = small(max_epochs=9, validation_split=None, callbacks=[ctrl_c])
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, y)

    model.set_params(callbacks=None).partial_fit(X, y)

    assert model.n_iter_ == 3
    expected = small(max_epochs=3, validation_split=None).fit(X, y)
    assert_array_equal(model.predict_proba(X), expected.predict_proba(X))


def test_ctrl_c_ends_a_search(digits, ctrl_c):
    model = small(max_epochs=9, callbacks=[ctrl_c])

    with pytest.raises(KeyboardInterrupt):
        GridSearchCV(model, {"dropout": [0.0, 0.5]}, cv=2).fit(*digits)


def test_global_seeds_have_no_effect_on_a_fit(digits):
    def fit(random_state):
        np.random.seed(0)
        torch.manual_seed(0)
        model = small(max_epochs=1, random_state=random_state).fit(*digits)
        return model.predict_proba(digits[0])

    assert not np.array_equal(fit(None), fit(None))
    expected = fit(0)
    np.random.seed(1)
    torch.manual_seed(1)
    other = small(max_epochs=1, random_state=0).fit(*digits)
    assert_array_equal(other.predict_proba(digits[0]), expected)


@pytest.mark.parametrize(("has_mps", "device"), [(True, "mps"), (False, "cpu")])
def test_auto_takes_mps_where_there_is_no_cuda(monkeypatch, has_mps, device):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: has_mps)

    assert resolve_device("auto") == torch.device(device)


def test_mps_has_no_float64():
    assert find_float_types(torch.device("mps")) == ["float32"]
    assert find_float_types(torch.device("cpu")) == ["float32", "float64"]
