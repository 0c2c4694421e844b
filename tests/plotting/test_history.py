import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.neural_network import MLPClassifier

from skmnist import HistoryDisplay, MNISTMLPClassifier

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

HISTORY = pd.DataFrame(
    {
        "epoch": [1, 2, 3],
        "train_loss": [0.9, 0.5, 0.3],
        "train_accuracy": [0.6, 0.8, 0.9],
        "valid_loss": [0.7, 0.4, 0.6],
        "valid_accuracy": [0.7, 0.9, 0.8],
    }
)


def legend_of(display):
    return [text.get_text() for text in display.ax_[0].get_legend().get_texts()]


def stars_of(ax):
    return [
        (line.get_xdata()[0], line.get_ydata()[0])
        for line in ax.lines
        if line.get_marker() == "*"
    ]


def test_every_column_of_a_history_is_a_curve():
    display = HistoryDisplay.from_history(HISTORY)

    assert [ax.get_ylabel() for ax in display.ax_] == ["Loss", "Accuracy"]
    assert display.ax_[-1].get_xlabel() == "Epoch"
    assert len(display.lines_) == 4
    for (_, column), line in display.lines_.items():
        assert line.axes is display.ax_[int("accuracy" in column)]
        np.testing.assert_array_equal(line.get_xdata(), HISTORY["epoch"])
        np.testing.assert_array_equal(line.get_ydata(), HISTORY[column])


def test_the_best_epoch_is_that_of_the_lowest_validation_loss():
    display = HistoryDisplay.from_history(HISTORY)

    assert [stars_of(ax) for ax in display.ax_] == [[(2, 0.4)], [(2, 0.9)]]
    assert legend_of(display) == ["training", "validation", "best epoch: 2"]


def test_a_loss_that_is_nan_is_not_the_best():
    history = HISTORY.assign(valid_loss=[0.7, 0.4, np.nan])
    nowhere = HISTORY.assign(valid_loss=np.nan)

    assert stars_of(HistoryDisplay.from_history(history).ax_[0]) == [(2, 0.4)]
    assert stars_of(HistoryDisplay.from_history(nowhere).ax_[0]) == []


def test_training_without_validation_has_no_best_epoch():
    display = HistoryDisplay.from_history(
        HISTORY[["epoch", "train_loss", "train_accuracy"]]
    )

    assert [stars_of(ax) for ax in display.ax_] == [[], []]
    assert legend_of(display) == ["training"]


def test_only_what_is_there_is_drawn():
    display = HistoryDisplay.from_history(HISTORY[["epoch", "valid_accuracy"]])

    assert [ax.get_ylabel() for ax in display.ax_] == ["Accuracy"]
    assert stars_of(display.ax_[0]) == [(2, 0.9)]


def test_several_runs_are_told_apart_by_color_and_parts_by_style():
    display = HistoryDisplay.from_history({"a": HISTORY, "b": HISTORY.head(2)})

    lines = display.lines_
    assert len(lines) == 8
    assert len(lines["b", "valid_loss"].get_xdata()) == 2
    color = {run: lines[run, "train_loss"].get_color() for run in "ab"}
    assert color["a"] == lines["a", "valid_loss"].get_color() != color["b"]
    assert lines["a", "train_loss"].get_linestyle() == "--"
    assert lines["a", "valid_loss"].get_linestyle() == "-"
    assert legend_of(display) == ["a", "b", "training", "validation", "best epoch"]


def test_many_runs_have_a_color_each():
    display = HistoryDisplay.from_history({str(run): HISTORY for run in range(12)})

    colors = {
        tuple(display.lines_[str(n), "valid_loss"].get_color()) for n in range(12)
    }
    assert len(colors) == 12


def test_a_pipeline_or_a_search_shows_the_history_of_its_classifier(model, digits):
    search = GridSearchCV(model, {"mnistmlpclassifier__dropout": [0.1]}, cv=2)
    search.fit(*digits)

    for estimator in (model[-1], model, search):
        display = HistoryDisplay.from_estimator(estimator, name="run")
        classifier = getattr(estimator, "best_estimator_", model)[-1]
        line = display.lines_["run", "valid_loss"]
        np.testing.assert_array_equal(
            line.get_ydata(), classifier.history_["valid_loss"]
        )


def test_scikit_learns_own_perceptron_has_a_history_too(digits):
    X, y = digits
    stopping = MLPClassifier(max_iter=300, early_stopping=True).fit(X, y)
    plain = MLPClassifier(max_iter=300).fit(X[:50], y[:50])

    display = HistoryDisplay.from_estimator(stopping)
    assert set(display.lines_) == {(None, "train_loss"), (None, "valid_accuracy")}
    line = display.lines_[None, "valid_accuracy"]
    np.testing.assert_array_equal(line.get_ydata(), stopping.validation_scores_)
    assert set(HistoryDisplay.from_estimator(plain).lines_) == {(None, "train_loss")}


