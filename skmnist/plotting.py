"""Pictures: how training went, and images with what a classifier makes of them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from skmnist._images import flatten_images, stack_images
from skmnist.inspection import misclassified, unwrap, weight_matrices

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.image import AxesImage
    from matplotlib.lines import Line2D
    from numpy.typing import ArrayLike

    Place = Axes | Sequence[Axes] | np.ndarray
    ClassNames = Sequence[str] | Mapping[Any, str] | np.ndarray

__all__ = ["HistoryDisplay", "ImageGridDisplay"]

# Blue and vermilion of Okabe and Ito's palette: apart for every kind of sight.
RIGHT, WRONG = "#0072B2", "#D55E00"
PALETTE = (RIGHT, WRONG, "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")

# Of the table of scikit-learn's ScoringMonitor; its other columns are scores.
MONITOR_COLUMNS = (
    "task_id_path",
    "parent_task_id_path",
    "estimator_name",
    "task_name",
    "task_id",
    "sequential_subtasks",
)
PARTS = {"train": "training", "valid": "validation"}
BEST_MARK = {
    "marker": "*",
    "markersize": 13,
    "markeredgecolor": "white",
    "linestyle": "none",
}


class HistoryDisplay:
    """Training curves: the loss above, the accuracy below, the best epoch marked.

    Make it with :meth:`from_estimator` or :meth:`from_history`.

    Parameters
    ----------
    histories : dict of str to DataFrame
        The history of each run by its name, a row an epoch: `epoch` and columns that
        begin with `train_` or `valid_`, such as `train_loss`. The name of a single run
        may be None.

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

    def __init__(self, histories: Mapping[Any, pd.DataFrame]):
        self.histories = histories

    @classmethod
    def from_estimator(
        cls,
        estimator: BaseEstimator,
        *,
        name: str | None = None,
        ax: Place | None = None,
        **plot_kw: Any,
    ) -> Self:
        """Draw how a classifier was trained.

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
        **plot_kw
            Keyword arguments of :meth:`plot`.

        Returns
        -------
        display : HistoryDisplay
            The display, drawn.

        Raises
        ------
        TypeError
            If the classifier has no history.
        """
        _, classifier = unwrap(estimator)
        history = _history(classifier)
        return cls({name: history}).plot(ax, **plot_kw)

    @classmethod
    def from_history(
        cls,
        history: pd.DataFrame | Mapping[str, pd.DataFrame],
        *,
        ax: Place | None = None,
        **plot_kw: Any,
    ) -> Self:
        """Draw one history, or several over each other.

        Parameters
        ----------
        history : DataFrame or dict of str to DataFrame
            What `history_` of a classifier gives, or several of them by name; or the
            table of a :class:`sklearn.callback.ScoringMonitor`, with a curve for each
            fit of a search.
        ax : Axes or two Axes, default=None
            Where to draw; see :meth:`plot`.
        **plot_kw
            Keyword arguments of :meth:`plot`.

        Returns
        -------
        display : HistoryDisplay
            The display, drawn.

        Raises
        ------
        ValueError
            If a history has no column to draw.
        """
        histories: Mapping[Any, pd.DataFrame] = (
            history if isinstance(history, Mapping) else {None: history}
        )
        if "parent_task_id_path" in history:
            histories = _split_tasks(history)
        return cls(histories).plot(ax, **plot_kw)

    def plot(
        self,
        ax: Place | None = None,
        *,
        line_kw: dict[str, Any] | None = None,
        best_kw: dict[str, Any] | None = None,
    ) -> Self:
        """Draw the curves.

        Parameters
        ----------
        ax : Axes or two Axes, default=None
            Where to draw: two axes for loss and accuracy, or one that is divided into
            two. By default a new figure is made.
        line_kw : dict, default=None
            Keyword arguments of :meth:`matplotlib.axes.Axes.plot` for the curves.
        best_kw : dict, default=None
            The same for the mark of the best epoch.

        Returns
        -------
        display : HistoryDisplay
            This display.
        """
        metrics = _drawable_metrics(self.histories)
        size = (6.4, 2.6 * len(metrics) + 0.4)
        axes = _make_axes(ax, (len(metrics), 1), size, sharex=True)
        self.ax_: np.ndarray = axes[:, 0]
        self.figure_: Figure = self.ax_[0].figure
        self.lines_: dict[tuple[str | None, str], Line2D] = {}
        styles = _run_styles(self.histories)
        for metric, metric_ax in zip(metrics, self.ax_, strict=True):
            for name in self.histories:
                self._plot_run(
                    name, metric, metric_ax, styles[name], line_kw or {}, best_kw or {}
                )
            metric_ax.set_ylabel(metric.replace("_", " ").capitalize())
            metric_ax.grid(alpha=0.3)
        self.ax_[-1].set_xlabel("Epoch")
        self.ax_[-1].xaxis.get_major_locator().set_params(integer=True)
        self._add_legend(styles)
        return self

    def _plot_run(self, name, metric, ax, styles, line_kw, best_kw):
        history = self.histories[name]
        for part, style in styles.items():
            column = f"{part}_{metric}"
            if column in history:
                (self.lines_[name, column],) = ax.plot(
                    history["epoch"], history[column], **style | line_kw
                )
        row = _best_row(history)
        if row is not None and f"valid_{metric}" in history:
            best = history.iloc[row]
            style = BEST_MARK | {"color": styles["valid"]["color"]}
            ax.plot([best["epoch"]], [best[f"valid_{metric}"]], **style | best_kw)

    def _add_legend(self, run_styles):
        from matplotlib.lines import Line2D

        names = list(self.histories)
        is_one = len(names) == 1
        # Runs are told apart by colour, parts by style: each is explained once.
        grey = {} if is_one else {"color": "0.4"}
        styles = {} if is_one else {name: run_styles[name]["valid"] for name in names}
        columns = {column for _, column in self.lines_}
        for part, word in PARTS.items():
            if any(column.startswith(part) for column in columns):
                styles[word] = run_styles[names[0]][part] | grey
        best_row = _best_row(self.histories[names[0]])
        if best_row is not None:
            epoch = self.histories[names[0]]["epoch"].iloc[best_row]
            word = f"best epoch: {epoch:.0f}" if is_one else "best epoch"
            color = run_styles[names[0]]["valid"]["color"]
            styles[word] = BEST_MARK | {"color": color} | grey
        place = {} if is_one else {"loc": "upper left", "bbox_to_anchor": (1.01, 1)}
        self.ax_[0].legend(
            handles=[
                Line2D([], [], label=word, **style) for word, style in styles.items()
            ],
            title=names[0] if is_one else None,
            **place,
        )


