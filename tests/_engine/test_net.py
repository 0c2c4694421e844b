"""What a training records, and what callbacks see of it and put into it."""

import pickle

import numpy as np
import pytest
import skorch.callbacks
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import accuracy_score, log_loss
from skorch.callbacks import Callback, EpochScoring, LRScheduler

from listeners import OnTrainBegin, Recorder
from skmnist import MNISTMLPClassifier, evaluate
from skmnist._engine import gradients
from skmnist._engine.net import OVERRIDABLE
from skmnist._engine.network import MLP
from small_models import deterministic, fit, small


def callback(classifier, name):
    return dict(classifier.net_.callbacks_)[name]


def test_callbacks_see_batches_in_order(digits):
    recorder = callback(fit(digits, Recorder(), max_epochs=1), "Recorder")

    batch = ("batch begin", True), ("batch end", True)
    valid = ("batch begin", False), ("batch end", False)
    assert recorder.events_ == ["epoch begin", *(batch * 4), *valid, "epoch end"]


def test_watching_the_batches_changes_no_number(digits):
    plain, watched = fit(digits), fit(digits, Recorder())

    assert_array_equal(plain.predict_proba(digits[0]), watched.predict_proba(digits[0]))
    columns = ["train_loss", "train_accuracy", "valid_loss", "valid_accuracy"]
    assert_array_equal(plain.history_[columns], watched.history_[columns])
    assert len(plain.net_.history[-1, "batches"]) == 2
    assert len(watched.net_.history[-1, "batches"]) == 5


@pytest.mark.parametrize("prefix", ["train", "valid"])
def test_the_epochs_numbers_are_those_of_its_batches(digits, prefix):
    classifier = fit(digits, Recorder(), max_epochs=1, device="cpu")
    batches = [
        batch
        for batch in callback(classifier, "Recorder").batches_
        if batch[0] == (prefix == "train")
    ]

    y = torch.cat([batch[2] for batch in batches]).numpy()
    probabilities = (
        torch.cat([batch[3] for batch in batches]).double().softmax(1).numpy()
    )

    epoch = classifier.history_.iloc[0]
    loss = log_loss(y, probabilities, labels=range(10))
    accuracy = accuracy_score(y, probabilities.argmax(axis=1))
    assert epoch[f"{prefix}_loss"] == pytest.approx(loss, rel=1e-5)
    assert epoch[f"{prefix}_accuracy"] == pytest.approx(accuracy)


def test_validation_columns_are_those_of_the_rows_held_out(digits):
    X, y = digits
    classifier = small().fit(X[:400], y[:400], X_val=X[400:], y_val=y[400:])

    figures = evaluate(classifier, X[400:], y[400:])

    last = classifier.history_.iloc[-1]
    assert last["valid_loss"] == pytest.approx(figures["loss"], rel=1e-5)
    assert last["valid_accuracy"] == pytest.approx(figures["accuracy"])


def test_training_columns_are_means_over_the_epoch(digits):
    X, y = digits
    classifier = deterministic(max_epochs=2).fit(X, y)
    after_one = deterministic(max_epochs=1).fit(X, y)

    figures = evaluate(after_one, X, y)

    second = classifier.history_.iloc[1]
    assert second["train_loss"] == pytest.approx(figures["loss"], rel=1e-5)
    assert second["train_accuracy"] == pytest.approx(figures["accuracy"])


def test_best_marks_are_those_of_the_best_so_far(digits):
    history = fit(digits, max_epochs=8, learning_rate=0.3).net_.history
    losses = np.array(history[:, "valid_loss"])

    expected = losses == np.minimum.accumulate(losses)

    assert_array_equal(history[:, "valid_loss_best"], expected)
    assert not expected.all()


def test_skorchs_own_scoring_agrees(digits):
    scorings = [
        EpochScoring("accuracy", name="a", lower_is_better=False),
        EpochScoring("accuracy", name="b", lower_is_better=False, use_caching=False),
        EpochScoring("neg_log_loss", name="c", lower_is_better=False),
        skorch.callbacks.PassthroughScoring("train_loss", on_train=True),
    ]

    history = fit(digits, *scorings[:3]).history_
    passed = fit(digits, scorings[3])

    assert_allclose(history["a"], history["valid_accuracy"])
    assert_allclose(history["b"], history["valid_accuracy"])
    assert_allclose(-history["c"], history["valid_loss"], rtol=1e-5)
    assert_allclose(passed.history_["train_loss"], history["train_loss"], rtol=1e-6)


def test_skorchs_own_prediction_works_on_the_net(digits):
    X, y = digits
    classifier = fit(digits)

    probabilities = classifier.net_.predict_proba(X)

    assert_allclose(probabilities, classifier.predict_proba(X), rtol=1e-6)
    assert classifier.net_.score(X, y) == classifier.score(X, y)


