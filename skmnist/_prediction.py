"""What `skmnist predict` does: read a model and images, frame and predict them."""

from __future__ import annotations

import json
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import joblib
import numpy as np
from PIL import Image, ImageOps
from PIL.Image import DecompressionBombError
from sklearn.base import BaseEstimator

from skmnist._framing import to_gray
from skmnist._images import find_square, separate_images
from skmnist.inspection import unwrap
from skmnist.persistence import load_model
from skmnist.preprocessing import ImageCenterer, ImageScaler

# Files that run code.
PICKLES = {".joblib", ".pickle", ".pkl"}


class Prediction(NamedTuple):
    """The label of an image."""

    path: str
    label: Any
    probability: float


def read_model(path: Path, trust: bool) -> Any:
    """Read a fitted model.

    Parameters
    ----------
    path : Path
        A file of :func:`save_model`, or a pickle.
    trust : bool
        Whether code in a pickle may run.

    Returns
    -------
    model : estimator
        The model.

    Raises
    ------
    OSError
        If the file cannot be read.
    ValueError
        If it is a pickle and not trusted, or holds no classifier with probabilities of
        one label.
    """
    if path.suffix not in PICKLES:
        model = load_model(path)
    elif trust:
        model = _load_pickle(path)
    else:
        raise ValueError(
            f"{path} is a pickle, and loading it runs the code that it contains; use "
            "--trust if you would run a script by its author, or a file of save_model."
        )
    if not hasattr(model, "predict_proba") or not hasattr(model, "classes_"):
        raise ValueError(f"{path} contains no fitted classifier with predict_proba.")
    _, classifier = unwrap(model)
    if getattr(classifier, "_is_multilabel", False):
        raise ValueError(
            f"{path} contains a multilabel classifier; predict prints a single label."
        )
    return model


def predict_files(
    model: Any, paths: Sequence[Path]
) -> tuple[list[Prediction], list[str]]:
    """Predict the images in files.

    Parameters
    ----------
    model : estimator
        The fitted classifier.
    paths : sequence of Path
        The files.

    Returns
    -------
    predictions : list of Prediction
        One for each image that could be read and has ink.
    errors : list of str
        What is wrong with the others.

    Raises
    ------
    ValueError
        If the model takes images that are not square.
    """
    find_centerer(model)
    predictions, errors = [], []
    for path in paths:
        try:
            X = frame_for(model, read_image(path))
            probabilities = model.predict_proba(X)[0]
        except (OSError, SyntaxError, ValueError, DecompressionBombError) as error:
            errors.append(f"{path}: {getattr(error, 'strerror', None) or error}")
            continue
        best = probabilities.argmax()
        label = model.classes_.tolist()[best]
        predictions.append(Prediction(str(path), label, float(probabilities[best])))
    return predictions, errors


def read_image(path: Path) -> Image.Image:
    """Read an image file, turned upright as its EXIF data say."""
    with Image.open(path) as image:
        return ImageOps.exif_transpose(image)


def frame_for(model: Any, image: Image.Image) -> Any:
    """Return an image as the input of a model.

    Parameters
    ----------
    model : estimator
        The fitted classifier.
    image : Image
        The image.

    Returns
    -------
    X : list of one image, or ndarray of shape (1, n_features)
        The image itself where the model has an :class:`ImageCenterer`; otherwise its
        frame. With the intensities that the model's :class:`ImageScaler` takes.

    Raises
    ------
    ValueError
        If the image is blank.
    """
    centerer = find_centerer(model)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".* are blank")
        framed = centerer.transform([image])
    if not framed.any():
        raise ValueError("the image is blank.")
    steps = find_steps(model)
    scalers = [step for step in steps if isinstance(step, ImageScaler)]
    max_intensity = scalers[0].max_intensity if scalers else 1.0
    factor = np.float32(max_intensity / framed.max())
    if centerer not in steps:
        return framed * factor
    images = separate_images([image]) or []
    return [to_gray(each) * factor for each in images] if scalers else [image]


def find_centerer(model: Any) -> ImageCenterer:
    """Return the centerer of a model, or one that suits it.

    Parameters
    ----------
    model : estimator
        The fitted classifier.

    Returns
    -------
    centerer : ImageCenterer
        The centerer; of the size of the model's images, as MNIST's box is to its frame.

    Raises
    ------
    ValueError
        If the model takes images that are not square.
    """
    for step in find_steps(model):
        if isinstance(step, ImageCenterer):
            return step
    n_features = model.n_features_in_
    image_shape = find_square(n_features)
    if image_shape is None:
        raise ValueError(
            f"the model takes images of {n_features} pixels, which are not square; put "
            "an ImageCenterer into its pipeline."
        )
    size = image_shape[0]
    return ImageCenterer(size, box=max(1, round(size * 20 / 28)))


def find_steps(model: Any) -> list[Any]:
    """Return the estimators in a model, however nested, or in one found by a search."""
    parameters = getattr(model, "best_estimator_", model).get_params()
    return [step for step in parameters.values() if isinstance(step, BaseEstimator)]


def format_predictions(predictions: Sequence[Prediction], as_json: bool) -> str:
    """Return a line for each prediction, or a JSON list of objects."""
    if as_json:
        return json.dumps([each._asdict() for each in predictions], default=str)
    return "\n".join(
        f"{path}: {label} ({probability:.3f})"
        for path, label, probability in predictions
    )


def _load_pickle(path):
    try:
        return joblib.load(path)
    except (ImportError, OSError):
        raise
    except Exception as error:  # a damaged pickle raises errors of any kind
        raise ValueError(f"{path} cannot be loaded: {error!r}") from error