class ImageGridDisplay:
    """A grid of images with a title each.

    Make it with :meth:`from_images`, :meth:`from_misclassified`,
    :meth:`from_hidden_units` or :meth:`from_saliency`.

    Parameters
    ----------
    images : ndarray of shape (n_images, rows, columns)
        The images.
    titles : sequence of str, default=None
        The title of each image.
    is_correct : sequence of bool, default=None
        Colours the title of each image as right or wrong.
    outlines : ndarray of shape (n_images, rows, columns), default=None
        Images of which the outlines are drawn over the others.
    value_name : str, default=None
        What signed values are, such as "weight": they get two colours and a colour
        bar. By default the images are drawn in shades of grey, ink in black.
    title : str, default=None
        The title of the whole.

    Attributes
    ----------
    figure_ : :class:`matplotlib.figure.Figure`
        The figure.
    ax_ : ndarray of :class:`matplotlib.axes.Axes`, shape (n_rows, n_columns)
        The axes of the images.
    im_ : list of :class:`matplotlib.image.AxesImage`
        The images as drawn.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skmnist import ImageGridDisplay
    >>> digits = load_digits()
    >>> display = ImageGridDisplay.from_images(digits.images[:10], digits.target[:10])
    >>> display.ax_.shape
    (2, 5)
    """

    def __init__(
        self,
        images: np.ndarray,
        *,
        titles: Sequence[str] | None = None,
        is_correct: Sequence[bool] | np.ndarray | None = None,
        outlines: np.ndarray | None = None,
        value_name: str | None = None,
        title: str | None = None,
    ):
        self.images = images
        self.titles = titles
        self.is_correct = is_correct
        self.outlines = outlines
        self.value_name = value_name
        self.title = title

    @classmethod
    def from_images(
        cls,
        images: ArrayLike,
        labels: ArrayLike | None = None,
        *,
        class_names: ClassNames | None = None,
        predictions: ArrayLike | None = None,
        probabilities: ArrayLike | None = None,
        n_images: int | None = 25,
        image_shape: tuple[int, int] | None = None,
        title: str | None = None,
        ax: Place | None = None,
        **plot_kw: Any,
    ) -> Self:
        """Draw images, with what they are and what they were taken for.

        Parameters
        ----------
        images : array-like of shape (n_samples, n_pixels), (n_samples, rows, columns) \
                or (n_samples, rows, columns, 1)
            The images.
        labels : array-like of shape (n_samples,), default=None
            What they are.
        class_names : sequence or dict of str, default=None
            The name of a label: `class_names[label]`. By default the label itself.
        predictions : array-like of shape (n_samples,), default=None
            What they were taken for.
        probabilities : array-like of shape (n_samples,) or (n_samples, n_classes), \
                default=None
            The probability of each prediction; of several the largest is taken.
        n_images : int, default=25
            Draw so many, the first ones; None draws all.
        image_shape : tuple of int, default=None
            The rows and columns of an image; needed where rows of pixels are not of
            square images.
        title : str, default=None
            The title of the whole.
        ax : Axes or sequence of Axes, default=None
            Where to draw; see :meth:`plot`.
        **plot_kw
            Keyword arguments of :meth:`plot`.

        Returns
        -------
        display : ImageGridDisplay
            The display, drawn.

        Raises
        ------
        ValueError
            If the shape of an image cannot be told, or the lengths differ.
        """
        stack = stack_images(images, image_shape)
        n_samples = len(stack)
        is_compared = labels is not None and predictions is not None
        labels = _column("labels", labels, n_samples, n_images)
        predictions = _column("predictions", predictions, n_samples, n_images)
        if probabilities is not None and np.ndim(probabilities) == 2:
            probabilities = np.max(probabilities, axis=1)
        probabilities = _column("probabilities", probabilities, n_samples, n_images)
        titles = [
            _image_title(class_names, *row)
            for row in zip(labels, predictions, probabilities, strict=True)
        ]
        display = cls(
            stack[:n_images],
            titles=titles if any(titles) else None,
            is_correct=np.equal(labels, predictions) if is_compared else None,
            title=title,
        )
        return display.plot(ax, **plot_kw)

    @classmethod
    def from_misclassified(
        cls,
        estimator: BaseEstimator,
        X: ArrayLike,
        y: ArrayLike,
        *,
        true: Any = None,
        predicted: Any = None,
        class_names: ClassNames | None = None,
        n_images: int | None = 25,
        image_shape: tuple[int, int] | None = None,
        ax: Place | None = None,
        **plot_kw: Any,
    ) -> Self:
        """Draw a classifier's mistakes, the most confident first.

        Parameters
        ----------
        estimator : estimator with `predict_proba`
            A fitted classifier, or a Pipeline or search that ends in one.
        X : array-like
            The images, as the classifier takes them.
        y : array-like of shape (n_samples,)
            Their labels.
        true : label, default=None
            Draw only images of this label.
        predicted : label, default=None
            Draw only images that were taken for this label.
        class_names : sequence or dict of str, default=None
            The name of a label: `class_names[label]`. By default the label itself.
        n_images : int, default=25
            Draw at most so many; None draws all.
        image_shape : tuple of int, default=None
            The rows and columns of an image; needed where rows of pixels are not of
            square images.
        ax : Axes or sequence of Axes, default=None
            Where to draw; see :meth:`plot`.
        **plot_kw
            Keyword arguments of :meth:`plot`.

        Returns
        -------
        display : ImageGridDisplay
            The display, drawn.

        Raises
        ------
        TypeError
            If the classifier has no `predict_proba`.
        ValueError
            If `true`, `predicted` or `y` are labels that the classifier does not know.
        """
        stack = stack_images(X, image_shape)
        mistakes = misclassified(estimator, X, y, true=true, predicted=predicted)
        shown = mistakes[:n_images]
        return cls.from_images(
            stack[shown["index"]],
            shown["true"],
            class_names=class_names,
            predictions=shown["predicted"],
            probabilities=shown["probability"],
            n_images=None,
            title=_mistakes_title(len(shown), len(mistakes), len(stack)),
            ax=ax,
            **plot_kw,
        )

    @classmethod
    def from_hidden_units(
        cls,
        estimator: BaseEstimator,
        *,
        n_images: int | None = 25,
        image_shape: tuple[int, int] | None = None,
        ax: Place | None = None,
        **plot_kw: Any,
    ) -> Self:
        """Draw what the units of the first layer look for.

        The weights of a unit are an image: ink where they are positive (red) excites
        the unit, where they are negative (blue) it inhibits it. The units with the
        largest weights come first.

        Parameters
        ----------
        estimator : estimator
            A fitted :class:`MNISTMLPClassifier`,
            :class:`sklearn.neural_network.MLPClassifier` or linear model, or a Pipeline
            or search that ends in one.
        n_images : int, default=25
            Draw at most so many units; None draws all.
        image_shape : tuple of int, default=None
            The rows and columns of an image; needed where images are not square.
        ax : Axes or sequence of Axes, default=None
            Where to draw; see :meth:`plot`.
        **plot_kw
            Keyword arguments of :meth:`plot`.

        Returns
        -------
        display : ImageGridDisplay
            The display, drawn.

        Raises
        ------
        TypeError
            If the classifier has no weights that can be read.
        """
        _, classifier = unwrap(estimator)
        check_is_fitted(classifier)
        weights = weight_matrices(classifier)[0]
        units = np.argsort(-np.linalg.norm(weights, axis=1), kind="stable")[:n_images]
        display = cls(
            stack_images(weights[units], image_shape),
            titles=[f"unit {unit}" for unit in units],
            value_name="weight",
            title="What the units of the first layer look for",
        )
        return display.plot(ax, **plot_kw)

    @classmethod
    def from_saliency(
        cls,
        estimator: BaseEstimator,
        X: ArrayLike,
        *,
        target: Any = None,
        class_names: ClassNames | None = None,
        n_images: int | None = 25,
        image_shape: tuple[int, int] | None = None,
        ax: Place | None = None,
        **plot_kw: Any,
    ) -> Self:
        """Draw how the logit of a class depends on each pixel.

        More ink where the gradient is positive (red) speaks for the class, where it is
        negative (blue) against it. The outline of the image is drawn over it. In a
        Pipeline the pixels are those that reach the classifier.

        Parameters
        ----------
        estimator : estimator
            A fitted :class:`MNISTMLPClassifier`, or a Pipeline or search that ends in
            one.
        X : array-like
            The images, as the estimator takes them.
        target : label, default=None
            The class; by default the one that is predicted for each image.
        class_names : sequence or dict of str, default=None
            The name of a label: `class_names[label]`. By default the label itself.
        n_images : int, default=25
            Draw so many, the first ones; None draws all.
        image_shape : tuple of int, default=None
            The rows and columns of an image; needed where rows of pixels are not of
            square images.
        ax : Axes or sequence of Axes, default=None
            Where to draw; see :meth:`plot`.
        **plot_kw
            Keyword arguments of :meth:`plot`.

        Returns
        -------
        display : ImageGridDisplay
            The display, drawn.

        Raises
        ------
        TypeError
            If the classifier is not an :class:`MNISTMLPClassifier`.
        ValueError
            If `target` is not one of the labels.

        References
        ----------
        Simonyan, Vedaldi and Zisserman, 2014, "Deep inside convolutional networks:
        visualising image classification models and saliency maps", ICLR workshop.
        """
        transformers, classifier = unwrap(estimator)
        check_is_fitted(classifier)
        if not hasattr(classifier, "net_"):
            raise TypeError(
                f"{type(classifier).__name__} gives no gradient of its logits; give an "
                "MNISTMLPClassifier."
            )
        if image_shape is None and np.ndim(X) > 2:
            image_shape = np.shape(X)[1:3]
        shown: Any = X  # an array-like that can be sliced, such as a DataFrame
        shown = shown[:n_images]
        for transformer in transformers:
            shown = transformer.transform(shown)
        X = stack_images(shown, image_shape)
        labels = classifier.classes_.tolist()
        if target is not None and target not in labels:
            raise ValueError(f"target={target!r} is not one of the labels {labels}.")
        targets = classifier.predict(X) if target is None else [target] * len(X)
        codes = [labels.index(label) for label in targets]
        gradient = classifier.net_.input_gradient(flatten_images(X), codes)
        display = cls(
            gradient.reshape(X.shape),
            titles=[f"for {_class_name(class_names, label)}" for label in targets],
            outlines=X,
            value_name="gradient of the logit",
            title="Ink for the class (red) and against it (blue)",
        )
        return display.plot(ax, **plot_kw)

    def plot(
        self,
        ax: Place | None = None,
        *,
        n_columns: int = 5,
        im_kw: dict[str, Any] | None = None,
        title_kw: dict[str, Any] | None = None,
    ) -> Self:
        """Draw the grid.

        Parameters
        ----------
        ax : Axes or sequence of Axes, default=None
            Where to draw: axes for each image, or one that is divided. By default a
            new figure is made.
        n_columns : int, default=5
            The number of images of a row.
        im_kw : dict, default=None
            Keyword arguments of :meth:`matplotlib.axes.Axes.imshow`.
        title_kw : dict, default=None
            Keyword arguments of :meth:`matplotlib.axes.Axes.set_title`.

        Returns
        -------
        display : ImageGridDisplay
            This display.
        """
        n_columns = max(1, min(n_columns, len(self.images)))
        shape = (max(1, math.ceil(len(self.images) / n_columns)), n_columns)
        self.ax_: np.ndarray = _make_axes(ax, shape, self._figure_size(shape))
        self.figure_: Figure = self.ax_[0, 0].figure
        style = self._image_style() | (im_kw or {})
        self.im_: list[AxesImage] = []
        for cell in self.ax_.flat:
            cell.set_axis_off()
        for number, (cell, image) in enumerate(
            zip(self.ax_.flat, self.images, strict=False)
        ):
            self.im_.append(cell.imshow(image, **style))
            self._decorate(cell, number, title_kw or {})
        if self.value_name is not None and self.im_:
            self.figure_.colorbar(
                self.im_[0],
                ax=self.ax_.ravel().tolist(),
                label=self.value_name,
                extend="both",
                aspect=30,
            )
        self._add_title(ax)
        return self

    def _figure_size(self, shape):
        n_rows, n_columns = shape
        longest_title = max(map(len, self.titles or [""]), default=0)
        width = max(1.3, 0.08 * longest_title)  # inches; a letter is about 0.08
        height = 1.3 + (0.3 if self.titles else 0)
        least_width = max(4.8, 0.11 * len(self.title or ""))
        total_width = n_columns * width + (0.8 if self.value_name else 0)  # colour bar
        return max(least_width, total_width), max(2.4, n_rows * height)

    def _image_style(self):
        if len(self.images) == 0:
            return {}
        if self.value_name is None:
            low, high = np.min(self.images), np.max(self.images)
            return {"cmap": "gray_r", "vmin": low, "vmax": high}
        # Not the largest: a few extreme pixels would make all others pale.
        limit = np.quantile(np.abs(self.images), 0.995)
        return {"cmap": "RdBu_r", "vmin": -limit, "vmax": limit}

    def _decorate(self, cell, number, title_kw):
        if self.titles is not None:
            style: dict[str, Any] = {"fontsize": 9}
            if self.is_correct is not None:
                style["color"] = RIGHT if self.is_correct[number] else WRONG
            cell.set_title(self.titles[number], **style | title_kw)
        if self.outlines is not None:
            outline = self.outlines[number]
            low, high = np.min(outline), np.max(outline)
            if low < high:
                level = (low + high) / 2
                cell.contour(outline, levels=[level], colors="black", linewidths=0.8)

    def _add_title(self, ax):
        if self.title is None:
            return
        if ax is None:
            self.figure_.suptitle(self.title)
        elif hasattr(ax, "set_title"):
            ax.set_title(self.title, pad=20)