def test_gradients_are_there_when_callbacks_are_told(digits):
    X, y = digits[0].astype(np.float64), digits[1]
    parameters = {"dropout": 0.0, "validation_split": None, "batch_size": 1000}
    parameters["device"] = "cpu"
    before = fit((X, y), **parameters, max_epochs=1, learning_rate=1e-30)
    recorder = callback(fit((X, y), Recorder(), **parameters, max_epochs=1), "Recorder")

    loss = torch.nn.functional.cross_entropy(
        before.module_(torch.from_numpy(X)), torch.from_numpy(y)
    )
    names, tensors = zip(*before.module_.named_parameters(), strict=True)
    expected = torch.autograd.grad(loss, tensors)

    for name, gradient in zip(names, expected, strict=True):
        assert_allclose(recorder.gradients_[0][name], gradient, atol=1e-12)


def test_a_callback_may_use_autograd_when_gradients_are_there(digits):
    seen = []

    class Note(Callback):
        def on_grad_computed(self, net, **kwargs):
            seen.append(torch.is_grad_enabled())

    fit(digits, Note)

    assert set(seen) == {True}


def test_gradient_clipping_clips(digits):
    clipping = skorch.callbacks.GradientNormClipping(1e-9)
    clipped = fit(digits, clipping, optimizer="sgd", learning_rate=1.0)
    untrained = fit(digits, optimizer="sgd", learning_rate=1e-30)

    for one, other in zip(
        clipped.module_.parameters(), untrained.module_.parameters(), strict=True
    ):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize(
    ("step_every", "expected"), [("epoch", [1e-3, 1e-4, 1e-5]), ("batch", None)]
)
def test_learning_rate_schedules_are_followed(digits, step_every, expected):
    scheduler = LRScheduler(
        torch.optim.lr_scheduler.StepLR, step_size=1, gamma=0.1, step_every=step_every
    )
    classifier = fit(digits, scheduler)

    if step_every == "epoch":
        assert_allclose(classifier.history_["event_lr"], expected)
    else:
        rates = classifier.net_.history[0, "batches", :4, "event_lr"]
        assert_allclose(rates, [1e-3, 1e-4, 1e-5, 1e-6])


def test_checkpoints_are_written_at_the_best_epoch(digits, tmp_path):
    checkpoint = skorch.callbacks.Checkpoint(dirname=tmp_path, load_best=True)
    classifier = fit(digits, checkpoint)

    assert (tmp_path / "params.pt").exists()
    assert classifier.history_["event_cp"].any()


class LookLater(Callback):
    """Looks for a column that is missing, at the end of the third epoch."""

    def on_epoch_end(self, net, **kwargs):
        if len(net.history) == 3:
            net.history[-1, "valid_loss"]


def test_a_callback_that_looks_for_a_missing_column_is_told_of_those_there(digits):
    with pytest.raises(KeyError, match="valid_loss") as raised:
        fit(digits, LookLater, validation_split=None, max_epochs=3)

    (note,) = raised.value.__notes__
    assert "on_epoch_end" in note
    assert note.count("train_loss,") == 1


class FailInEpochThree(Callback):
    """Raises an error in the middle of an epoch."""

    def on_batch_end(self, net, training, **kwargs):
        if training and len(net.history) == 3 and len(net.history[-1, "batches"]) == 2:
            raise OSError("the disk is full")

    def on_train_end(self, net, **kwargs):
        self.has_ended_ = True


def test_an_error_of_a_callback_leaves_the_completed_epochs(digits):
    X, y = digits
    model = small(callbacks=[FailInEpochThree], max_epochs=5, warm_start=True)

    with pytest.raises(OSError, match="the disk is full"):
        model.fit(X, y)

    assert model.history_["epoch"].tolist() == [1, 2]
    assert callback(model, "FailInEpochThree").has_ended_
    loaded = pickle.loads(pickle.dumps(model))
    assert_array_equal(loaded.predict_proba(X), model.predict_proba(X))
    assert loaded.set_params(callbacks=None).fit(X, y).n_iter_ == 7


def test_a_diverged_loss_is_a_warning_that_names_the_learning_rate(digits):
    X, y = digits
    classifier = small(optimizer="sgd", learning_rate=1e30)

    with pytest.warns(ConvergenceWarning, match=r"rate of 1e\+30; lower learning"):
        classifier.fit(X, y)


class Overflow(skorch.callbacks.Callback):
    def on_epoch_end(self, net, **kwargs):
        net.history.record("train_loss", np.inf)


def test_an_infinite_loss_is_warned_of(digits):
    with pytest.warns(ConvergenceWarning, match="training loss became inf"):
        small(callbacks=[Overflow]).fit(*digits)


