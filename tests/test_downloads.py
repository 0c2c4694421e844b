import errno
import gzip
import io
import socket
import sys
import threading
import time
from pathlib import Path

import pytest

from mirrors import (
    DEAD,
    another_file,
    dribble_chunk_extension,
    dribble_continue,
    dribble_headers,
    dribble_trailers,
    redirect_far,
    redirect_once_with_endless_body,
    redirect_slowly,
    redirect_to_ftp,
    redirect_to_no_port,
    redirect_with_endless_body,
    send,
    send_another_file,
    send_broken_chunks,
    send_byte_by_byte,
    send_half,
    send_half_and_stall,
    send_large_headers,
    send_no_http,
    send_not_found,
    send_nothing,
    send_too_much,
)
from skmnist import _cache, _download, datasets
from small_mnist import FIRST, fetch, fill, start_process

NAMES = sorted(datasets.MNIST.files)


@pytest.fixture
def short_time(monkeypatch):
    monkeypatch.setattr(_download, "TIME_LIMIT", 0.5)


@pytest.fixture
def small_sizes(files, replace_source, monkeypatch):
    # 1,000,000 with a fifth more and the headers.
    sizes = {name: (791_667, datasets.MNIST.files[name][1]) for name in files}
    replace_source(files=sizes)
    monkeypatch.setattr(_download, "HEADERS_LIMIT", 50_000)


def contents(home):
    return {path.name: path.read_bytes() for path in (home / "mnist").iterdir()}


def assert_is_original(mnist, files, part="train"):
    images = gzip.decompress(files[f"{part}-images-idx3-ubyte.gz"])[16:]
    labels = gzip.decompress(files[f"{part}-labels-idx1-ubyte.gz"])[8:]
    assert mnist.data.tobytes() == images
    assert mnist.target.tolist() == list(labels)


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
    (send_too_much, "sent more than 1000000 bytes"),
    (send_large_headers, "sent more than 50000 bytes"),
    (redirect_far, "an address of 20"),
    (redirect_to_ftp, "unknown url type: ftp"),
    (redirect_to_no_port, ""),  # each Python says it in other words
]
DRIBBLES = [
    send_byte_by_byte,
    dribble_headers,
    dribble_continue,
    dribble_chunk_extension,
    dribble_trailers,
    redirect_slowly,
]


@pytest.mark.usefixtures("small_sizes")
@pytest.mark.parametrize("answer", [answer for answer, _ in FAILURES])
def test_any_failure_goes_to_the_next_mirror(files, tmp_path, serve, answer):
    broken, sound = serve(answer, send)

    assert_is_original(fetch(tmp_path), files)

    assert len(broken.asked) == len(sound.asked) == 2


@pytest.mark.usefixtures("small_sizes")
@pytest.mark.parametrize(("answer", "reason"), FAILURES)
def test_a_failure_is_told_and_leaves_nothing_behind(tmp_path, serve, answer, reason):
    serve(answer)

    with pytest.raises(OSError, match=f"{FIRST} could not .* from any mirror") as error:
        fetch(tmp_path)

    assert reason in str(error.value)
    assert contents(tmp_path) == {}


# The slow mirrors take 20 seconds; slow redirects end after ten.
SLOW = [
    ("TIME_LIMIT", 0.5, "not done after 0.5 seconds", DRIBBLES),
    ("CONNECTION_TIMEOUT", 0.3, "timed out", [send_half_and_stall]),
]
each_slow_mirror = pytest.mark.parametrize(
    ("limit", "seconds", "reason", "answer"),
    [(*limit, answer) for *limit, answers in SLOW for answer in answers],
)


@each_slow_mirror
def test_a_slow_mirror_is_left_in_time(
    tmp_path, serve, monkeypatch, limit, seconds, reason, answer
):
    serve(answer)
    monkeypatch.setattr(_download, limit, seconds)
    start = time.monotonic()

    with pytest.raises(OSError, match="from any mirror") as error:
        fetch(tmp_path)

    assert time.monotonic() - start < 10
    assert reason in str(error.value)
    assert contents(tmp_path) == {}


@each_slow_mirror
def test_a_slow_mirror_goes_to_the_next(
    files, tmp_path, serve, monkeypatch, limit, seconds, reason, answer
):
    slow, sound = serve(answer, send)
    read_url = _download.read_url

    def read(url, size):
        # Only here: however busy the machine is, the other mirror is in time.
        with monkeypatch.context() as patch:
            if url.startswith(slow.url):
                patch.setattr(_download, limit, seconds)
            return read_url(url, size)

    monkeypatch.setattr(_cache, "read_url", read)

    assert_is_original(fetch(tmp_path, subset="test"), files, "t10k")

    assert len(sound.asked) == 2


@pytest.mark.parametrize(
    "answer",
    [send_too_much, send_large_headers, redirect_with_endless_body, *DRIBBLES],
)
def test_a_hostile_mirror_takes_little_memory(
    tmp_path, serve, answer, monkeypatch, peak_memory
):
    with pytest.raises(OSError, match="could not be downloaded"):
        fetch(tmp_path)  # imports what it needs
    monkeypatch.setattr(_download, "TIME_LIMIT", 0.5)
    serve(answer)

    with peak_memory() as peak, pytest.raises(OSError, match="from any mirror"):
        fetch(tmp_path)

    assert peak.megabytes < 50