def _make_axes(ax, shape, figsize, **subplots_kw):
    """Return a grid of axes: on a new figure, in place of one axes, or as given."""
    if ax is None:
        import matplotlib.pyplot as plt

        _, axes = plt.subplots(
            *shape, figsize=figsize, squeeze=False, layout="constrained", **subplots_kw
        )
        return axes
    if hasattr(ax, "get_subplotspec"):
        ax.set_axis_off()
        grid = ax.get_subplotspec().subgridspec(*shape)
        return grid.subplots(squeeze=False, **subplots_kw)
    axes = np.asarray(ax, dtype=object)
    if axes.size < math.prod(shape):
        raise ValueError(
            f"ax has {axes.size} axes, but {math.prod(shape)} are to be drawn; give so "
            "many, or one to divide."
        )
    return axes.ravel()[: math.prod(shape)].reshape(shape)


def _history(classifier):
    check_is_fitted(classifier)
    if hasattr(classifier, "history_"):
        return classifier.history_
    if not hasattr(classifier, "loss_curve_"):
        raise TypeError(
            f"{type(classifier).__name__} has no history of its training; give an "
            "MNISTMLPClassifier or an MLPClassifier, or use from_history."
        )
    import pandas as pd

    history = pd.DataFrame({"train_loss": classifier.loss_curve_})
    history.insert(0, "epoch", np.arange(1, len(history) + 1))
    if classifier.early_stopping:
        history["valid_accuracy"] = classifier.validation_scores_
    return history


