"""ImageGridDisplay: images with labels, predictions, weights or gradients."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from skmnist._images import stack_images
from skmnist.inspection import misclassified, unwrap, weight_matrices
from skmnist.plotting._axes import make_axes
from skmnist.plotting._grid_style import (
    choose_size,
    choose_style,
    draw_color_bar,
    draw_outline,
    draw_title,
)
from skmnist.plotting._saliency import compute_saliency
from skmnist.plotting._titles import name_class, name_rows, title_images, title_mistakes

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from matplotlib.image import AxesImage
    from numpy.typing import ArrayLike

    from skmnist.plotting._axes import AxesLike
    from skmnist.plotting._titles import ClassNames


class ImageGridDisplay:
    """A grid of images, each with a title.

    Create it with :meth:`from_images`, :meth:`from_misclassified`,
    :meth:`from_hidden_units` or :meth:`from_saliency`.

    Parameters
    ----------
    images : ndarray of shape (n_images, rows, columns)
        The images.
    titles : sequence of str, default=None
        The title of each image.
    is_correct : sequence of bool, default=None
        Whether each prediction is correct; this determines the color of the title.
    outlines : ndarray of shape (n_images, rows, columns), default=None
        Images whose outlines are drawn over `images`.
    value_name : str, default=None
        The meaning of signed values, such as "weight": they are drawn in two colors,
        with a color bar. By default images are drawn in shades of gray, ink in black.
    title : str, default=None
        The title of the figure.

    Attributes
    ----------
    figure_ : :class:`matplotlib.figure.Figure`
        The figure.
    ax_ : ndarray of :class:`matplotlib.axes.Axes`, shape (n_rows, n_columns)
        The axes of the images; of shape (n_images,) if a sequence was given.
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
        ax: AxesLike | None = None,
        n_columns: int = 5,
        im_kw: dict[str, Any] | None = None,
        title_kw: dict[str, Any] | None = None,
    ) -> Self:
        """Draw images with their labels and predictions.

        Parameters
        ----------
        images : array-like of shape (n_samples, n_pixels), (n_samples, rows, columns) \
                or (n_samples, rows, columns, 1)
            The images.
        labels : array-like of shape (n_samples,), default=None
            The true labels.
        class_names : sequence or dict of str, default=None
            The name of a label: `class_names[label]`. By default the label itself.
        predictions : array-like of shape (n_samples,), default=None
            The predicted labels.
        probabilities : array-like of shape (n_samples,) or (n_samples, n_classes), \
                default=None
            The probability of each prediction, or of each class for each image.
        n_images : int, default=25
            The number of images to draw, the first ones; None draws all.
        image_shape : tuple of int, default=None
            The rows and columns of an image. By default those of the stack; rows of
            pixels are assumed to be square images.
        title : str, default=None
            The title of the figure.
        ax : Axes or sequence of Axes, default=None
            Where to draw; see :meth:`plot`.
        n_columns : int, default=5
            The number of images in a row.
        im_kw : dict, default=None
            Keyword arguments of :meth:`matplotlib.axes.Axes.imshow`.
        title_kw : dict, default=None
            Keyword arguments of :meth:`matplotlib.axes.Axes.set_title`.

        Returns
        -------
        display : ImageGridDisplay
            The display, drawn.

        Raises
        ------
        ValueError
            If the shape of an image cannot be inferred, if the lengths differ, or if
            there are too few axes.
        """
        stack = stack_images(images, image_shape)
        titles, is_correct = title_images(
            len(stack), n_images, labels, predictions, probabilities, class_names
        )
        display = cls(
            stack[:n_images], titles=titles, is_correct=is_correct, title=title
        )
        return display.plot(ax, n_columns=n_columns, im_kw=im_kw, title_kw=title_kw)

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
        ax: AxesLike | None = None,
        n_columns: int = 5,
        im_kw: dict[str, Any] | None = None,
        title_kw: dict[str, Any] | None = None,
    ) -> Self:
        """Draw a classifier's mistakes, the most confident first.

        Parameters
        ----------
        estimator : estimator with `predict_proba`
            A fitted classifier, or a Pipeline or search that ends in one.
        X : array-like
            The images, in a form that the classifier accepts.
        y : array-like of shape (n_samples,)
            The true labels.
        true : label, default=None
            Draw only images with this true label.
        predicted : label, default=None
            Draw only images predicted as this label.
        class_names : sequence or dict of str, default=None
            The name of a label: `class_names[label]`. By default the label itself.
        n_images : int, default=25
            The largest number of images to draw; None draws all.
        image_shape : tuple of int, default=None
            The rows and columns of an image. By default those of the stack; rows of
            pixels are assumed to be square images.
        ax : Axes or sequence of Axes, default=None
            Where to draw; see :meth:`plot`.
        n_columns : int, default=5
            The number of images in a row.
        im_kw : dict, default=None
            Keyword arguments of :meth:`matplotlib.axes.Axes.imshow`.
        title_kw : dict, default=None
            Keyword arguments of :meth:`matplotlib.axes.Axes.set_title`.

        Returns
        -------
        display : ImageGridDisplay
            The display, drawn.

        Raises
        ------
        NotFittedError
            If the classifier is not fitted.
        TypeError
            If the classifier has no `predict_proba`.
        ValueError
            If `true`, `predicted` or `y` are labels that the classifier does not know,
            if the shape of an image cannot be inferred, if the lengths of `X` and `y`
            differ, or if there are too few axes.
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
            title=title_mistakes(
                len(shown), len(mistakes), len(stack), (true, predicted), class_names
            ),
            ax=ax,
            n_columns=n_columns,
            im_kw=im_kw,
            title_kw=title_kw,
        )

    @classmethod
    def from_hidden_units(
        cls,
        estimator: BaseEstimator,
        *,
        n_images: int | None = 25,
        image_shape: tuple[int, int] | None = None,
        ax: AxesLike | None = None,
        n_columns: int = 5,
        im_kw: dict[str, Any] | None = None,
        title_kw: dict[str, Any] | None = None,
    ) -> Self:
        """Draw the weights of the units of the first layer.

        The weights of a unit are drawn as an image: ink where they are positive (red)
        increases its activation, ink where they are negative (blue) decreases it. Units
        with large weights come first. Without a hidden layer they are the classes.

        Parameters
        ----------
        estimator : estimator
            A fitted :class:`MNISTMLPClassifier`,
            :class:`sklearn.neural_network.MLPClassifier` or linear model, or a Pipeline
            or search that ends in one.
        n_images : int, default=25
            The largest number of units to draw; None draws all.
        image_shape : tuple of int, default=None
            The rows and columns of an image. By default it is assumed to be square.
        ax : Axes or sequence of Axes, default=None
            Where to draw; see :meth:`plot`.
        n_columns : int, default=5
            The number of images in a row.
        im_kw : dict, default=None
            Keyword arguments of :meth:`matplotlib.axes.Axes.imshow`.
        title_kw : dict, default=None
            Keyword arguments of :meth:`matplotlib.axes.Axes.set_title`.

        Returns
        -------
        display : ImageGridDisplay
            The display, drawn.

        Raises
        ------
        NotFittedError
            If the classifier is not fitted.
        TypeError
            If the classifier has no weights that can be read.
        ValueError
            If the shape of an image cannot be inferred, or if there are too few axes.
        """
        _, classifier = unwrap(estimator)
        check_is_fitted(classifier)
        weights, *others = weight_matrices(classifier)
        names, title = name_rows(classifier, len(weights), has_others=bool(others))
        units = np.argsort(-np.linalg.norm(weights, axis=1), kind="stable")[:n_images]
        display = cls(
            stack_images(weights[units], image_shape),
            titles=[names[unit] for unit in units],
            value_name="weight",
            title=title,
        )
        return display.plot(ax, n_columns=n_columns, im_kw=im_kw, title_kw=title_kw)

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
        ax: AxesLike | None = None,
        n_columns: int = 5,
        im_kw: dict[str, Any] | None = None,
        title_kw: dict[str, Any] | None = None,
    ) -> Self:
        """Draw how the logit of a class depends on each pixel.

        More ink where the gradient is positive (red) raises the logit of the class,
        more ink where it is negative (blue) lowers it. The outline of the image is
        drawn over the gradient. In a Pipeline the pixels are the classifier's input.

        Parameters
        ----------
        estimator : estimator
            A fitted :class:`MNISTMLPClassifier`, or a Pipeline or search that ends in
            one.
        X : array-like
            The images, in a form that the estimator accepts.
        target : label, default=None
            The class; by default the predicted class of each image. Required for
            multilabel targets.
        class_names : sequence or dict of str, default=None
            The name of a label: `class_names[label]`. By default the label itself.
        n_images : int, default=25
            The number of images to draw, the first ones; None draws all.
        image_shape : tuple of int, default=None
            The rows and columns of an image. By default those of the stack; rows of
            pixels are assumed to be square images.
        ax : Axes or sequence of Axes, default=None
            Where to draw; see :meth:`plot`.
        n_columns : int, default=5
            The number of images in a row.
        im_kw : dict, default=None
            Keyword arguments of :meth:`matplotlib.axes.Axes.imshow`.
        title_kw : dict, default=None
            Keyword arguments of :meth:`matplotlib.axes.Axes.set_title`.

        Returns
        -------
        display : ImageGridDisplay
            The display, drawn.

        Raises
        ------
        NotFittedError
            If the classifier is not fitted.
        TypeError
            If the classifier is not an :class:`MNISTMLPClassifier`.
        ValueError
            If `target` is not one of the labels, if the shape of an image cannot be
            inferred, or if there are too few axes.

        References
        ----------
        Simonyan, Vedaldi and Zisserman, 2014, "Deep inside convolutional networks:
        visualising image classification models and saliency maps", ICLR workshop.
        """
        some: Any = X  # an array-like that can be sliced, such as a DataFrame
        images, gradients, targets = compute_saliency(
            estimator, some[:n_images], target, image_shape
        )
        display = cls(
            gradients,
            titles=[f"for {name_class(label, class_names)}" for label in targets],
            outlines=images,
            value_name="gradient of the logit",
            title="Ink for the class (red) and against it (blue)",
        )
        return display.plot(ax, n_columns=n_columns, im_kw=im_kw, title_kw=title_kw)

    def plot(
        self,
        ax: AxesLike | None = None,
        *,
        n_columns: int = 5,
        im_kw: dict[str, Any] | None = None,
        title_kw: dict[str, Any] | None = None,
    ) -> Self:
        """Draw the grid.

        Parameters
        ----------
        ax : Axes or sequence of Axes, default=None
            Where to draw: one axes per image, or a single one, which is divided. By
            default a new figure is made.
        n_columns : int, default=5
            The number of images in a row.
        im_kw : dict, default=None
            Keyword arguments of :meth:`matplotlib.axes.Axes.imshow`.
        title_kw : dict, default=None
            Keyword arguments of :meth:`matplotlib.axes.Axes.set_title`.

        Returns
        -------
        display : ImageGridDisplay
            This display.

        Raises
        ------
        ValueError
            If there are too few axes.
        """
        n_columns = max(1, min(n_columns, len(self.images)))
        shape = (max(1, math.ceil(len(self.images) / n_columns)), n_columns)
        is_signed = self.value_name is not None
        size = choose_size(shape, self.titles, self.title, is_signed)
        self.ax_: np.ndarray = make_axes(ax, max(1, len(self.images)), shape, size)
        self.figure_: Figure = self.ax_.flat[0].figure
        style = choose_style(self.images, is_signed, im_kw or {})
        self.im_: list[AxesImage] = []
        for cell in self.ax_.flat:
            cell.set_axis_off()
        for number, image in enumerate(self.images):
            cell = self.ax_.flat[number]
            self.im_.append(cell.imshow(image, **style))
            self._decorate(cell, number, title_kw or {})
        if self.value_name is not None and self.im_:
            draw_color_bar(self.ax_, self.im_[0], self.value_name)
        self._add_title(ax)
        return self

    def _decorate(self, cell, number, title_kw):
        if self.titles is not None:
            is_correct = None if self.is_correct is None else self.is_correct[number]
            draw_title(cell, self.titles[number], is_correct, title_kw)
        if self.outlines is not None:
            draw_outline(cell, self.outlines[number])

    def _add_title(self, ax):
        if self.title is not None and ax is None:
            self.figure_.suptitle(self.title)
        elif self.title is not None and hasattr(ax, "set_title"):
            ax.set_title(self.title, pad=20)
