"""What `skmnist train` does: load, train, evaluate, save and plot."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from skmnist._parameters import check_parameters


def run(data: str, data_home: str | None, output: Path, **parameters: Any) -> None:
    """Load the data, train a model, print how well it does and write the results.

    Parameters
    ----------
    data : {"auto", "mnist", "fashion-mnist", "kmnist", "digits"}
        The data set.
    data_home : str or None
        Where the data are kept.
    output : Path
        The folder for the results; created if it is missing.
    **parameters
        Parameters of :class:`MNISTMLPClassifier`.

    Raises
    ------
    ValueError
        If a parameter is not valid.
    OSError
        If the data are unavailable, or a result cannot be written.
    """
    check_parameters(parameters)
    output.mkdir(parents=True, exist_ok=True)
    images = load_images(data, data_home)
    print(describe(images))

    from sklearn.pipeline import make_pipeline

    from skmnist import ImageScaler, MNISTMLPClassifier, model_summary

    model = make_pipeline(
        ImageScaler(images.max_intensity), MNISTMLPClassifier(**parameters)
    )
    summary = model_summary(
        model,
        n_features=images.X_train.shape[1],
        n_classes=len(images.class_names),
    )
    print(f"\n{summary.to_string(index=False)}\n", flush=True)
    model.fit(images.X_train, images.y_train)
    print(report(model, images))
    for path in write_results(model, images, output):
        print(f"wrote {path}")


class Images(NamedTuple):
    """Images to train on and to evaluate on."""

    name: str
    X_train: Any
    y_train: Any
    X_test: Any
    y_test: Any
    image_shape: tuple[int, int]
    max_intensity: float
    class_names: list[str]


def load_images(data: str, data_home: str | None) -> Images:
    """Load a data set; "auto" falls back from MNIST to the bundled digits.

    Parameters
    ----------
    data : {"auto", "mnist", "fashion-mnist", "kmnist", "digits"}
        The data set.
    data_home : str or None
        The folder that holds data sets; by default scikit-learn's.

    Returns
    -------
    images : Images
        The images, split into training and test images.

    Raises
    ------
    OSError
        If the data are unavailable.
    """
    if data == "digits":
        return _load_digits()
    if data != "auto":
        return _fetch(data, data_home)
    try:
        # There are other data to use, so each mirror is asked only once.
        return _fetch("mnist", data_home, n_retries=0)
    except OSError as error:
        print(f"MNIST is unavailable: {error}", file=sys.stderr)
        print(
            "Using scikit-learn's bundled 8x8 digits instead.\n",
            file=sys.stderr,
            flush=True,
        )
        return _load_digits()


def describe(images: Images) -> str:
    """Return a description of the data, one fact per line.

    Parameters
    ----------
    images : Images
        The images.

    Returns
    -------
    description : str
        The description.
    """
    rows, columns = images.image_shape
    facts = {
        "data": images.name,
        "training images": f"{len(images.X_train):,}",
        "test images": f"{len(images.X_test):,}",
        "rows and columns": f"{rows} x {columns}",
        "classes": f"{len(images.class_names)} ({', '.join(images.class_names)})",
        "maximum intensity": f"{images.max_intensity:g}",
    }
    return "\n".join(f"{name:<18}{value}" for name, value in facts.items())


def report(model: Any, images: Images) -> str:
    """Return loss, accuracy, misclassification error and a report by class.

    Parameters
    ----------
    model : estimator
        The fitted model.
    images : Images
        The images, of which the test images are predicted.

    Returns
    -------
    report : str
        The report.
    """
    from sklearn.metrics import classification_report

    from skmnist import evaluate

    figures = evaluate(model, images.X_test, images.y_test)
    lines = [
        f"test {name.replace('_', ' ')}: {figures[name]:.4f}" for name in figures.index
    ]
    by_class = classification_report(
        images.y_test,
        model.predict(images.X_test),
        labels=range(len(images.class_names)),
        target_names=images.class_names,
        digits=3,
        zero_division=0.0,
    )
    return "\n".join(["", *lines, "", by_class])


def write_results(model: Any, images: Images, output: Path) -> list[Path]:
    """Write the model, its history and three plots, each whole or not at all.

    The model is also written by `save_model` where skops is installed.

    Parameters
    ----------
    model : Pipeline
        The fitted model.
    images : Images
        The images, of which the test images are predicted.
    output : Path
        The folder to write to.

    Returns
    -------
    paths : list of Path
        The files written.

    Raises
    ------
    OSError
        If a file cannot be written.
    """
    import joblib
    import matplotlib

    matplotlib.use("agg")
    from sklearn.metrics import ConfusionMatrixDisplay

    from skmnist import HistoryDisplay, ImageGridDisplay, save_model
    from skmnist._files import whole_file

    X_test, y_test = images.X_test, images.y_test
    history = model[-1].history_

    def save(display):
        return lambda path: display.figure_.savefig(path, dpi=150, format="png")

    has_long_names = any(len(name) > 3 for name in images.class_names)
    confusion = ConfusionMatrixDisplay.from_estimator(
        model,
        X_test,
        y_test,
        labels=range(len(images.class_names)),
        display_labels=images.class_names,
        xticks_rotation="vertical" if has_long_names else "horizontal",
        colorbar=False,
        cmap="Blues",
    )
    confusion.ax_.set_title("Test images: true and predicted labels")
    confusion.figure_.tight_layout()
    mistakes = ImageGridDisplay.from_misclassified(
        model,
        X_test,
        y_test,
        class_names=images.class_names,
        image_shape=images.image_shape,
    )
    writers: dict[str, Callable[[Path], Any]] = {
        "model.joblib": lambda path: joblib.dump(model, path),
        "history.csv": lambda path: history.to_csv(path, index=False),
        "history.png": save(HistoryDisplay.from_estimator(model)),
        "confusion_matrix.png": save(confusion),
        "misclassified.png": save(mistakes),
    }
    if importlib.util.find_spec("skops") is not None:
        writers["model.skmnist"] = lambda path: save_model(model, path)
    for name, write in writers.items():
        with whole_file(output / name) as path:
            write(path)
    return [output / name for name in writers]


def _fetch(data, data_home, **options):
    from skmnist import fetch_fashion_mnist, fetch_kmnist, fetch_mnist

    name, fetch = {
        "mnist": ("MNIST", fetch_mnist),
        "fashion-mnist": ("Fashion-MNIST", fetch_fashion_mnist),
        "kmnist": ("KMNIST", fetch_kmnist),
    }[data]
    train = fetch(subset="train", data_home=data_home, **options)
    test = fetch(subset="test", data_home=data_home, **options)
    return Images(
        name=name,
        X_train=train.data,
        y_train=train.target,
        X_test=test.data,
        y_test=test.target,
        image_shape=train.images.shape[1:],
        max_intensity=255.0,
        class_names=train.target_names.tolist(),
    )


def _load_digits():
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    digits = load_digits()
    X_train, X_test, y_train, y_test = train_test_split(
        digits.data,
        digits.target,
        test_size=0.2,
        stratify=digits.target,
        random_state=0,
    )
    return Images(
        name="scikit-learn's bundled 8x8 digits",
        X_train=X_train,
        y_train=y_train,
        X_test=X_test,
        y_test=y_test,
        image_shape=digits.images.shape[1:],
        max_intensity=16.0,
        class_names=[str(name) for name in digits.target_names],
    )
