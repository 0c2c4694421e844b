"""The `skmnist` command: its options, and which command runs."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from skmnist import __version__
from skmnist._parameters import ACTIVATIONS, OPTIMIZERS


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command.

    Parameters
    ----------
    argv : sequence of str, default=None
        The arguments; by default those of the process.

    Returns
    -------
    status : int
        0 when all went well, 1 after an error (`predict`: also if an image could not
        be predicted), 130 after Ctrl-C.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    has_command = arguments[:1] in (["train"], ["predict"])
    command = arguments.pop(0) if has_command else "train"
    is_prediction = command == "predict"
    # Parsed before the heavy imports, so that help and mistakes come at once.
    parser = make_predict_parser() if is_prediction else make_parser()
    options = parser.parse_args(arguments)
    try:
        return _predict(options) if is_prediction else _train(options)
    except (ImportError, OSError, ValueError) as error:
        print(f"skmnist: error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("skmnist: interrupted; no further files are written", file=sys.stderr)
        return 130


def make_parser() -> argparse.ArgumentParser:
    """Make the parser of `train`, the command by default.

    Parameters of the classifier that are not given are not set: defaults stand once.
    """
    parser = argparse.ArgumentParser(
        prog="skmnist",
        usage="skmnist [train] [OPTION...]\n"
        "       skmnist predict MODEL IMAGE... [--json] [--trust]",
        description="train (the default): train a neural network on MNIST, evaluate it "
        "on the test images, and save the model, its history and three plots. "
        "predict: print the digit in each image file (skmnist predict --help).",
        argument_default=argparse.SUPPRESS,
    )
    parser.add_argument("--version", action="version", version=f"skmnist {__version__}")

    data = parser.add_argument_group("data")
    data.add_argument(
        "--data",
        choices=("auto", "mnist", "fashion-mnist", "kmnist", "digits"),
        default="auto",
        help="MNIST, Fashion-MNIST, KMNIST, or scikit-learn's bundled 8x8 digits; auto "
        "takes MNIST, or the digits if it is unavailable (default: auto)",
    )
    data.add_argument(
        "--data-home",
        metavar="DIR",
        default=None,
        help="where the data are kept (default: scikit-learn's data home)",
    )
    data.add_argument(
        "--output",
        metavar="DIR",
        type=Path,
        default=Path("skmnist-output"),
        help="where the results are written (default: skmnist-output)",
    )

    network = parser.add_argument_group(
        "network", "Options that are not given have the defaults of MNISTMLPClassifier."
    )
    network.add_argument(
        "--hidden-layer-sizes",
        metavar="N",
        type=int,
        nargs="*",
        action=_Collect,
        collect=tuple,
        help="units of each hidden layer; without a number, a linear model",
    )
    network.add_argument(
        "--activation", choices=ACTIVATIONS, help="activation of the hidden units"
    )
    network.add_argument(
        "--dropout",
        metavar="P",
        type=float,
        help="probability with which training sets a hidden unit to zero",
    )

    training = parser.add_argument_group("training")
    training.add_argument(
        "--optimizer", choices=OPTIMIZERS, help="how each step changes the weights"
    )
    training.add_argument(
        "--learning-rate", metavar="RATE", type=float, help="how much it changes them"
    )
    training.add_argument(
        "--optimizer-params",
        metavar="NAME=NUMBER",
        type=_name_and_number,
        nargs="+",
        action=_Collect,
        collect=dict,
        help="additional settings of the optimizer, such as momentum=0.9",
    )
    training.add_argument(
        "--batch-size", metavar="N", type=int, help="number of images in a step"
    )
    training.add_argument(
        "--max-epochs",
        metavar="N",
        type=int,
        help="number of passes over the training images",
    )
    training.add_argument(
        "--validation-split",
        metavar="FRACTION",
        type=float,
        help="fraction of the training images to validate on",
    )
    training.add_argument(
        "--early-stopping",
        action="store_true",
        help="stop when the monitor no longer improves, and keep the best weights",
    )
    training.add_argument(
        "--monitor",
        metavar="NAME",
        help="valid_loss, valid_accuracy or the name of a scorer of scikit-learn",
    )
    training.add_argument(
        "--patience",
        metavar="N",
        type=int,
        help="number of epochs without improvement before training stops",
    )
    training.add_argument(
        "--label-smoothing",
        metavar="SHARE",
        type=float,
        help="fraction of the true label's probability that all labels share",
    )
    training.add_argument(
        "--class-weight",
        choices=("balanced",),
        help="give all classes the same total weight",
    )
    training.add_argument(
        "--device", help="auto, cpu, cuda or mps: where the network is trained"
    )
    training.add_argument(
        "--random-state",
        metavar="SEED",
        type=int,
        help="seed of all random numbers; without it, each run is different",
    )
    training.add_argument(
        "--verbose",
        metavar="LEVEL",
        type=int,
        default=2,
        help="0: silent, 1: a line per epoch, 2: also a progress bar (default: 2)",
    )
    return parser


def make_predict_parser() -> argparse.ArgumentParser:
    """Make the parser of `predict`."""
    parser = argparse.ArgumentParser(
        prog="skmnist predict",
        description="Print the label of each image, and its probability. Images can be "
        "photos, scans and drawings of any size; they are centered like MNIST's.",
    )
    parser.add_argument(
        "model", metavar="MODEL", type=Path, help="a file written by save_model"
    )
    parser.add_argument(
        "images",
        metavar="IMAGE",
        type=Path,
        nargs="+",
        help="a PNG, JPEG or other file that Pillow reads",
    )
    parser.add_argument(
        "--json", action="store_true", help="print a JSON list of objects"
    )
    parser.add_argument(
        "--trust",
        action="store_true",
        help="also load a .joblib or pickle file, which runs the code that it contains",
    )
    return parser


def _train(options):
    from skmnist._training import run

    run(**vars(options))
    return 0


def _predict(options):
    from skmnist._prediction import format_predictions, predict_files, read_model

    model = read_model(options.model, options.trust)
    predictions, errors = predict_files(model, options.images)
    if predictions or options.json:
        print(format_predictions(predictions, options.json))
    for error in errors:
        print(f"skmnist: error: {error}", file=sys.stderr)
    return 1 if errors else 0


class _Collect(argparse.Action):
    def __init__(self, *args, collect, **kwargs):
        super().__init__(*args, **kwargs)
        self.collect = collect

    def __call__(self, parser, namespace, values, option_string=None):
        setattr(namespace, self.dest, self.collect(values))


def _name_and_number(text):
    name, separator, number = text.partition("=")
    try:
        if not (separator and name.isidentifier()):
            raise ValueError
        return name, float(number)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not of the form NAME=NUMBER, such as momentum=0.9"
        ) from None
