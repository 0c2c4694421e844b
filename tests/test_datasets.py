import gzip
import math
import random
import struct
import tracemalloc

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal

from skmnist import _idx, datasets, fetch_mnist
from skmnist._idx import parse_idx
from small_mnist import FIRST, describe, fetch, fill, make_idx

TRAIN_COUNTS = [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
TEST_COUNTS = [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]


def test_training_and_test_images_have_their_sizes(mnist):
    X_train, y_train, X_test, y_test = mnist

    assert X_train.shape == (60_000, 784)
    assert X_test.shape == (10_000, 784)
    assert X_train.dtype == X_test.dtype == np.uint8
    assert y_train.dtype == y_test.dtype == np.int64
    assert X_train.max() == X_test.max() == 255


def test_each_digit_comes_as_often_as_it_should(mnist):
    _, y_train, _, y_test = mnist

    assert np.bincount(y_train).tolist() == TRAIN_COUNTS
    assert np.bincount(y_test).tolist() == TEST_COUNTS


def test_all_is_training_and_then_test(mnist, data_home):
    X_train, y_train, X_test, y_test = mnist

    X, y = fetch_mnist(subset="all", data_home=data_home, return_X_y=True)

    assert X.shape == (70_000, 784)
    assert_array_equal(X[:60_000], X_train)
    assert_array_equal(X[60_000:], X_test)
    assert_array_equal(y, np.concatenate([y_train, y_test]))


def test_the_default_is_the_training_subset(mnist, data_home):
    _, y_train, _, _ = mnist

    assert_array_equal(fetch_mnist(data_home=data_home).target, y_train)


def test_reading_changes_nothing_in_the_folder(data_home):
    def look():
        paths = sorted((data_home / "mnist").iterdir())
        stats = [path.stat() for path in paths]
        return paths, [(stat.st_ino, stat.st_size, stat.st_mtime_ns) for stat in stats]

    before = look()
    fetch_mnist(subset="all", data_home=data_home, download_if_missing=False)

    assert look() == before


def test_the_data_home_of_scikit_learn_is_the_default(data_home, monkeypatch):
    monkeypatch.setenv("SCIKIT_LEARN_DATA", str(data_home))

    mnist = fetch_mnist(subset="test", download_if_missing=False)

    assert mnist.data.shape == (10_000, 784)


def test_images_are_a_view_of_data(files, tmp_path):
    fill(tmp_path, files)

    mnist = fetch(tmp_path)

    assert mnist.images.shape == (300, 28, 28)
    assert np.shares_memory(mnist.images, mnist.data)
    assert_array_equal(mnist.images.reshape(300, 784), mnist.data)


@pytest.mark.parametrize("subset", ["train", "all"])
def test_the_arrays_may_be_written_to(files, tmp_path, subset):
    fill(tmp_path, files)

    mnist = fetch(tmp_path, subset=subset)

    assert mnist.data.flags.writeable
    assert mnist.data.flags.c_contiguous
    assert mnist.target.flags.writeable


def test_return_X_y_gives_data_and_target(files, tmp_path):
    fill(tmp_path, files)
    mnist = fetch(tmp_path)

    X, y = fetch(tmp_path, return_X_y=True)

    assert_array_equal(X, mnist.data)
    assert_array_equal(y, mnist.target)


def test_the_bunch_names_features_and_classes(files, tmp_path):
    fill(tmp_path, files)

    mnist = fetch(tmp_path)

    assert len(mnist.feature_names) == len(set(mnist.feature_names)) == 784
    assert mnist.feature_names[28 * 2 + 5] == "pixel_2_5"
    assert mnist.target_names.tolist() == [str(digit) for digit in range(10)]
    assert "Maximum intensity: 255" in mnist.DESCR
    assert mnist.frame is None


def test_as_frame_gives_pandas(files, tmp_path):
    fill(tmp_path, files)
    arrays = fetch(tmp_path)

    mnist = fetch(tmp_path, as_frame=True)

    assert isinstance(mnist.target, pd.Series)
    assert mnist.target.name == "target"
    assert_array_equal(mnist.data.to_numpy(), arrays.data)
    assert list(mnist.data.columns) == mnist.feature_names
    assert list(mnist.frame.columns) == [*mnist.feature_names, "target"]
    assert_array_equal(mnist.frame["target"], arrays.target)


def test_as_frame_with_return_X_y_gives_pandas(files, tmp_path):
    fill(tmp_path, files)

    X, y = fetch(tmp_path, as_frame=True, return_X_y=True)

    assert isinstance(X, pd.DataFrame)
    assert isinstance(y, pd.Series)


@pytest.mark.parametrize(
    "parameters",
    [
        {"subset": "validation"},
        {"subset": None},
        {"n_retries": -1},
        {"n_retries": 1.5},
        {"n_retries": True},
        {"delay": -1.0},
        {"delay": float("nan")},
        {"delay": float("inf")},
        {"delay": "1"},
    ],
    ids=repr,
)
def test_a_wrong_parameter_is_named_with_its_value(tmp_path, parameters):
    [(name, value)] = parameters.items()

    with pytest.raises(ValueError, match=f"{name}={value!r} is not"):
        fetch(tmp_path, **parameters)


def test_a_file_that_cannot_be_read_is_named(files, tmp_path):
    (tmp_path / "mnist" / FIRST).mkdir(parents=True)

    with pytest.raises(OSError, match=f"{FIRST} cannot be made, read or written"):
        fetch(tmp_path)


def parse_kept(content, home, replace_source):
    """Fetch with this in a file's place, its checksum made to fit."""
    replace_source(files=datasets.MNIST.files | describe({FIRST: content}))
    (home / "mnist" / FIRST).write_bytes(content)
    return fetch(home, download_if_missing=False)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"no gzip", "is not a gzip file"),
        (gzip.compress(bytes(999))[:-9], "is truncated"),
        (gzip.compress(bytes(999))[:-8] + bytes(8), "is not a gzip file"),
        (gzip.compress(b"no idx"), "is not an IDX file"),
    ],
    ids=["no gzip", "cut off", "wrong checksum", "no idx"],
)
def test_a_file_that_is_not_mnist_is_refused_though_its_checksum_fits(
    files, tmp_path, replace_source, content, problem
):
    fill(tmp_path, files)

    with pytest.raises(ValueError, match=f"{FIRST} {problem}"):
        parse_kept(content, tmp_path, replace_source)