def _drawable_metrics(histories):
    """Return what is to be drawn: the loss, the accuracy, then what else there is."""
    found = {"loss": False, "accuracy": False}
    for name, history in histories.items():
        metrics = [
            column.removeprefix(f"{part}_")
            for column in history
            for part in PARTS
            if column.startswith(f"{part}_")
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


def _split_tasks(log):
    """Return the histories in a table of scikit-learn's ScoringMonitor."""
    epochs = log[log["task_name"] == "epoch"]
    scores = [column for column in log if column not in MONITOR_COLUMNS]
    return {
        "task " + ".".join(map(str, path)): rows[scores]
        .add_prefix("train_")
        .assign(epoch=rows["task_id"] + 1)
        for path, rows in epochs.groupby("parent_task_id_path")
    }


def _best_row(history):
    """Return the position of the epoch that validated best, or None."""
    for column, find in (("valid_loss", np.argmin), ("valid_accuracy", np.argmax)):
        if column in history:
            values = history[column].to_numpy(dtype=float)
            known = np.flatnonzero(np.isfinite(values))
            return known[find(values[known])] if len(known) else None
    return None


def _run_styles(histories):
    """Return for each run the style of its training and its validation curves."""
    if len(histories) == 1:
        style = {"train": {"color": RIGHT}, "valid": {"color": WRONG}}
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


def _column(name, values, n_samples, n_images) -> list[Any]:
    if values is None:
        return [None] * len(range(n_samples)[:n_images])
    if len(values) != n_samples:
        raise ValueError(
            f"{name} has {len(values)} entries for {n_samples} images; give one each."
        )
    return np.asarray(values)[:n_images].tolist()


def _class_name(class_names, label):
    return str(label) if class_names is None else str(class_names[label])


def _image_title(class_names, label, prediction, probability):
    words = []
    if label is not None:
        words.append(_class_name(class_names, label))
    if prediction is not None and prediction != label:
        words += ["taken for"] if words else []
        words.append(_class_name(class_names, prediction))
    if probability is not None:
        words.append(f"({probability:.2f})")
    return " ".join(words)


def _mistakes_title(n_shown, n_mistakes, n_images):
    if n_mistakes == 0:
        return f"No mistakes in {n_images:,} images"
    if n_shown == n_mistakes:
        return f"Mistakes in {n_images:,} images: {n_mistakes:,}"
    return (
        f"Mistakes in {n_images:,} images: the most confident {n_shown:,} of "
        f"{n_mistakes:,}"
    )
