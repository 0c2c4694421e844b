"""Files that are written whole or not at all."""

import pytest

from skmnist._files import whole_file


def write(path, content, error=None):
    with whole_file(path) as part:
        part.write_bytes(content)
        if error is not None:
            raise error


def test_a_file_is_there_when_it_is_whole(tmp_path):
    path = tmp_path / "model"

    with whole_file(path) as part:
        part.write_bytes(b"new")
        assert not path.exists()

    assert path.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt])
def test_a_write_that_fails_leaves_the_file_before_and_nothing_else(tmp_path, error):
    path = tmp_path / "model"
    write(path, b"old")

    with pytest.raises(error):
        write(path, b"half", error)

    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_two_that_write_at_once_do_not_meet(tmp_path):
    path = tmp_path / "model"

    with whole_file(path) as part, whole_file(path) as other:
        part.write_bytes(b"one")
        other.write_bytes(b"two")

    assert path.read_bytes() == b"one"
    assert list(tmp_path.iterdir()) == [path]