def test_a_small_file_cannot_decompress_to_a_large_one(
    files, tmp_path, replace_source, monkeypatch
):
    bomb = gzip.compress(bytes(30_000_000))
    fill(tmp_path, files)
    monkeypatch.setattr(_idx, "CONTENT_SIZE_LIMIT", 1_000_000)
    tracemalloc.start()

    with pytest.raises(ValueError, match="more than 1000000 bytes"):
        parse_kept(bomb, tmp_path, replace_source)

    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 5_000_000


@pytest.mark.parametrize("shape", [(7,), (3, 4, 5), (1, 1, 1)])
def test_an_idx_file_gives_its_values(shape):
    values = np.arange(math.prod(shape), dtype=np.uint8).reshape(shape)

    parsed = parse_idx(make_idx(values), "file")

    assert parsed.dtype == np.uint8
    assert_array_equal(parsed, values, strict=True)


def test_an_idx_file_is_not_copied():
    content = make_idx(np.ones((2, 3, 4)))

    assert np.shares_memory(parse_idx(content, "f"), np.frombuffer(content, np.uint8))


HUGE = 2**32 - 1


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "begins with b''"),
        (b"\x08\x01", "begins with"),
        (b"\0\0\x0d\x03" + bytes(20), "begins with"),
        (struct.pack(">I", 2049), "ends after 4 bytes, within its header of 8"),
        (struct.pack(">III", 2051, 1, 1), "ends after 12 bytes"),
        (struct.pack(">II", 2049, 2) + b"?", "has 1 values"),
        (struct.pack(">II", 2049, 2) + b"???", "has 3 values"),
        (struct.pack(">II", 2049, 0), "is empty"),
        (struct.pack(">IIII", 2051, HUGE, HUGE, 0), "is empty"),
        # NumPy would count these as 2**96 values, or as none where int64 overflows.
        (struct.pack(">IIII", 2051, HUGE, HUGE, HUGE) + b"?", "has 1 values"),
        (struct.pack(">IIII", 2051, 2**31, 2**31, 4), "has 0 values"),
    ],
    ids=range(11),
)
def test_a_hostile_idx_file_is_refused_and_allocates_nothing(content, problem):
    tracemalloc.start()

    with pytest.raises(ValueError, match=f"^the-name.*{problem}"):
        parse_idx(content, "the-name")

    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 100_000


def mutate(content, rng):
    content = bytearray(content)
    place = rng.randrange(len(content))
    match rng.randrange(5):
        case 0:
            del content[place:]
        case 1:
            content[place] ^= 1 << rng.randrange(8)
        case 2:
            content[place % 16] = rng.randrange(256)
        case 3:
            number = rng.choice([0, 1, 2, 12, 2049, 2051, 2**16, 2**31, HUGE])
            struct.pack_into(">I", content, place % 4 * 4, number)
        case 4:
            content += rng.randbytes(rng.randrange(1, 9))
    return bytes(content)


def test_a_mutated_idx_file_is_read_right_or_refused():
    rng = random.Random(0)
    originals = [make_idx(np.arange(24).reshape(2, 3, 4)), make_idx(np.arange(24))]
    n_read = 0
    for _ in range(5000):
        content = mutate(rng.choice(originals), rng)
        try:
            values = parse_idx(content, "file")
        except ValueError as error:
            assert str(error).startswith("file ")  # noqa: PT017
        else:
            assert make_idx(values) == content
            n_read += 1
    assert 500 < n_read < 4500
