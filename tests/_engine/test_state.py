"""What is pickled, and the table of the history."""

import io
import pickle
import signal
import subprocess
import sys

import joblib
import pandas as pd
import pytest
import skorch.callbacks
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.pipeline import make_pipeline
from skorch.callbacks.logging import filter_log_keys

from listeners import OnTrainBegin, StopAt
from skmnist import ImageScaler, MNISTMLPClassifier, save_model
from small_models import fit, small


def test_a_copy_goes_on_as_the_model_itself(digits):
    X, y = digits[0][:400], digits[1][:400]  # 4 whole batches: masks would be left over
    model = small(batch_size=100, validation_split=None).fit(X, y)

    copied = pickle.loads(pickle.dumps(model))

    assert_array_equal(
        copied.partial_fit(X, y).predict_proba(X),
        model.partial_fit(X, y).predict_proba(X),
    )


@pytest.mark.parametrize("optimizer", ["adam", "adamw", "sgd", "rmsprop", "adagrad"])
def test_a_loaded_classifier_trains_on_exactly(digits, optimizer):
    X, y = digits
    classifier = small(optimizer=optimizer).fit(X, y)
    loaded = pickle.loads(pickle.dumps(classifier))

    for each in (classifier, loaded):
        each.partial_fit(X, y)

    assert_array_equal(loaded.predict_proba(X), classifier.predict_proba(X))
    pd.testing.assert_frame_equal(
        loaded.history_.drop(columns="duration"),
        classifier.history_.drop(columns="duration"),
    )


def test_a_pickle_holds_no_torch_or_skorch_object(digits):
    text = pickle.dumps(small().fit(*digits), protocol=0)

    assert b"skmnist.classifier" in text
    assert b"torch" not in text
    assert b"skorch" not in text


def test_a_pickle_does_not_grow_with_the_data(digits):
    X, y = digits
    few, many = (len(pickle.dumps(small().fit(X[:n], y[:n]))) for n in (200, 500))

    assert abs(few - many) < 100


def test_a_pickle_holds_little_beside_the_weights_and_the_optimizers_state(digits):
    X, y = digits
    model = make_pipeline(ImageScaler(1.0), MNISTMLPClassifier(max_epochs=1))
    few, many = (model.fit(X[:n], y[:n]) and dump(model) for n in (100, 500))

    n_parameters = sum(p.numel() for p in model[-1].module_.parameters())
    assert len(many) == pytest.approx(len(few), abs=16)  # numbers of more digits
    assert len(many) < 1.1 * 3 * 4 * n_parameters  # Adam keeps two values for each


def dump(model):
    buffer = io.BytesIO()
    joblib.dump(model, buffer)
    return buffer.getvalue()


def test_a_fitted_classifier_survives_new_parameters(digits):
    X, y = digits
    classifier = small().fit(X, y)
    expected = classifier.predict_proba(X)

    classifier.set_params(hidden_layer_sizes=(3, 3), optimizer="sgd", dropout=0.0)
    loaded = pickle.loads(pickle.dumps(classifier))

    assert_array_equal(loaded.predict_proba(X), expected)


def put_in_a_layer(net):
    net.module_.activation_1 = torch.nn.ELU()


def put_in_a_module(net):
    net.module_ = torch.nn.Linear(64, 10).to(net.device)
    net.initialize_optimizer()


@pytest.mark.parametrize("change", [put_in_a_layer, put_in_a_module])
def test_a_net_that_cannot_be_built_again_is_not_pickled(digits, tmp_path, change):
    model = fit(digits, OnTrainBegin(change))

    # Nothing else is proposed, as joblib.dump would fail too.
    message = r"^The layers .* with torch\.save\(classifier\.module_, path\)\.$"
    with pytest.raises(pickle.PicklingError, match=message):
        pickle.dumps(model)
    with pytest.raises(ValueError, match=message):
        save_model(model, tmp_path / "model.skmnist")
    with pytest.raises(ValueError, match=message):
        save_model(model.set_params(callbacks=None), tmp_path / "model.skmnist")


def test_a_net_with_a_hook_is_pickled(digits):
    model = small().fit(*digits)
    model.module_.output.register_forward_hook(lambda *_: None)

    loaded = pickle.loads(pickle.dumps(model))

    assert_array_equal(loaded.predict(digits[0]), model.predict(digits[0]))


@pytest.mark.parametrize(
    ("device", "dropout"),
    [("cpu", 0.5), ("auto", 0.0)],  # a GPU has other masks
)
def test_a_net_moves_to_another_device_with_all_its_state(digits, device, dropout):
    X, y = digits
    model = small(device=device, dropout=dropout).fit(X, y)
    moved = pickle.loads(pickle.dumps(model)).set_params(device="cpu")
    moved.net_.device = "elsewhere"

    assert_allclose(
        moved.partial_fit(X, y).predict_proba(X),
        model.partial_fit(X, y).predict_proba(X),
        atol=0.0 if model.net_.device == "cpu" else 1e-4,
    )
    assert moved.net_.device == "cpu"


