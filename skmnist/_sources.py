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

FASHION_MNIST = Source(
    name="fashion-mnist",
    # The official mirror, without TLS, comes last.
    mirrors=(
        "https://storage.googleapis.com/tensorflow/tf-keras-datasets/",
        "https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion/",
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
    ),
    files={
        "train-images-idx3-ubyte.gz": (
            26_421_880,
            "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
        ),
        "train-labels-idx1-ubyte.gz": (
            29_515,
            "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
        ),
        "t10k-images-idx3-ubyte.gz": (
            4_422_102,
            "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
        ),
        "t10k-labels-idx1-ubyte.gz": (
            5_148,
            "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
        ),
    },
    class_names=(
        "T-shirt/top",
        "Trouser",
        "Pullover",
        "Dress",
        "Coat",
        "Sandal",
        "Shirt",
        "Sneaker",
        "Bag",
        "Ankle boot",
    ),
    description="""\
Fashion-MNIST articles of clothing
----------------------------------

Images of articles from Zalando's shop, centered, in shades of gray.

:Training images: 60,000
:Test images: 10,000
:Size of an image: 28 rows x 28 columns, 784 pixels
:Classes: 10: T-shirt/top, Trouser, Pullover, Dress, Coat, Sandal, Shirt, Sneaker,
    Bag, Ankle boot
:Maximum intensity: 255 (article); 0 is the background
:Creators: Han Xiao, Kashif Rasul, Roland Vollgraf
:Source: https://github.com/zalandoresearch/fashion-mnist, through mirrors
:License: MIT, (c) 2017 Zalando SE

Reference: H. Xiao, K. Rasul, R. Vollgraf (2017). Fashion-MNIST: a novel image dataset
for benchmarking machine learning algorithms. arXiv:1708.07747.
""",
)

KMNIST = Source(
    name="kmnist",
    # The official mirror, without TLS, comes last: it has been down since March 2026.
    mirrors=(
        "https://storage.googleapis.com/s4tf-hosted-binaries/datasets/KMNIST/",
        "http://codh.rois.ac.jp/kmnist/dataset/kmnist/",
    ),
    # As they were issued anew on 2019-02-05.
    files={
        "train-images-idx3-ubyte.gz": (
            18_165_135,
            "51467d22d8cc72929e2a028a0428f2086b092bb31cfb79c69cc0a90ce135fde4",
        ),
        "train-labels-idx1-ubyte.gz": (
            29_497,
            "e38f9ebcd0f3ebcdec7fc8eabdcdaef93bb0df8ea12bee65224341c8183d8e17",
        ),
        "t10k-images-idx3-ubyte.gz": (
            3_041_136,
            "edd7a857845ad6bb1d0ba43fe7e794d164fe2dce499a1694695a792adfac43c5",
        ),
        "t10k-labels-idx1-ubyte.gz": (
            5_120,
            "20bb9a0ef54c7db3efc55a92eef5582c109615df22683c380526788f98e42a1c",
        ),
    },
    class_names=("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"),
    description="""\
KMNIST handwritten characters
-----------------------------

Images of cursive Japanese characters (hiragana in kuzushiji) from old books, centered,
in shades of gray.

:Training images: 60,000
:Test images: 10,000
:Size of an image: 28 rows x 28 columns, 784 pixels
:Classes: 10: o, ki, su, tsu, na, ha, ma, ya, re, wo
:Maximum intensity: 255 (ink); 0 is the background
:Creators: Center for Open Data in the Humanities (CODH)
:Source: http://codh.rois.ac.jp/kmnist/, through mirrors
:License: CC BY-SA 4.0: "KMNIST Dataset" (created by CODH), adapted from "Kuzushiji
    Dataset" (created by NIJL and others), doi:10.20676/00000341

Reference: T. Clanuwat, M. Bober-Irizar, A. Kitamoto, A. Lamb, K. Yamamoto, D. Ha
(2018). Deep learning for classical Japanese literature. arXiv:1812.01718.
""",
)
