"""What the data sets are: their files, mirrors, classes and descriptions."""

from __future__ import annotations

from typing import NamedTuple


class Source(NamedTuple):
    """The facts of a data set, of which `files` has sizes in bytes and SHA-256.

    `name` is its folder in the data home, and below one's own mirror.
    """

    name: str
    mirrors: tuple[str, ...]
    files: dict[str, tuple[int, str]]
    class_names: tuple[str, ...]
    description: str


MNIST = Source(
    name="mnist",
    mirrors=(
        "https://storage.googleapis.com/cvdf-datasets/mnist/",
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
        "https://raw.githubusercontent.com/fgnt/mnist/master/",
    ),
    files={
        "train-images-idx3-ubyte.gz": (
            9_912_422,
            "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
        ),
        "train-labels-idx1-ubyte.gz": (
            28_881,
            "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
        ),
        "t10k-images-idx3-ubyte.gz": (
            1_648_877,
            "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
        ),
        "t10k-labels-idx1-ubyte.gz": (
            4_542,
            "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
        ),
    },
    class_names=("0", "1", "2", "3", "4", "5", "6", "7", "8", "9"),
    description="""\
MNIST handwritten digits
------------------------

Images of handwritten digits, centered, in shades of gray.

:Training images: 60,000
:Test images: 10,000
:Size of an image: 28 rows x 28 columns, 784 pixels
:Classes: 10, the digits 0 to 9
:Maximum intensity: 255 (ink); 0 is the background
:Creators: Yann LeCun, Corinna Cortes, Christopher J.C. Burges
:Source: http://yann.lecun.com/exdb/mnist/, through mirrors
:License: CC BY-SA 3.0

Reference: Y. LeCun, L. Bottou, Y. Bengio, P. Haffner (1998). Gradient-based learning
applied to document recognition. Proceedings of the IEEE, 86(11), 2278-2324.
""",
)
