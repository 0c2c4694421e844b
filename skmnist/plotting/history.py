"""HistoryDisplay: the training curves of a classifier."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from sklearn.base import BaseEstimator

from skmnist.inspection import unwrap
from skmnist.plotting._axes import BLUE, VERMILION, make_axes
from skmnist.plotting._histories import find_histories, read_history

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

    from skmnist.plotting._axes import AxesLike

# Okabe and Ito's, without the yellow, which is too pale for a line.
PALETTE = (BLUE, VERMILION, "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
LONG_NAME = 16  # letters: beside the curves, a longer one takes half of their room
PARTS = {"train": "training", "valid": "validation"}
BEST_MARK = {
    "marker": "*",
    "markersize": 13,
    "markeredgecolor": "white",
    "linestyle": "none",
}


class HistoryDisplay:
    """Training curves of the loss and the accuracy, with a mark at the best epoch.

    Create it with :meth:`from_estimator` or :meth:`from_history`.

    Parameters
    ----------
    histories : mapping of str or None to DataFrame
        The name and the history of each run. A history has one row per epoch, a column
        `epoch`, and columns whose names begin with `train_` or `valid_`, such as
        `train_loss`. The name of a single run may be None.

    Attributes
    ----------
    figure_ : :class:`matplotlib.figure.Figure`
        The figure.
    ax_ : ndarray of :class:`matplotlib.axes.Axes`
        The axes, of the loss and of the accuracy.
    lines_ : dict of tuple to :class:`matplotlib.lines.Line2D`
        The curves, by run and column, such as `lines_[None, "valid_loss"]`.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skmnist import HistoryDisplay, MNISTMLPClassifier
    >>> X, y = load_digits(return_X_y=True)
    >>> model = MNISTMLPClassifier(random_state=0).fit(X / 16, y)
    >>> display = HistoryDisplay.from_estimator(model)
    >>> [ax.get_ylabel() for ax in display.ax_]
    ['Loss', 'Accuracy']
    """

    def __init__(
        self, histories: Mapping[str, pd.DataFrame] | Mapping[str | None, pd.DataFrame]
    ):
        # Mapping is not covariant in its keys.
        self.histories: Mapping[Any, pd.DataFrame] = histories

    @classmethod
    def from_estimator(
        cls,
        estimator: BaseEstimator,
        *,
        name: str | None = None,
        ax: AxesLike | None = None,
        line_kw: dict[str, Any] | None = None,
        best_kw: dict[str, Any] | None = None,
    ) -> Self:
        """Draw the training curves of a classifier.

        Parameters
        ----------
        estimator : estimator
            A fitted :class:`MNISTMLPClassifier` or
            :class:`sklearn.neural_network.MLPClassifier`, or a Pipeline or search that
            ends in one.
        name : str, default=None
            The name of the run in the legend.
        ax : Axes or two Axes, default=None
            Where to draw; see :meth:`plot`.
        line_kw : dict, default=None
            Keyword arguments of :meth:`matplotlib.axes.Axes.plot` for the curves.
        best_kw : dict, default=None
            Keyword arguments of :meth:`matplotlib.axes.Axes.plot` for the mark of the
            best epoch.

        Returns
        -------
        display : HistoryDisplay
            The display, drawn.

        Raises
        ------
        NotFittedError
            If the classifier is not fitted.
        TypeError
            If the classifier has no history.
        ValueError
            If there are too few axes.
        """
        _, classifier = unwrap(estimator)
        history = read_history(classifier)
        return cls({name: history}).plot(ax, line_kw=line_kw, best_kw=best_kw)

    @classmethod
    def from_history(
        cls,
        history: Any,
        *,
        search: BaseEstimator | None = None,
        ax: AxesLike | None = None,
        line_kw: dict[str, Any] | None = None,
        best_kw: dict[str, Any] | None = None,
    ) -> Self:
        """Draw one history, or several in the same plot.

        Parameters
        ----------
        history : DataFrame, estimator, log, list or dict
            The `history_` of a classifier; a fitted estimator; the result of
            :func:`sklearn.model_selection.cross_validate` with `return_estimator=True`,
            whose curves are named "fold 1", "fold 2", ...; or the log that `get_logs`
            of a :class:`sklearn.callback.ScoringMonitor` returns, whose curves are
            named "fit 1", "fit 2", ... if it has several fits. Or a dict of these,
            whose keys are put before these names; or a list of these, such as
            `get_logs(select="all")` returns, which are named "run 1", "run 2", ....
        search : estimator, default=None
            The fitted search whose fits are in the log of a monitor. Its curves are
            named by parameters and fold, such as "dropout=0.5, fold 1".
        ax : Axes or two Axes, default=None
            Where to draw; see :meth:`plot`.
        line_kw : dict, default=None
            Keyword arguments of :meth:`matplotlib.axes.Axes.plot` for the curves.
        best_kw : dict, default=None
            Keyword arguments of :meth:`matplotlib.axes.Axes.plot` for the mark of the
            best epoch.

        Returns
        -------
        display : HistoryDisplay
            The display, drawn.

        Raises
        ------
        NotFittedError
            If an estimator is not fitted.
        TypeError
            If an object holds no history.
        ValueError
            If there is no history, if one has no `epoch` or no column to draw, if there
            are too few axes, or if a log is not that of `search`.
        """
        histories = find_histories(history, search)
        return cls(histories).plot(ax, line_kw=line_kw, best_kw=best_kw)

    def plot(
        self,
        ax: AxesLike | None = None,
        *,
        line_kw: dict[str, Any] | None = None,
        best_kw: dict[str, Any] | None = None,
    ) -> Self:
        """Draw the curves.

        Parameters
        ----------
        ax : Axes or two Axes, default=None
            Where to draw: one axes per metric, the loss first, or a single one, which
            is divided. By default a new figure is made.
        line_kw : dict, default=None
            Keyword arguments of :meth:`matplotlib.axes.Axes.plot` for the curves.
        best_kw : dict, default=None
            Keyword arguments of :meth:`matplotlib.axes.Axes.plot` for the mark of the
            best epoch.

        Returns
        -------
        display : HistoryDisplay
            This display.

        Raises
        ------
        ValueError
            If there is no history, if one has no `epoch` or no column to draw, or if
            there are too few axes.
        """
        from matplotlib.cbook import normalize_kwargs
        from matplotlib.lines import Line2D
        from matplotlib.ticker import MaxNLocator

        metrics = _drawable_metrics(self.histories)
        # "lw" must take the place of "linewidth".
        line_style = normalize_kwargs(line_kw or {}, Line2D)
        best_style = normalize_kwargs(best_kw or {}, Line2D)
        size = (6.4, 2.6 * len(metrics) + 0.4)
        axes = make_axes(ax, len(metrics), (len(metrics), 1), size, sharex=True)
        self.ax_: np.ndarray = axes.ravel()
        self.figure_: Figure = self.ax_[0].figure
        self.lines_: dict[tuple[str | None, str], Line2D] = {}
        styles = _run_styles(self.histories)
        for metric, metric_ax in zip(metrics, self.ax_, strict=True):
            for name in self.histories:
                self._plot_run(
                    name, metric, metric_ax, styles[name], line_style, best_style
                )
            metric_ax.set_ylabel(metric.replace("_", " ").capitalize())
            metric_ax.grid(alpha=0.3)
        self.ax_[-1].set_xlabel("Epoch")
        locator = self.ax_[-1].xaxis.get_major_locator()
        if isinstance(locator, MaxNLocator):  # which given axes need not have
            locator.set_params(integer=True)
        self._add_legend(styles, line_style, best_style, is_own_figure=ax is None)
        return self

    def _plot_run(self, name, metric, ax, styles, line_style, best_style):
        history = self.histories[name]
        for part, style in styles.items():
            column = f"{part}_{metric}"
            if column in history:
                (self.lines_[name, column],) = ax.plot(
                    history["epoch"], history[column], **style | line_style
                )
        row = _best_row(history)
        if row is not None and f"valid_{metric}" in history:
            best = history.iloc[row]
            style = BEST_MARK | {"color": styles["valid"]["color"]}
            ax.plot([best["epoch"]], [best[f"valid_{metric}"]], **style | best_style)

    def _add_legend(self, run_styles, line_style, best_style, is_own_figure):
        from matplotlib.lines import Line2D

        names = list(self.histories)
        is_one = len(names) == 1
        # Color distinguishes runs, style parts: the legend explains each once.
        gray = {} if is_one else {"color": "0.4"}
        lines = [] if is_one else [(name, run_styles[name]["valid"]) for name in names]
        columns = {column for _, column in self.lines_}
        for part, word in PARTS.items():
            if any(column.startswith(part) for column in columns):
                lines.append((word, run_styles[names[0]][part] | gray))
        handles = [
            Line2D([], [], label=word, **style | line_style) for word, style in lines
        ]
        best_epochs = [_best_epoch(history) for history in self.histories.values()]
        if any(epoch is not None for epoch in best_epochs):
            label = f"best epoch: {best_epochs[0]:.0f}" if is_one else "best epoch"
            color = {"color": run_styles[names[0]]["valid"]["color"]} | gray
            style = BEST_MARK | color | best_style
            handles.append(Line2D([], [], label=label, **style))
        longest = max(len(str(name)) for name in names)
        if is_one:
            self.ax_[0].legend(handles=handles, title=names[0])
        elif is_own_figure and longest > LONG_NAME:
            width, height = self.figure_.get_size_inches()
            n_columns = 2 if longest < 2.5 * LONG_NAME else 1
            n_rows = math.ceil(len(handles) / n_columns)
            self.figure_.set_size_inches(width, height + 0.21 * n_rows)
            self.figure_.legend(
                handles=handles, loc="outside lower center", ncols=n_columns
            )
        else:
            self.ax_[0].legend(
                handles=handles, loc="upper left", bbox_to_anchor=(1.01, 1)
            )


def _drawable_metrics(histories):
    """Return what is to be drawn: the loss, the accuracy, then what else there is."""
    found = {"loss": False, "accuracy": False}
    for name, history in histories.items():
        metrics = [
            column.removeprefix(f"{part}_")
            for column in history
            for part in PARTS
            if str(column).startswith(f"{part}_")
        ]
        if not metrics or "epoch" not in history:
            where = "" if name is None else f" {name!r}"
            raise ValueError(
                f"The history{where} has the columns {list(history)}; it needs epoch "
                "and one that begins with train_ or valid_, such as train_loss."
            )
        found |= dict.fromkeys(metrics, True)
    if not histories:
        raise ValueError("There is no history to draw; give at least one.")
    return [metric for metric, is_there in found.items() if is_there]


def _best_row(history):
    """Return the position of the epoch that validated best, or None."""
    for column, find in (("valid_loss", np.argmin), ("valid_accuracy", np.argmax)):
        if column in history:
            values = history[column].to_numpy(dtype=float)
            known = np.flatnonzero(np.isfinite(values))
            return known[find(values[known])] if len(known) else None
    return None


def _best_epoch(history):
    row = _best_row(history)
    return None if row is None else history["epoch"].iloc[row]


def _run_styles(histories):
    """Return for each run the style of its training and its validation curves."""
    if len(histories) == 1:
        style = {"train": {"color": BLUE}, "valid": {"color": VERMILION}}
        return dict.fromkeys(histories, style)
    is_validated = any(_best_row(history) is not None for history in histories.values())
    dashed = {"linestyle": "--", "linewidth": 1} if is_validated else {}
    return {
        name: {"train": {"color": color} | dashed, "valid": {"color": color}}
        for name, color in zip(histories, _colors(len(histories)), strict=False)
    }


def _colors(n_runs):
    if n_runs <= len(PALETTE):
        return PALETTE
    from matplotlib import colormaps

    return colormaps["viridis"](np.linspace(0, 1, n_runs))
