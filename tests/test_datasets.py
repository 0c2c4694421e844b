import errno
import gzip
import hashlib
import json
import math
import os
import random
import struct
import subprocess
import sys
import threading
import time
import tracemalloc
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal

from mirrors import (
    Mirror,
    another_file,
    send,
    send_another_file,
    send_broken_chunks,
    send_byte_by_byte,
    send_half,
    send_half_and_stall,
    send_no_http,
    send_not_found,
    send_nothing,
    send_too_much,
)
from skmnist import datasets, fetch_mnist
from skmnist.datasets import parse_idx

FIRST = "train-images-idx3-ubyte.gz"
NAMES = sorted(datasets.CHECKSUMS)
# Nothing listens on the discard port.
DEAD = "http://127.0.0.1:9/"

TRAIN_COUNTS = [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
TEST_COUNTS = [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]


def make_idx(values):
    header = struct.pack(f">{values.ndim + 1}I", 2048 + values.ndim, *values.shape)
    return header + values.astype(np.uint8).tobytes()


def make_files():
    rng = np.random.default_rng(0)
    files = {}
    for part, n_samples in [("train", 300), ("t10k", 100)]:
        images = rng.integers(256, size=(n_samples, 28, 28))
        labels = rng.integers(10, size=n_samples)
        files[f"{part}-images-idx3-ubyte.gz"] = gzip.compress(make_idx(images))
        files[f"{part}-labels-idx1-ubyte.gz"] = gzip.compress(make_idx(labels))
    return files


def make_checksums(files):
    return {name: hashlib.sha256(files[name]).hexdigest() for name in files}


@pytest.fixture
def files(monkeypatch):
    """Small files in MNIST's place, which no mirror has; no setting is in the way."""
    files = make_files()
    monkeypatch.setattr(datasets, "CHECKSUMS", make_checksums(files))
    monkeypatch.setattr(datasets, "MIRRORS", (DEAD,))
    for name in list(os.environ):
        if name == "SKMNIST_MIRROR" or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    return files


@pytest.fixture
def serve(files, monkeypatch):
    """Start a mirror for each answer, or take its address, and ask them in turn."""
    mirrors = []

    def serve(*answers):
        started = [Mirror(files, answer) for answer in answers if answer != DEAD]
        mirrors.extend(started)
        urls = iter([mirror.url for mirror in started])
        addresses = [DEAD if answer == DEAD else next(urls) for answer in answers]
        monkeypatch.setattr(datasets, "MIRRORS", tuple(addresses))
        return started

    yield serve
    for mirror in mirrors:
        mirror.close()


@pytest.fixture
def short_limits(monkeypatch):
    monkeypatch.setattr(datasets, "CONNECTION_TIMEOUT", 0.3)
    monkeypatch.setattr(datasets, "DOWNLOAD_TIME_LIMIT", 0.5)
    monkeypatch.setattr(datasets, "DOWNLOAD_SIZE_LIMIT", 1_000_000)


def fetch(home, **parameters):
    """Ask each mirror once."""
    return fetch_mnist(data_home=home, **{"n_retries": 0, **parameters})


def fill(home, files):
    (home / "mnist").mkdir(parents=True)
    for name in files:
        (home / "mnist" / name).write_bytes(files[name])


def contents(home):
    return {path.name: path.read_bytes() for path in (home / "mnist").iterdir()}


def assert_is_original(mnist, files, part="train"):
    images = gzip.decompress(files[f"{part}-images-idx3-ubyte.gz"])[16:]
    labels = gzip.decompress(files[f"{part}-labels-idx1-ubyte.gz"])[8:]
    assert mnist.data.tobytes() == images
    assert mnist.target.tolist() == list(labels)


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


def test_missing_files_are_downloaded_and_kept(files, tmp_path, serve):
    [mirror] = serve(send)

    mnist = fetch(tmp_path, subset="all")

    assert len(mnist.data) == 400
    assert sorted(mirror.asked) == NAMES
    assert contents(tmp_path) == files


def test_kept_files_are_not_asked_for_again(files, tmp_path, serve):
    [mirror] = serve(send)
    fetch(tmp_path)
    mirror.asked.clear()

    assert_is_original(fetch(tmp_path), files)

    assert mirror.asked == []


def test_only_the_files_of_the_subset_are_asked_for(files, tmp_path, serve):
    [mirror] = serve(send)

    assert_is_original(fetch(tmp_path, subset="test"), files, "t10k")

    assert sorted(mirror.asked) == [name for name in NAMES if name.startswith("t10k")]


def test_a_wrong_checksum_goes_to_the_next_mirror(files, tmp_path, serve):
    wrong, sound = serve(send_another_file, send)

    assert_is_original(fetch(tmp_path), files)

    assert len(wrong.asked) == len(sound.asked) == 2


def test_a_dead_mirror_goes_to_the_next(files, tmp_path, serve):
    serve(DEAD, send)

    assert_is_original(fetch(tmp_path), files)


FAILURES = [
    (send_another_file, "SHA-256 differs"),
    (send_half, "SHA-256 differs"),
    (send_nothing, "closed connection"),
    (send_not_found, "404"),
    (send_no_http, "mail server"),
    (send_broken_chunks, "IncompleteRead"),
    (send_half_and_stall, "timed out"),
    (send_byte_by_byte, "not done after 0.5 seconds"),
    (send_too_much, "sent more than 1000000 bytes"),
]


@pytest.mark.usefixtures("short_limits")
@pytest.mark.parametrize("answer", [answer for answer, _ in FAILURES])
def test_any_failure_goes_to_the_next_mirror(files, tmp_path, serve, answer):
    broken, sound = serve(answer, send)

    assert_is_original(fetch(tmp_path), files)

    assert len(broken.asked) == len(sound.asked) == 2


@pytest.mark.usefixtures("short_limits")
@pytest.mark.parametrize(("answer", "reason"), FAILURES)
def test_a_failure_is_told_and_leaves_nothing_behind(tmp_path, serve, answer, reason):
    serve(answer)

    with pytest.raises(OSError, match=f"{FIRST} could not .* from any mirror") as error:
        fetch(tmp_path)

    assert reason in str(error.value)
    assert contents(tmp_path) == {}


@pytest.mark.usefixtures("short_limits")
@pytest.mark.parametrize("answer", [send_half_and_stall, send_byte_by_byte])
def test_a_slow_mirror_is_left_in_time(tmp_path, serve, answer):
    serve(answer)
    start = time.monotonic()

    with pytest.raises(OSError, match="from any mirror"):
        fetch(tmp_path)

    assert time.monotonic() - start < 3


def test_no_mirror_is_asked_after_the_one_that_has_the_file(tmp_path, serve):
    _, second = serve(send, send)

    fetch(tmp_path)

    assert second.asked == []


@pytest.mark.usefixtures("files")
def test_without_a_network_one_error_says_what_to_do(tmp_path):
    with pytest.raises(OSError, match="could not be downloaded") as error:
        fetch(tmp_path)

    for part in [FIRST, DEAD, "SKMNIST_MIRROR", str(tmp_path / "mnist")]:
        assert part in str(error.value)


def test_the_mirrors_are_asked_again_with_longer_and_longer_waits(
    tmp_path, serve, monkeypatch
):
    mirrors = serve(send_not_found, send_not_found)
    waits = []
    monkeypatch.setattr("time.sleep", waits.append)

    with pytest.raises(OSError, match="404"):
        fetch(tmp_path, n_retries=3, delay=0.5)

    assert waits == [0.5, 1.0, 2.0]
    assert [mirror.asked for mirror in mirrors] == [[FIRST] * 4] * 2


def test_a_mirror_that_recovers_is_used(files, tmp_path, serve):
    def send_at_the_third_time(handler, content):
        answer = send if len(handler.server.asked) > 2 else send_not_found
        answer(handler, content)

    serve(send_at_the_third_time)

    assert_is_original(fetch(tmp_path, n_retries=2, delay=0), files)


@pytest.mark.parametrize("slashes", ["", "/", "//"])
def test_ones_own_mirror_is_asked_first(files, tmp_path, serve, monkeypatch, slashes):
    other, own = serve(send, send)
    monkeypatch.setenv("SKMNIST_MIRROR", own.url.rstrip("/") + slashes)

    assert_is_original(fetch(tmp_path), files)

    assert len(own.asked) == 2
    assert other.asked == []


def test_the_others_are_asked_where_ones_own_mirror_fails(
    files, tmp_path, serve, monkeypatch
):
    serve(send)
    monkeypatch.setenv("SKMNIST_MIRROR", DEAD)

    assert_is_original(fetch(tmp_path), files)


def test_a_mirror_in_both_places_is_asked_once(tmp_path, serve, monkeypatch):
    [mirror] = serve(send_not_found)
    monkeypatch.setenv("SKMNIST_MIRROR", mirror.url)

    with pytest.raises(OSError, match="404"):
        fetch(tmp_path)

    assert mirror.asked == [FIRST]


def test_a_blank_address_is_no_mirror(files, tmp_path, serve, monkeypatch):
    serve(send)
    monkeypatch.setenv("SKMNIST_MIRROR", " ")

    assert_is_original(fetch(tmp_path), files)


@pytest.mark.usefixtures("files")
@pytest.mark.parametrize("address", ["a.org", "file:///etc", "http://", "ftp://a.org"])
def test_an_address_that_is_not_http_is_refused(tmp_path, monkeypatch, address):
    monkeypatch.setenv("SKMNIST_MIRROR", address)

    with pytest.raises(ValueError, match=f"SKMNIST_MIRROR='{address}' is not"):
        fetch(tmp_path)


@pytest.mark.parametrize(
    "address",
    ["http://[", "http://a b", "http://a..b", "http://a:b", "http://\N{BULLET}"],
)
def test_a_malformed_address_goes_to_the_next_mirror(
    files, tmp_path, serve, monkeypatch, address
):
    serve(send)
    monkeypatch.setenv("SKMNIST_MIRROR", address)

    assert_is_original(fetch(tmp_path), files)


def test_a_proxy_is_taken_from_the_environment(files, tmp_path, serve, monkeypatch):
    [proxy] = serve(send)
    monkeypatch.setattr(datasets, "MIRRORS", ("http://name.invalid/mnist/",))
    monkeypatch.setenv("http_proxy", proxy.url)

    assert_is_original(fetch(tmp_path), files)


DAMAGES = {
    "truncated": lambda content: content[: len(content) // 2],
    "flipped": lambda content: content[:99] + bytes([content[99] ^ 1]) + content[100:],
    "replaced": another_file,
    "empty": lambda content: b"",
    "deleted": lambda content: None,
}


@pytest.fixture(params=DAMAGES)
def damaged(request, files, tmp_path):
    """A data home in which one file is no longer what it was."""
    fill(tmp_path, files)
    path = tmp_path / "mnist" / FIRST
    content = DAMAGES[request.param](files[FIRST])
    path.unlink() if content is None else path.write_bytes(content)
    return tmp_path


def test_a_damaged_file_is_downloaded_again(damaged, files, serve):
    [mirror] = serve(send)

    assert_is_original(fetch(damaged), files)

    assert mirror.asked == [FIRST]
    assert contents(damaged) == files


def test_a_damaged_file_stays_as_it_is_without_a_network(damaged):
    before = contents(damaged)

    with pytest.raises(OSError, match=f"{FIRST} could not be downloaded"):
        fetch(damaged)

    assert contents(damaged) == before


def test_a_damaged_file_is_named_where_downloading_is_forbidden(damaged, serve):
    [mirror] = serve(send)

    with pytest.raises(OSError, match=f"{FIRST} is (missing|corrupt)") as error:
        fetch(damaged, download_if_missing=False)

    assert "download_if_missing=True" in str(error.value)
    assert mirror.asked == []


def test_a_file_that_vanishes_after_its_download_is_named(tmp_path, serve, monkeypatch):
    serve(send)
    monkeypatch.setattr("pooch.retrieve", lambda *args, **kwargs: None)

    with pytest.raises(OSError, match=f"{FIRST} is missing"):
        fetch(tmp_path)


# A file in the folder's place stops root too, who runs the tests in a container.
@pytest.mark.parametrize("place", ["home", "home/mnist"])
def test_a_folder_that_cannot_be_made_is_told_before_any_mirror_is_asked(
    tmp_path, serve, place
):
    [mirror] = serve(send)
    (tmp_path / place).parent.mkdir(exist_ok=True)
    (tmp_path / place).write_text("not a folder")

    with pytest.raises(OSError, match="cannot be made, read or written") as error:
        fetch(tmp_path / "home")

    assert str(tmp_path / place) in str(error.value)
    assert "SCIKIT_LEARN_DATA" in str(error.value)
    assert mirror.asked == []


def test_a_read_only_folder_is_told_before_any_mirror_is_asked(
    tmp_path, serve, monkeypatch
):
    def refuse(**kwargs):
        raise OSError(errno.EROFS, "Read-only file system")

    [mirror] = serve(send)
    monkeypatch.setattr("tempfile.TemporaryFile", refuse)

    with pytest.raises(OSError, match=f"{FIRST} cannot be .*Read-only file system"):
        fetch(tmp_path)

    assert mirror.asked == []


def test_a_file_that_cannot_be_read_is_named(files, tmp_path):
    (tmp_path / "mnist" / FIRST).mkdir(parents=True)

    with pytest.raises(OSError, match=f"{FIRST} cannot be made, read or written"):
        fetch(tmp_path)


def test_a_full_disk_is_not_taken_for_a_dead_mirror(tmp_path, serve, monkeypatch):
    def write_half(path, content):
        with path.open("wb") as file:
            file.write(content[: len(content) // 2])
        raise OSError(errno.ENOSPC, "No space left on device")

    [mirror] = serve(send)
    monkeypatch.setattr(Path, "write_bytes", write_half)

    with pytest.raises(OSError, match=f"{FIRST} cannot be .*No space left on device"):
        fetch(tmp_path)

    assert mirror.asked == [FIRST]
    assert contents(tmp_path) == {}


def start_process(script, home, mirror):
    """Start a process that has the small files' checksums, one mirror and the home."""
    setting = (
        "import json, os, sys\n"
        "from pathlib import Path\n"
        "from skmnist import datasets\n"
        "home, checksums = sys.argv[1], json.loads(sys.argv[2])\n"
        "datasets.MIRRORS, datasets.CHECKSUMS = (sys.argv[3],), checksums\n"
    )
    arguments = [str(home), json.dumps(datasets.CHECKSUMS), mirror.url]
    return subprocess.Popen(
        [sys.executable, "-c", setting + script, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )


def test_two_processes_may_fetch_at_once(files, tmp_path, serve):
    both = threading.Barrier(2, timeout=60)

    def send_first_to_both(handler, content):
        if handler.path.endswith(FIRST):
            both.wait()
        send(handler, content)

    [mirror] = serve(send_first_to_both)
    script = "print(datasets.fetch_mnist(data_home=home, n_retries=0).data.sum())"
    processes = [start_process(script, tmp_path, mirror) for _ in range(2)]
    sums = [int(process.communicate()[0]) for process in processes]

    assert sums == [fetch(tmp_path).data.sum()] * 2
    assert contents(tmp_path).keys() == {name for name in files if "train" in name}


FETCH_OVER_OLD_FILES = """
print("ready", flush=True)
while True:
    for name in checksums:
        Path(home, "old").write_bytes(b"old")
        os.replace(Path(home, "old"), Path(home, "mnist", name))
    datasets.fetch_mnist(data_home=home, subset="all")
"""


def test_a_process_killed_at_any_moment_leaves_whole_files(files, tmp_path, serve):
    [mirror] = serve(send)
    homes = [tmp_path / str(seed) for seed in range(3)]
    for home in homes:
        fill(home, dict.fromkeys(files, b"old"))
    processes = [start_process(FETCH_OVER_OLD_FILES, home, mirror) for home in homes]
    for process, moment in zip(processes, [0.05, 0.1, 0.2], strict=True):
        assert process.stdout.readline() == "ready\n"
        time.sleep(moment)
        process.kill()
        process.communicate()

    kept = [(name, contents(home)[name]) for home in homes for name in files]
    assert all(content in (b"old", files[name]) for name, content in kept)


def test_a_process_killed_while_it_writes_leaves_the_old_file(files, tmp_path, serve):
    script = (
        "def write_half(path, content):\n"
        "    with path.open('wb') as file:\n"
        "        file.write(content[:len(content) // 2])\n"
        "    os._exit(9)\n"
        "Path.write_bytes = write_half\n"
        "datasets.fetch_mnist(data_home=home)\n"
    )
    [mirror] = serve(send)
    fill(tmp_path, {FIRST: b"old"})

    assert start_process(script, tmp_path, mirror).wait() == 9

    assert contents(tmp_path)[FIRST] == b"old"
    assert_is_original(fetch(tmp_path), files)


def parse_kept(content, home, monkeypatch):
    """Fetch with this in a file's place, its checksum made to fit."""
    checksums = datasets.CHECKSUMS | make_checksums({FIRST: content})
    monkeypatch.setattr(datasets, "CHECKSUMS", checksums)
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
    files, tmp_path, monkeypatch, content, problem
):
    fill(tmp_path, files)

    with pytest.raises(ValueError, match=f"{FIRST} {problem}"):
        parse_kept(content, tmp_path, monkeypatch)


def test_a_small_file_cannot_decompress_to_a_large_one(files, tmp_path, monkeypatch):
    bomb = gzip.compress(bytes(30_000_000))
    fill(tmp_path, files)
    monkeypatch.setattr(datasets, "CONTENT_SIZE_LIMIT", 1_000_000)
    tracemalloc.start()

    with pytest.raises(ValueError, match="more than 1000000 bytes"):
        parse_kept(bomb, tmp_path, monkeypatch)

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