def hook_forward(seen):
    def put_in(net):
        net.module_.hidden_1.register_forward_hook(lambda *_: seen.append("hidden"))

    return put_in


def hook_backward(seen):
    def put_in(net):
        net.module_.output.register_full_backward_hook(lambda *_: seen.append("out"))

    return put_in


def replace_criterion(seen):
    class Criterion(torch.nn.CrossEntropyLoss):
        def forward(self, y_pred, y):
            seen.append("criterion")
            return super().forward(y_pred, y)

    return lambda net: setattr(net, "criterion_", Criterion())


def replace_child(seen):
    class Activation(torch.nn.Tanh):
        def forward(self, X):
            seen.append("activation")
            return super().forward(X)

    return lambda net: setattr(net.module_, "activation_1", Activation())


def hook_gradient(seen):
    def put_in(net):
        net.module_.hidden_1.weight.register_hook(lambda _: seen.append("gradient"))

    return put_in


def hook_accumulated_gradient(seen):
    def put_in(net):
        weight = net.module_.hidden_1.weight
        weight.register_post_accumulate_grad_hook(lambda _: seen.append("gradient"))

    return put_in


def replace_module(seen):
    class Module(torch.nn.Linear):
        def forward(self, X):
            if self.training:
                seen.append("module")
            return super().forward(X)

    def put_in(net):
        net.module_ = Module(64, 10).to(net.device)
        net.initialize_optimizer()

    return put_in


def override_criterion(seen):
    def put_in(net):
        forward = net.criterion_.forward
        net.criterion_.forward = lambda *args: seen.append("loss") or forward(*args)

    return put_in


def override(name):
    """Return what replaces a method of the net."""

    def make(seen):
        def put_in(net):
            method = getattr(net, name)
            setattr(net, name, lambda *a, **kw: seen.append(name) or method(*a, **kw))

        return put_in

    return make


def override_optimizer_step(seen):
    def put_in(net):
        step = net.optimizer_.step
        net.optimizer_.step = lambda closure: seen.append("step") or step(closure)

    return put_in


def override_forward(seen):
    def put_in(net):
        forward = net.module_.hidden_1.forward
        net.module_.hidden_1.forward = lambda X: seen.append("forward") or forward(X)

    return put_in


@pytest.mark.parametrize(
    "make",
    [
        hook_forward,
        hook_backward,
        hook_gradient,
        hook_accumulated_gradient,
        replace_criterion,
        replace_child,
        replace_module,
        override_criterion,
        *(pytest.param(override(name), id=f"override_{name}") for name in OVERRIDABLE),
        override_optimizer_step,
        override_forward,
    ],
)
def test_what_a_callback_puts_in_is_called_in_training(digits, make):
    seen = []
    n_steps = 3 * 4  # epochs of 500 rows in batches of 128

    fit(digits, OnTrainBegin(make(seen)), validation_split=None)

    assert len(seen) == n_steps


def test_gradients_are_computed_by_hand_while_nobody_listens(digits, monkeypatch):
    n_steps, by_hand = [], gradients.compute_gradients
    monkeypatch.setattr(
        gradients,
        "compute_gradients",
        lambda *arguments: [n_steps.append(1), by_hand(*arguments)][1],
    )

    small().fit(*digits)

    assert len(n_steps) == 2 * 4  # epochs of 400 rows in batches of 128


def test_a_loss_that_a_callback_puts_in_is_told_whether_it_trains(digits):
    told = []

    def put_in(net):
        get_loss = net.get_loss
        net.get_loss = lambda *args, training=False, **kw: (
            told.append(training) or get_loss(*args, training=training, **kw)
        )

    fit(digits, OnTrainBegin(put_in), max_epochs=1)

    assert told == [True] * 4 + [False]  # 400 rows in batches of 128, then 100


def test_a_layer_of_another_kind_is_validated_and_predicted_with(digits):
    X, y = digits[0][:, :30], digits[1]

    def put_in(net):
        net.module_.hidden_1 = torch.nn.Linear(30, 16).to(net.device)
        net.initialize_optimizer()

    fitted = fit((X, y), OnTrainBegin(put_in))

    assert fitted.predict_proba(X[:7]).shape == (7, 10)


def test_a_hook_on_all_modules_is_called_in_training(digits):
    seen = []
    register = torch.nn.modules.module.register_module_forward_hook
    with register(lambda module, *_: seen.append(module)):
        fitted = fit(digits, validation_split=None)

    assert seen.count(fitted.module_) == 3 * 4


def forget_gradients(optimizer, args, kwargs):
    optimizer.zero_grad()