REMARKS = {
    "reason": b"HTTP/1.1 404 \x1b[31mred\x9b0m",
    "status": b"\x1b[31mred\x9b0m\r\n\r\n",
    "location": b"HTTP/1.1 302 Moved\r\nLocation: at:\x1b[31mred\r\n \x9b0m\r\n\r\n",
    "long": b"HTTP/1.1 404 " + b"\x1b[31mred\x9b0m" * 1000,
}


@pytest.mark.parametrize("remark", REMARKS)
def test_what_a_mirror_says_is_one_short_line_without_control_codes(
    tmp_path, serve, remark
):
    serve(lambda handler, content: handler.wfile.write(REMARKS[remark]))

    with pytest.raises(OSError, match="from any mirror") as error:
        fetch(tmp_path)

    _, line, _ = str(error.value).splitlines()
    assert r"\x1b[31mred" in line
    assert line.isprintable()
    assert len(line) < 2000


def test_a_redirect_is_followed_without_its_body(files, tmp_path, serve):
    [mirror] = serve(redirect_once_with_endless_body)

    assert_is_original(fetch(tmp_path), files)

    assert len(mirror.asked) == 4


@pytest.mark.usefixtures("short_time")
def test_a_tls_handshake_is_left_in_time(
    files, tmp_path, serve, replace_source, monkeypatch
):
    [mirror] = serve(send)
    monkeypatch.setattr(mirror, "finish_request", lambda *_: mirror.is_closed.wait(20))
    replace_source(mirrors=(mirror.url.replace("http", "https"),))
    start = time.monotonic()

    with pytest.raises(OSError, match=r"not done after 0\.5 seconds"):
        fetch(tmp_path)

    assert time.monotonic() - start < 10


@pytest.mark.usefixtures("short_time")
def test_a_name_that_is_not_found_in_time_is_given_up(tmp_path, serve, monkeypatch):
    [mirror] = serve(send)
    monkeypatch.setattr(
        "socket.getaddrinfo", lambda *_, **__: mirror.is_closed.wait(20)
    )
    start = time.monotonic()

    with pytest.raises(OSError, match=r"not done after 0\.5 seconds"):
        fetch(tmp_path)

    assert time.monotonic() - start < 10


@pytest.mark.usefixtures("short_time")
def test_the_addresses_of_a_name_share_the_time_limit(
    files, tmp_path, replace_source, monkeypatch
):
    look_up = socket.getaddrinfo
    with socket.create_server(("127.0.0.1", 0), backlog=0) as server:
        address = server.getsockname()

        def look_up_many(host, port, *args, **kwargs):
            n_addresses = 3 if host == "many.invalid" else 1
            return look_up("127.0.0.1", port, *args, **kwargs) * n_addresses

        monkeypatch.setattr("socket.getaddrinfo", look_up_many)
        replace_source(mirrors=(f"http://many.invalid:{address[1]}/",))
        start = time.monotonic()
        # The first waits to be accepted, and so the others cannot even connect.
        with (
            socket.create_connection(address),
            pytest.raises(OSError, match=r"not done after 0\.5 seconds"),
        ):
            fetch(tmp_path)

    assert time.monotonic() - start < 10


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


def test_mirrors_and_retries_are_logged(tmp_path, serve, caplog):
    serve(DEAD, send_not_found)
    caplog.set_level("INFO", "skmnist")

    with pytest.raises(OSError, match="404"):
        fetch(tmp_path, n_retries=1, delay=0)

    lines = [record.getMessage() for record in caplog.records]
    assert lines[0] == f"downloading {DEAD}{FIRST}"
    assert lines[1].startswith(f"{DEAD} failed: ")
    assert "failed: HTTP Error 404" in lines[3]
    [warning] = [each for each in caplog.records if each.levelname == "WARNING"]
    expected = f"no mirror has {FIRST}; trying all of them again in 0 s"
    assert warning.getMessage() == expected


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_a_terminal_shows_a_progress_bar_for_each_file(
    files, tmp_path, serve, monkeypatch
):
    serve(send)
    monkeypatch.setattr("sys.stderr", Terminal())

    assert_is_original(fetch(tmp_path), files)

    shown = sys.stderr.getvalue()
    assert all(f"{name}:   0%|" in shown for name in NAMES if "train" in name)


@pytest.mark.parametrize("output", [None, io.StringIO()])
def test_no_bar_is_shown_elsewhere(files, tmp_path, serve, monkeypatch, output):
    serve(send)
    monkeypatch.setattr("sys.stderr", output)

    assert_is_original(fetch(tmp_path), files)

    assert output is None or "%|" not in output.getvalue()


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


def test_a_proxy_is_taken_from_the_environment(
    files, tmp_path, serve, replace_source, monkeypatch
):
    [proxy] = serve(send)
    replace_source(mirrors=("http://name.invalid/mnist/",))
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
    for name in files:
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
