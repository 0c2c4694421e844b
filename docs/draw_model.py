"""The network of the page "Draw a digit": trained, tried, and written for it."""

import base64
import csv
import hashlib
import json
import math
from pathlib import Path

import numpy as np
from PIL import Image
from scipy import ndimage
from skorch.callbacks import LRScheduler
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch.optim.lr_scheduler import OneCycleLR

import skmnist
from skmnist import (
    ImageCenterer,
    ImageScaler,
    MNISTMLPClassifier,
    RandomDistortion,
    fetch_mnist,
)

HERE = Path(__file__).parent
GENERATED = HERE / "generated" / "draw"
PREFIX = "const DRAW_MODEL = "
SIDE = 280  # of the canvas
N_EPOCHS, BATCH_SIZE = 30, 256
# What the page's buttons do, in pixels of the canvas and degrees.
CHANGES = {
    "as drawn": {},
    "shifted": {"shift": 40},
    "turned": {"angle": 60},
    "thick": {"thickness": 20},
    "small": {"scale": 0.4},
}
N_CHANGED = 300


def write_model():
    """Write the page's files, unless they are there and of these sources."""
    X, y, data = _load()
    sources = [Path(__file__), *sorted(Path(skmnist.__file__).parent.rglob("*.py"))]
    key = hashlib.sha256(
        b"".join(path.read_bytes() for path in sources) + data.encode()
    )
    key_file = GENERATED / "key.txt"
    if key_file.exists() and key_file.read_text() == key.hexdigest():
        return
    (GENERATED / "static").mkdir(parents=True, exist_ok=True)
    X_train, X_test, y_train, y_test = train_test_split(
        X, y, test_size=1 / 7, shuffle=False
    )
    classifier = _train(X_train / np.float32(255), y_train)
    model = _to_json(classifier, X_test, y_test)
    text = f"{PREFIX}{json.dumps(model)};\n"
    (GENERATED / "static" / "draw_model.js").write_text(text)
    _write_numbers(read_classifier(model), X_test, y_test, data)
    key_file.write_text(key.hexdigest())


def read_model(file):
    """Return what a file for the page holds, as a dictionary."""
    text = file.read_text(encoding="utf-8")
    return json.loads(text.removeprefix(PREFIX).removesuffix(";\n"))


def read_classifier(model):
    """Return a classifier that has the weights of the page."""
    images = np.frombuffer(base64.b64decode(model["examples"]), np.uint8)
    weights = np.frombuffer(base64.b64decode(model["weights"]), "<f2")
    ends = np.cumsum([math.prod(shape) for shape in model["shapes"]])
    parts = [
        part.reshape(shape)
        for part, shape in zip(
            np.split(weights, ends[:-1]), model["shapes"], strict=True
        )
    ]
    classifier = MNISTMLPClassifier(max_epochs=1, validation_split=None, random_state=0)
    classifier.fit(images.reshape(10, 784) / np.float32(255), np.arange(10))
    return classifier.set_weights([part.T for part in parts[::2]], parts[1::2])


def draw(image, shift=0, angle=0, thickness=0, scale=1):
    """Return an image of MNIST on a canvas, changed as a button of the page does."""
    large = Image.fromarray(image).resize((SIDE, SIDE), Image.Resampling.BILINEAR)
    if thickness:
        across = np.arange(-thickness // 2, thickness // 2 + 1)
        pen = np.hypot(*np.meshgrid(across, across)) <= thickness / 2
        half = ndimage.grey_dilation(large.reduce(2), footprint=pen)
        large = Image.fromarray(half).resize((SIDE, SIDE), Image.Resampling.BILINEAR)
    cosine = math.cos(math.radians(angle)) / scale
    sine = math.sin(math.radians(angle)) / scale
    middle = SIDE / 2
    from_middle = -middle - shift
    coefficients = (
        *(cosine, sine, middle + (cosine + sine) * from_middle),
        *(-sine, cosine, middle + (cosine - sine) * from_middle),
    )
    return np.asarray(
        large.transform(
            large.size, Image.Transform.AFFINE, coefficients, Image.Resampling.BILINEAR
        )
    )


def _load():
    try:
        X, y = fetch_mnist(subset="all", return_X_y=True, download_if_missing=False)
    except OSError:
        X, y = load_digits(return_X_y=True)
        X = ImageCenterer().transform((X / 16 * 255).astype(np.uint8))
        return X, y, "scikit-learn's digits"
    return X, y, "MNIST"


def _train(X, y):
    n_steps = N_EPOCHS * math.ceil(len(X) / BATCH_SIZE)
    schedule = LRScheduler(
        OneCycleLR, max_lr=4e-3, total_steps=n_steps, step_every="batch"
    )
    return MNISTMLPClassifier(
        dropout=0,
        augmentation=RandomDistortion(),
        optimizer="adamw",
        batch_size=BATCH_SIZE,
        max_epochs=N_EPOCHS,
        validation_split=None,
        callbacks=[schedule],
        random_state=0,
    ).fit(X, y)


def _to_json(classifier, X, y):
    layers = zip(classifier.coefs_, classifier.intercepts_, strict=True)
    parameters = [each for coef, bias in layers for each in (coef.T, bias)]
    weights = np.concatenate([each.ravel() for each in parameters])
    halves = weights.astype("<f2").tobytes()
    first = [np.flatnonzero(y == digit)[0] for digit in range(10)]
    return {
        "shapes": [list(each.shape) for each in parameters],
        "weights": base64.b64encode(halves).decode(),
        "sha256": base64.b64encode(hashlib.sha256(halves).digest()).decode(),
        "examples": base64.b64encode(X[first].astype(np.uint8).tobytes()).decode(),
    }


def _write_numbers(classifier, X, y, data):
    accuracy = classifier.score(ImageScaler().fit_transform(X), y)
    (GENERATED / "numbers.txt").write_text(
        f".. |data| replace:: {data}\n"
        f".. |accuracy| replace:: {accuracy:.2%}\n"
        f".. |n images| replace:: {len(X):,}\n"
        f".. |n changed| replace:: {min(N_CHANGED, len(X))}\n"
    )
    images, labels = X[:N_CHANGED].reshape(-1, 28, 28).astype(np.uint8), y[:N_CHANGED]
    with (GENERATED / "changes.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        for name, change in CHANGES.items():
            drawn = np.stack([draw(image, **change) for image in images])
            framed = ImageCenterer().transform(drawn)
            shrunk = drawn.reshape(-1, 28, 10, 28, 10).mean(axis=(2, 4))
            shares = [
                classifier.score(pixels.reshape(-1, 784) / np.float32(255), labels)
                for pixels in (framed, shrunk)
            ]
            writer.writerow([name, *(f"{share:.0%}" for share in shares)])