def replace_weights(optimizer, args, kwargs):
    for parameter in optimizer.param_groups[0]["params"]:
        parameter.data = parameter.data.clamp(-0.1, 0.1)


@pytest.mark.parametrize("optimizer", ["adam", "sgd", "rmsprop"])
@pytest.mark.parametrize(
    ("moment", "hook"),
    [("post", forget_gradients), ("post", replace_weights), ("pre", replace_weights)],
)
def test_a_hook_of_the_optimizer_may_change_anything(digits, optimizer, moment, hook):
    def register(net):
        getattr(net.optimizer_, f"register_step_{moment}_hook")(hook)

    settings = {"optimizer": optimizer, "max_epochs": 2}
    model = fit(digits, OnTrainBegin(register), **settings)
    watched = fit(digits, OnTrainBegin(register), Recorder(), **settings)
    without = fit(digits, **settings)

    columns = ["train_loss", "valid_loss"]
    assert_array_equal(model.history_[columns], watched.history_[columns])
    is_same = np.array_equal(
        model.history_["train_loss"], without.history_["train_loss"]
    )
    assert is_same == (hook is forget_gradients)


class ChangeCriterion(Callback):
    """Smooths the labels more at each batch, and notes the losses of the batches."""

    def on_train_begin(self, net, **kwargs):
        self.losses_, self.sizes_ = [], []

    def on_batch_begin(self, net, training=None, **kwargs):
        if training:
            net.criterion_.label_smoothing += 0.05

    def on_batch_end(self, net, batch=None, loss=None, training=None, **kwargs):
        if training:
            self.losses_.append(float(loss))
            self.sizes_.append(len(batch[1]))


def test_a_callback_may_change_the_criterion_within_an_epoch(digits):
    model = fit(digits, ChangeCriterion(), max_epochs=1)

    noted = callback(model, "ChangeCriterion")
    loss = np.average(noted.losses_, weights=noted.sizes_)
    assert model.history_["train_loss"].iloc[0] == pytest.approx(loss)


def test_listening_by_a_hook_changes_no_number(digits):
    X, _ = digits
    watched = fit(digits, OnTrainBegin(hook_forward([])), batch_size=100)
    alone = fit(digits, batch_size=100)

    assert_allclose(watched.predict_proba(X), alone.predict_proba(X), atol=1e-5)


def test_the_criterions_settings_are_heeded(digits):
    def smooth(net):
        net.criterion_.label_smoothing = 0.3

    settings = {"dropout": 0.0, "learning_rate": 0.01, "max_epochs": 20}
    smoothed = fit(digits, OnTrainBegin(smooth), **settings)
    sharp = fit(digits, **settings)

    losses = [model.history_["train_loss"].iloc[-1] for model in (smoothed, sharp)]
    assert losses[0] > losses[1] + 0.3


def test_batch_normalisation_can_be_put_in(digits):
    def put_in(net):
        net.module_.activation_1 = torch.nn.Sequential(
            torch.nn.BatchNorm1d(16), torch.nn.ReLU()
        ).to(net.device)
        net.initialize_optimizer()

    fitted = fit(digits, OnTrainBegin(put_in), max_epochs=5)

    norm = fitted.module_.activation_1[0]
    assert norm.num_batches_tracked == 5 * 4
    assert (norm.weight != 1).any()


def test_a_criterion_that_averages_cannot_weigh_images(digits):
    def average(net):
        net.criterion_ = torch.nn.CrossEntropyLoss()

    model = MNISTMLPClassifier((16,), callbacks=[OnTrainBegin(average)])

    with pytest.raises(ValueError, match="cannot be weighted; use one with reduction"):
        model.fit(*digits, sample_weight=np.linspace(1, 2, 500))


def test_the_input_gradient_is_that_of_finite_differences(digits):
    X, y = digits[0][:3].astype(np.float64), digits[1]
    classifier = fit((digits[0].astype(np.float64), y), activation="tanh")
    classes = np.array([0, 3, 9])

    gradient = classifier.net_.input_gradient(X, classes)

    step = 1e-6
    for pixel in (20, 27, 36):
        moved = np.zeros(64)
        moved[pixel] = step
        up, down = (
            classifier.decision_function(X + sign * moved)[range(3), classes]
            for sign in (1, -1)
        )
        assert_allclose(gradient[:, pixel], (up - down) / (2 * step), atol=1e-7)


def test_images_are_predicted_in_whole_tiles(digits, monkeypatch):
    model = fit(digits)
    n_images = []

    def forward(module, X):
        n_images.append(len(X))
        return torch.nn.Sequential.forward(module, X)

    monkeypatch.setattr(MLP, "forward", forward)
    proba = model.predict_proba(digits[0][:17])

    assert n_images == [32]
    assert proba.shape == (17, 10)