def test_an_estimator_without_a_history_is_refused(digits):
    with pytest.raises(TypeError, match="LogisticRegression has no history"):
        HistoryDisplay.from_estimator(LogisticRegression(max_iter=500).fit(*digits))
    with pytest.raises(NotFittedError):
        HistoryDisplay.from_estimator(MNISTMLPClassifier())


@pytest.mark.parametrize(
    ("history", "words"),
    [
        (pd.DataFrame({"epoch": [1], "loss": [1]}), r"has the columns \['epoch', 'lo"),
        ({"a": HISTORY.drop(columns="epoch")}, "The history 'a' has the columns"),
        ({}, "There is no history to draw"),
    ],
)
def test_a_history_without_a_curve_is_refused(history, words):
    with pytest.raises(ValueError, match=words):
        HistoryDisplay.from_history(history)


@pytest.mark.parametrize("door", ["from_estimator", "from_history"])
def test_options_reach_matplotlib_from_every_door(door, model):
    _, axes = plt.subplots(2)
    source = {"from_estimator": model, "from_history": HISTORY}[door]

    display = getattr(HistoryDisplay, door)(
        source, ax=axes, line_kw={"linewidth": 7}, best_kw={"marker": "o"}
    )

    assert list(display.ax_) == list(axes)
    assert {line.get_linewidth() for line in display.lines_.values()} == {7}
    assert [line.get_marker() for line in axes[0].lines] == ["None", "None", "o"]


def test_options_can_have_matplotlibs_short_names():
    display = HistoryDisplay.from_history(
        {"one": HISTORY, "two": HISTORY},
        line_kw={"lw": 7, "ls": ":", "c": "green"},
        best_kw={"ms": 3},
    )

    lines = display.lines_.values()
    assert {line.get_linewidth() for line in lines} == {7}
    assert {line.get_linestyle() for line in lines} == {":"}
    assert {line.get_color() for line in lines} == {"green"}
    stars = [line for line in display.ax_[0].lines if line.get_marker() == "*"]
    assert {star.get_markersize() for star in stars} == {3}
    *handles, star = display.ax_[0].get_legend().legend_handles
    assert {handle.get_linewidth() for handle in handles} == {7}
    assert {handle.get_color() for handle in handles} == {"green"}
    assert star.get_markersize() == 3


@pytest.mark.parametrize(
    "change", [lambda ax: ax.set_xscale("log"), lambda ax: ax.set_xticks([1, 2])]
)
def test_axes_may_have_ticks_of_their_own(change):
    _, axes = plt.subplots(2)
    change(axes[1])
    locator = axes[1].xaxis.get_major_locator()

    HistoryDisplay.from_history(HISTORY, ax=axes)

    assert axes[1].xaxis.get_major_locator() is locator


def test_the_epochs_have_whole_numbers():
    display = HistoryDisplay.from_history(HISTORY)

    assert all(tick == int(tick) for tick in display.ax_[-1].get_xticks())


def test_the_legend_explains_each_run_and_part():
    no_validation = HISTORY[["epoch", "train_loss", "train_accuracy"]]

    display = HistoryDisplay.from_history(
        {"training": no_validation, "validation": HISTORY}
    )

    assert legend_of(display) == [
        *("training", "validation", "training", "validation", "best epoch")
    ]


@pytest.mark.parametrize(
    "name",
    [
        "one",
        "learning_rate=0.001, fold 1",
        "hidden_layer_sizes=(512, 512), learning_rate=0.001, dropout=0.5, fold 1",
    ],
)
def test_the_curves_keep_their_room_beside_or_above_the_legend(name):
    display = HistoryDisplay.from_history({name: HISTORY, name + "0": HISTORY})
    display.figure_.canvas.draw()

    right = display.ax_[0].get_position().x1
    (legend,) = [ax.get_legend() for ax in display.ax_ if ax.get_legend()] or (
        display.figure_.legends
    )
    curves = [ax.get_window_extent() for ax in display.ax_]
    assert right > 0.7
    box = legend.get_window_extent()
    assert not any(box.overlaps(curve) for curve in curves)
    assert 0 <= box.x0 < box.x1 <= display.figure_.bbox.x1


def test_a_display_draws_on_two_axes_or_divides_one():
    figure, axes = plt.subplots(1, 3)

    two = HistoryDisplay.from_history(HISTORY, ax=axes[:2])
    one = HistoryDisplay.from_history(HISTORY, ax=axes[2])

    assert list(two.ax_) == list(axes[:2])
    assert one.figure_ is two.figure_ is figure
    assert len(one.ax_) == 2
    box = axes[2].get_position()
    assert all(box.x0 <= ax.get_position().x0 <= box.x1 for ax in one.ax_)
    assert plt.get_fignums() == [figure.number]