def test_a_model_of_a_missing_device_loads_on_the_cpu(digits):
    X, y = digits
    classifier = small(device="cpu").fit(X, y)
    state = pickle.loads(pickle.dumps(classifier.__getstate__()))
    state["_built_with"]["device"] = "cuda:77"

    loaded = MNISTMLPClassifier.__new__(MNISTMLPClassifier)
    loaded.__setstate__(state)

    assert_array_equal(loaded.predict_proba(X), classifier.predict_proba(X))


TRAIN = """
import os, signal, sys
import numpy as np
from skorch.callbacks import Callback, Checkpoint, LoadInitState
from sklearn.datasets import load_digits
from skmnist import MNISTMLPClassifier

class Die(Callback):
    def on_batch_end(self, net, training, **kwargs):
        if training and len(net.history) == 4 and len(net.history[-1, "batches"]) == 2:
            os.kill(os.getpid(), signal.SIGKILL)

folder, dies = sys.argv[1], sys.argv[2] == "dies"
X, y = load_digits(return_X_y=True)
checkpoint = Checkpoint(monitor=None, dirname=folder)
callbacks = [LoadInitState(checkpoint), checkpoint] + [Die] * dies
model = MNISTMLPClassifier(
    max_epochs=6, callbacks=callbacks, random_state=0, device="cpu"
).fit((X[:500] / 16).astype(np.float32), y[:500])
print(model.history_.drop(columns="duration").to_csv())
print(model.predict_proba((X[500:] / 16).astype(np.float32)).tobytes().hex())
"""


def train(folder, dies):
    return subprocess.run(
        [sys.executable, "-c", TRAIN, folder, dies], capture_output=True, text=True
    )


@pytest.mark.skipif(
    sys.platform == "win32", reason="unavailable here: SIGKILL, which Windows lacks"
)
def test_training_goes_on_after_a_kill_as_if_nothing_had_been(tmp_path):
    killed = train(tmp_path / "killed", "dies")
    resumed = train(tmp_path / "killed", "lives")
    uninterrupted = train(tmp_path / "other", "lives")

    assert killed.returncode == -signal.SIGKILL
    assert resumed.stdout == uninterrupted.stdout != ""


def test_epochs_that_a_warm_start_loads_count_once(digits, tmp_path):
    checkpoint = skorch.callbacks.Checkpoint(monitor=None, dirname=tmp_path)
    small(max_epochs=3, callbacks=[checkpoint]).fit(*digits)
    model = small(max_epochs=1, warm_start=True).fit(*digits)
    load = skorch.callbacks.LoadInitState(checkpoint)

    model.set_params(max_epochs=6, callbacks=[load]).fit(*digits)

    assert model.n_iter_ == 1 + 6


def test_the_last_epoch_alone_holds_the_random_state(digits):
    model = small(max_epochs=3).fit(*digits)

    assert ["event_rng" in epoch for epoch in model.net_.history] == [
        False,
        False,
        True,
    ]


def test_skorchs_loggers_see_numbers_alone(digits):
    last = small().fit(*digits).net_.history[-1]

    logged = list(filter_log_keys(last, keys_ignored=["batches"]))

    assert {"train_loss", "valid_accuracy", "dur"} <= set(logged)
    assert all(isinstance(last[name], float) for name in logged)


def test_a_state_of_an_earlier_version_goes_on_exactly(digits):
    model = small().fit(*digits)
    state = model.__getstate__()
    last = state["_net_state"]["history"][-1]
    last["rng"] = last.pop("event_rng")
    loaded = small()
    loaded.__setstate__(state)

    assert_array_equal(
        loaded.partial_fit(*digits).predict_proba(digits[0]),
        model.partial_fit(*digits).predict_proba(digits[0]),
    )
    assert "rng" not in loaded.history_


def test_the_module_no_longer_trains_after_a_fit(digits):
    for model in (
        small(validation_split=None),
        small(callbacks=[StopAt("on_epoch_begin", 2)]),
    ):
        assert not model.fit(*digits).module_.training
    assert not model.partial_fit(*digits).module_.training
    assert not pickle.loads(pickle.dumps(model)).module_.training


def test_history_is_a_frame_with_a_row_an_epoch(digits):
    X, y = digits
    classifier = small(max_epochs=3).fit(X, y)

    history = classifier.history_

    assert list(history.columns) == [
        *("epoch", "train_loss", "train_accuracy", "valid_loss", "valid_accuracy"),
        "duration",
    ]
    assert history["epoch"].tolist() == [1, 2, 3]
    assert classifier.n_iter_ == 3
    assert (history["duration"] > 0).all()


def test_history_goes_to_csv_and_back(digits):
    history = small().fit(*digits).history_
    text = history.to_csv(index=False)

    again = pd.read_csv(io.StringIO(text))

    pd.testing.assert_frame_equal(again, history, rtol=1e-12)


def test_without_validation_there_are_no_validation_columns(digits):
    history = small(validation_split=None).fit(*digits).history_

    assert list(history.columns) == [
        "epoch",
        "train_loss",
        "train_accuracy",
        "duration",
    ]


def test_callbacks_may_add_columns(digits):
    scoring = skorch.callbacks.EpochScoring(
        "f1_macro", name="valid_f1", lower_is_better=False
    )

    history = small(callbacks=[scoring]).fit(*digits).history_

    assert history["valid_f1"].between(0, 1).all()
