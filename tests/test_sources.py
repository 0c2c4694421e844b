"""Each data set: its facts, and what all sets have in common."""

import gzip
import importlib
import inspect
import re

import numpy as np
import pytest

from mirrors import DEAD, send, send_another_file, send_not_found, send_too_much
from skmnist import _sources, datasets, fetch_fashion_mnist, fetch_kmnist, fetch_mnist
from small_mnist import FIRST, describe, make_idx, start_process

FETCHERS = {
    "mnist": fetch_mnist,
    "fashion-mnist": fetch_fashion_mnist,
    "kmnist": fetch_kmnist,
}
NAMES = {"mnist": "MNIST", "fashion-mnist": "FASHION_MNIST", "kmnist": "KMNIST"}
each_set = pytest.mark.parametrize("folder", FETCHERS)


def fetch(folder, home, **parameters):
    """Ask each mirror once."""
    return FETCHERS[folder](data_home=home, **{"n_retries": 0, **parameters})


def contents(home):
    """Return the content of each file, by folder and name."""
    files = [path for path in home.rglob("*") if path.is_file()]
    return {path.relative_to(home).as_posix(): path.read_bytes() for path in files}


def in_folder(folder, files):
    return {f"{folder}/{name}": content for name, content in files.items()}


@each_set
def test_a_set_is_described_with_its_license_and_citation(folder):
    source = getattr(_sources, NAMES[folder])

    assert source.name == folder
    assert len(set(source.class_names)) == 10
    for words in ["Maximum intensity: 255", "License: ", "Reference: ", "60,000"]:
        assert words in source.description


def test_no_two_files_have_the_same_checksum():
    sources = [getattr(_sources, name) for name in NAMES.values()]
    facts = [each for source in sources for each in source.files.values()]

    assert len({checksum for _, checksum in facts}) == len(facts) == 12
    assert all(re.fullmatch("[0-9a-f]{64}", checksum) for _, checksum in facts)


@pytest.mark.parametrize("fetcher", [fetch_fashion_mnist, fetch_kmnist])
def test_all_fetchers_have_the_same_signature(fetcher):
    assert inspect.signature(fetcher) == inspect.signature(fetch_mnist)


@each_set
def test_each_set_has_its_own_folder(files, tmp_path, serve, folder):
    serve(send)

    images = fetch(folder, tmp_path, subset="all").images

    assert images.shape == (400, 28, 28)
    assert contents(tmp_path) == in_folder(folder, files)


@each_set
def test_the_kept_files_of_each_set_are_found(files, tmp_path, serve, folder):
    [mirror] = serve(send)
    expected = fetch(folder, tmp_path)
    mirror.asked.clear()

    found = fetch(folder, tmp_path, download_if_missing=False)

    np.testing.assert_array_equal(found.data, expected.data)
    np.testing.assert_array_equal(found.target, expected.target)
    assert mirror.asked == []


@each_set
def test_no_set_takes_the_files_of_another(tmp_path, serve, folder):
    serve(send)
    for other in FETCHERS.keys() - {folder}:
        fetch(other, tmp_path)

    with pytest.raises(OSError, match=f"{folder}.{FIRST} is missing"):
        fetch(folder, tmp_path, download_if_missing=False)


def test_target_names_are_the_names_of_the_labels(tmp_path, serve):
    serve(send)

    fashion, kmnist = (fetch(name, tmp_path) for name in ("fashion-mnist", "kmnist"))

    assert fashion.target_names[[0, 9]].tolist() == ["T-shirt/top", "Ankle boot"]
    assert kmnist.target_names[[0, 9]].tolist() == ["o", "wo"]
    assert "Zalando" in fashion.DESCR
    assert "CODH" in kmnist.DESCR


@each_set
@pytest.mark.parametrize("broken", [DEAD, send_not_found, send_another_file])
def test_the_mirrors_of_each_set_are_asked_in_turn(
    files, tmp_path, serve, folder, broken
):
    serve(broken, send)

    fetch(folder, tmp_path, subset="all")

    assert contents(tmp_path) == in_folder(folder, files)


@each_set
def test_a_wrong_checksum_is_refused_in_each_set(tmp_path, serve, folder):
    serve(send_another_file)

    with pytest.raises(OSError, match=f"{FIRST} could not .* from any mirror") as error:
        fetch(folder, tmp_path)

    assert "SHA-256 differs" in str(error.value)
    assert contents(tmp_path) == {}


@each_set
def test_a_killed_download_continues_with_what_is_missing(
    files, tmp_path, serve, folder
):
    def send_two_files(handler, content):
        if len(handler.server.asked) > 2:
            process.kill()
        send(handler, content)

    [mirror] = serve(send_two_files)
    script = f"datasets.{FETCHERS[folder].__name__}(data_home=home, subset='all')"
    process = start_process(script, tmp_path, mirror)
    process.communicate()
    assert len(contents(tmp_path)) == 2

    [mirror] = serve(send)
    fetch(folder, tmp_path, subset="all")

    assert len(mirror.asked) == 2
    assert contents(tmp_path) == in_folder(folder, files)


@pytest.mark.parametrize(
    ("folder", "below"),
    [("mnist", ""), ("fashion-mnist", "fashion-mnist/"), ("kmnist", "kmnist/")],
)
@pytest.mark.usefixtures("files")
def test_ones_own_mirror_serves_every_set(tmp_path, serve, monkeypatch, folder, below):
    paths = []

    def note(handler, content):
        paths.append(handler.path)
        send(handler, content)

    [own] = serve(note)
    monkeypatch.setenv("SKMNIST_MIRROR", own.url)

    fetch(folder, tmp_path)

    assert paths[0] == f"/mnist/{below}{FIRST}"


def test_an_error_names_the_place_of_a_file_in_ones_own_mirror(files, tmp_path):
    with pytest.raises(OSError, match=f"a folder that serves kmnist/{FIRST}"):
        fetch("kmnist", tmp_path)


@pytest.mark.parametrize(
    ("folder", "limit"), [("mnist", 12_394_906), ("fashion-mnist", 32_206_256)]
)
def test_what_a_mirror_may_send_follows_from_the_size_of_the_file(
    tmp_path, serve, monkeypatch, peak_memory, folder, limit
):
    [mirror] = serve(send_too_much)
    source = getattr(_sources, NAMES[folder])._replace(mirrors=(mirror.url,))
    monkeypatch.setattr(datasets, NAMES[folder], source)
    importlib.import_module("pooch")  # whose memory does not count

    with (
        peak_memory() as peak,
        pytest.raises(OSError, match=f"sent more than {limit} bytes"),
    ):
        fetch(folder, tmp_path)

    assert peak.megabytes < 50


def test_a_set_of_the_real_shape_is_downloaded(files, tmp_path, serve, replace_source):
    [mirror] = serve(send)
    images, labels = np.zeros((60_000, 28, 28)), np.arange(60_000) % 10
    for kind, values in [("images-idx3", images), ("labels-idx1", labels)]:
        files[f"train-{kind}-ubyte.gz"] = gzip.compress(make_idx(values), 1)
    replace_source(files=describe(files))

    fashion = fetch("fashion-mnist", tmp_path)

    assert fashion.images.shape == (60_000, 28, 28)
    assert np.bincount(fashion.target).tolist() == [6_000] * 10
    assert sorted(mirror.asked) == sorted(name for name in files if "train" in name)
