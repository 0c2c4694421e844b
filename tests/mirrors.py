"""Mirrors on this machine that answer as they are told to."""

import gzip
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

# Nothing listens on the discard port.
DEAD = "http://127.0.0.1:9/"


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        name = self.path.rpartition("/")[2]
        self.server.asked.append(name)
        self.server.answer(self, self.server.files[name])

    def log_message(self, *args):
        pass


class Mirror(ThreadingHTTPServer):
    """A mirror on this machine that answers as it is told to."""

    def __init__(self, files, answer):
        super().__init__(("127.0.0.1", 0), Handler)
        self.files = files
        self.answer = answer
        self.asked = []
        self.is_closed = threading.Event()
        self.url = f"http://127.0.0.1:{self.server_port}/mnist/"
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()

    def handle_error(self, *args):
        pass  # the other side has hung up

    def close(self):
        self.is_closed.set()
        self.shutdown()
        self.server_close()


def send(handler, content, *, n_bytes=None):
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(content)))
    handler.end_headers()
    handler.wfile.write(content[:n_bytes])


def send_not_found(handler, content):
    handler.send_error(404)


def another_file(content):
    """Return a file of the same form, which only its checksum tells apart."""
    values = bytearray(gzip.decompress(content))
    values[-1] ^= 1
    return gzip.compress(values)


def send_another_file(handler, content):
    send(handler, another_file(content))


def send_half(handler, content):
    send(handler, content, n_bytes=len(content) // 2)


def send_nothing(handler, content):
    pass


def send_no_http(handler, content):
    handler.wfile.write(b"220 a mail server\r\n")


def start_chunks(handler):
    handler.protocol_version = "HTTP/1.1"
    handler.send_response(200)
    handler.send_header("Transfer-Encoding", "chunked")
    handler.end_headers()


def send_broken_chunks(handler, content):
    start_chunks(handler)
    handler.wfile.write(b"ff\r\nhalf a chunk")


def send_half_and_stall(handler, content):
    send_half(handler, content)
    handler.server.is_closed.wait(20)


def dribble(handler, content):
    """Send a byte now and then, for twenty seconds."""
    for byte in content[:100]:
        handler.wfile.write(bytes([byte]))
        handler.server.is_closed.wait(0.2)


def send_byte_by_byte(handler, content):
    send(handler, content, n_bytes=0)
    dribble(handler, content)


def dribble_headers(handler, content):
    dribble(handler, b"HTTP/1.1 200 OK\r\n" + b"Name: value\r\n" * 10)


def dribble_continue(handler, content):
    dribble(handler, b"HTTP/1.1 100 Continue\r\n\r\n" * 5)


def dribble_chunk_extension(handler, content):
    start_chunks(handler)
    dribble(handler, b"1;" + b"x" * 100)


def dribble_trailers(handler, content):
    start_chunks(handler)
    dribble(handler, b"0\r\n" + b"Name: value\r\n" * 10)


def redirect(handler, address):
    handler.send_response(302)
    handler.send_header("Location", address)
    handler.end_headers()


def redirect_slowly(handler, content):
    name = handler.path.rpartition("/")[2]
    handler.server.is_closed.wait(0.1)
    redirect(handler, f"/{len(handler.server.asked)}/{name}")


def redirect_to_ftp(handler, content):
    redirect(handler, "ftp://127.0.0.1:9/")


def redirect_to_no_port(handler, content):
    redirect(handler, f"http://127.0.0.1:{10**30}/")


def redirect_far(handler, content):
    redirect(handler, f"/{'x' * 20_000}")


def send_zeros(handler):
    for _ in range(200):
        handler.wfile.write(bytes(1_000_000))


def redirect_with_endless_body(handler, content):
    redirect(handler, handler.path)
    send_zeros(handler)


def redirect_once_with_endless_body(handler, content):
    if handler.path.startswith("/mnist/"):
        redirect(handler, handler.path.replace("mnist", "there"))
        send_zeros(handler)
    send(handler, content)


def send_large_headers(handler, content):
    handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
    handler.wfile.write((b"Name: " + b"x" * 65_000 + b"\r\n") * 90 + b"\r\n")


def send_too_much(handler, content):
    handler.send_response(200)
    handler.end_headers()
    send_zeros(handler)
