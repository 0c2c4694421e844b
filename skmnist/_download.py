"""Download a file from a server that may be hostile, in limited time and memory."""

from __future__ import annotations

import io
import socket
import sys
import threading
import time
from concurrent.futures import Future
from http.client import HTTPConnection, HTTPResponse, HTTPSConnection
from typing import Any
from urllib.request import (
    HTTPDefaultErrorHandler,
    HTTPErrorProcessor,
    HTTPHandler,
    HTTPRedirectHandler,
    HTTPSHandler,
    OpenerDirector,
    ProxyHandler,
    UnknownHandler,
)

from tqdm import tqdm

# Seconds without a byte.
CONNECTION_TIMEOUT = 10
# Seconds per file, from the look-up of the server's name to the last byte.
TIME_LIMIT = 300
# Bytes before the content, redirects included: parsed headers take eight times as much.
HEADERS_LIMIT = 500_000
# Characters of a redirect's address: so short a request is sent without waiting.
ADDRESS_LIMIT = 8_000


def read_url(url: str, size: int) -> bytearray:
    """Return the content of an http or https address, through a proxy if one is set.

    A terminal shows a progress bar.

    Parameters
    ----------
    url : str
        The address.
    size : int
        The size of the file in bytes.

    Returns
    -------
    content : bytearray
        What the server sent. It may be less than the server announced.

    Raises
    ------
    OSError
        If there is no connection, if the server reports an error, or if it takes more
        than `TIME_LIMIT` seconds, or sends more than `HEADERS_LIMIT` bytes before
        the content or more than the file has, with a margin, in all.
    http.client.HTTPException, ValueError
        If the server does not follow HTTP.
    """
    limits = _LimitedHandler()
    # Not urlopen: it keeps the proxies that were set when it was first called, and
    # follows redirects to ftp, which no limit holds.
    opener = OpenerDirector()
    for handler in (
        ProxyHandler(),
        limits,
        _RedirectHandler(),
        HTTPErrorProcessor(),
        HTTPDefaultErrorHandler(),
        UnknownHandler(),
    ):
        opener.add_handler(handler)
    # A fifth for chunks: a server may send small ones, each with its length.
    size_limit = size + size // 5 + HEADERS_LIMIT
    # At once: to grow it would copy it, and take twice the memory.
    content, n_bytes = bytearray(size_limit), 0
    try:
        with (
            _progress_bar(url, size) as bar,
            opener.open(url, timeout=CONNECTION_TIMEOUT) as response,
        ):
            limits.size = size_limit
            # Not read: it allocates as much as the server announces.
            while chunk := response.read1(2**16):
                content[n_bytes : n_bytes + len(chunk)] = chunk
                n_bytes += len(chunk)
                bar.update(len(chunk))
    except OSError as error:
        if limits.is_out_of_time():
            raise TimeoutError(f"not done after {TIME_LIMIT} seconds") from error
        raise
    del content[n_bytes:]
    return content


def _progress_bar(url: str, size: int) -> tqdm:
    """Return a bar that is shown on a terminal only."""
    return tqdm(
        desc=url.rpartition("/")[2],
        total=size,
        unit="B",
        unit_scale=True,
        # None asks the output, which a program without a console does not have.
        disable=None if sys.stderr else True,
        leave=False,
    )


class _RedirectHandler(HTTPRedirectHandler):
    def redirect_request(self, req, fp, code, msg, headers, newurl):
        fp.close()  # its body would be read to the end
        if len(newurl) > ADDRESS_LIMIT:
            raise ValueError(f"redirects to an address of {len(newurl)} characters")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


class _LimitedHandler(HTTPHandler, HTTPSHandler):
    """Connects, and reads each byte, within the limits of one file."""

    def __init__(self):
        super().__init__()
        self.deadline = time.monotonic() + TIME_LIMIT
        self.size = HEADERS_LIMIT
        self.n_bytes = 0

    def http_open(self, req):
        return self.do_open(self._limit(HTTPConnection), req)

    def https_open(self, req):
        return self.do_open(self._limit(HTTPSConnection), req)

    def is_out_of_time(self):
        return time.monotonic() >= self.deadline

    def seconds_left(self):
        # Not 0, which would mean not to wait at all.
        return max(self.deadline - time.monotonic(), 0.001)

    def set_timeout(self, sock):
        sock.settimeout(min(CONNECTION_TIMEOUT, self.seconds_left()))

    def _limit(self, connection_class):
        def make_connection(host, **kwargs):
            connection = connection_class(host, **kwargs)
            connection._create_connection = self._connect
            connection.response_class = self._make_response
            return connection

        return make_connection

    def _connect(self, address, timeout, source_address):
        # Not by name: that grants each of the name's addresses the whole timeout.
        for *_, target in self._look_up(*address):
            try:
                seconds = min(timeout, self.seconds_left())
                sock = socket.create_connection(target[:2], seconds, source_address)
            except OSError as error:
                failure = error
            else:
                self.set_timeout(sock)  # for the TLS handshake
                return sock
        raise failure

    def _look_up(self, host, port):
        """Look up a name in a thread, since the system's call has no time limit."""
        addresses: Future[list[Any]] = Future()

        def look_up():
            try:
                found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
                addresses.set_result(found)
            except Exception as error:
                addresses.set_exception(error)

        threading.Thread(target=look_up, daemon=True).start()
        return addresses.result(self.seconds_left())

    def _make_response(self, sock, *args, **kwargs):
        response = HTTPResponse(sock, *args, **kwargs)
        reader = _LimitedReader(response.fp.detach(), sock, self)
        response.fp = io.BufferedReader(reader)
        return response


class _LimitedReader(io.RawIOBase):
    """A socket's bytes: status, headers, chunks, trailers and content alike."""

    def __init__(self, raw, sock, limits):
        self.raw = raw
        self.sock = sock
        self.limits = limits

    def readable(self):
        return True

    def readinto(self, buffer):
        if self.limits.is_out_of_time():
            raise TimeoutError
        self.limits.set_timeout(self.sock)
        n_bytes = self.raw.readinto(buffer)
        self.limits.n_bytes += n_bytes
        if self.limits.n_bytes > self.limits.size:
            # Not a ValueError: http.client takes it for a broken chunk.
            raise OSError(f"sent more than {self.limits.size} bytes")
        return n_bytes

    def close(self):
        self.raw.close()
        super().close()
