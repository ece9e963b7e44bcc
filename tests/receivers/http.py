"""A receiver of HTTP for tests: loopback, a port of its own, each request kept, and faults on demand.

    with HttpReceiver() as receiver:
        receiver.then(answer(500), HANG)    # the first two requests; later ones get `receiver.otherwise`
        ... f"json://{receiver.address}/path" or f"{receiver.url}/ping" ...
        request = receiver.wait_for(1)[0]

It plays Slack's incoming webhook (which wants "ok" as answer), a JSON webhook and a watcher of pings alike.
With `tls=(certificate, key)`, paths, it speaks HTTPS. With `proxy` too it is a proxy that plays every host of
HTTPS itself: so a client meets it under a name that is not ours (HTTPS_PROXY, and REQUESTS_CA_BUNDLE for the
certificate).
"""

from __future__ import annotations

import json
import socket
import socketserver
import ssl
import struct
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from typing import Any, Self


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    headers: dict[str, str]  #: names in lower case
    body: bytes
    at: float  #: monotonic

    def json(self) -> Any:
        return json.loads(self.body)


#: How a request is met: called with the handler, after the request was kept. It may answer, or not.
Fault = Callable[["_Handler"], None]


def answer(status: int = 200, body: bytes = b"ok", **headers: str) -> Fault:
    """Answer; in `headers` an underscore stands for a hyphen."""

    def fault(handler: _Handler) -> None:
        handler.send_response(status)
        for name, said in headers.items():
            handler.send_header(name.replace("_", "-"), said)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    return fault


def redirect(to: str, status: int = 307) -> Fault:
    """Send whoever asks to another URL."""
    return answer(status, b"", Location=to)


def drip(pause: float = 0.05) -> Fault:
    """Answer byte by byte, and never come to the end."""

    def fault(handler: _Handler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "1000000")
        handler.end_headers()
        while not handler.closing.wait(pause):
            handler.wfile.write(b".")

    return fault


def HANG(handler: _Handler) -> None:  # noqa: N802 - it is used as a value
    """Say nothing until the receiver is closed."""
    handler.closing.wait()


def RESET(handler: _Handler) -> None:  # noqa: N802
    """Break the connection when the request was read."""
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    handler.connection.close()


def HALF(handler: _Handler) -> None:  # noqa: N802
    """Answer, and close before the end."""
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    handler.wfile.write(b"o")


def DROP(handler: _Handler) -> None:  # noqa: N802
    """Close the connection at once, and read nothing: this is known by its name, and never called."""
    raise AssertionError


class HttpReceiver:
    """Listens from when it is made until `close`."""

    def __init__(self, *, tls: tuple[str, str] | None = None, proxy: bool = False, port: int = 0) -> None:
        self.otherwise: Fault = answer()
        self.requests: list[Request] = []
        self._next: deque[Fault] = deque()
        self._changed = threading.Condition()
        self._closing = threading.Event()
        self._server = _Server(self, tls, proxy, port)
        self.port: int = self._server.server_address[1]
        self.address = f"127.0.0.1:{self.port}"
        self.url = f"{'https' if tls and not proxy else 'http'}://{self.address}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def then(self, *faults: Fault) -> None:
        """Meet the next requests with `faults`, one after the other."""
        with self._changed:
            self._next.extend(faults)

    def wait_for(self, count: int, timeout: float = 10.0) -> list[Request]:
        """Return the requests when there are `count`; fails if there are not in `timeout` seconds."""
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.requests) >= count, timeout), self.requests
            return list(self.requests)

    def close(self) -> None:
        self._closing.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def fault(self) -> Fault:
        with self._changed:
            return self._next.popleft() if self._next else self.otherwise

    def kept(self, request: Request) -> None:
        with self._changed:
            self.requests.append(request)
            self._changed.notify_all()


class _Handler(BaseHTTPRequestHandler):
    """Keeps a request and meets it as its connection was told to."""

    server: _Server
    protocol_version = "HTTP/1.1"

    def handle(self) -> None:
        self.receiver = self.server.receiver
        self.closing = self.receiver._closing
        fault = self.receiver.fault()
        if fault is DROP:
            return
        self._fault = fault
        self.close_connection = True
        with suppress(OSError):  # whoever asked may have gone
            self.handle_one_request()

    def _meet(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        headers = {name.lower(): said for name, said in self.headers.items()}
        body = self.rfile.read(length)
        self.receiver.kept(Request(self.command, self.path, headers, body, time.monotonic()))
        self.close_connection = True
        self._fault(self)

    do_GET = do_POST = do_PUT = do_HEAD = _meet  # noqa: N815 - the names are the base's

    def do_CONNECT(self) -> None:
        context = self.server.context
        assert context is not None
        self.send_response(200)
        self.end_headers()
        self.request = context.wrap_socket(self.connection, server_side=True)
        with self.request:
            self.setup()
            self.handle_one_request()

    def log_message(self, *_: object) -> None:
        pass


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False

    def __init__(self, receiver: HttpReceiver, tls: tuple[str, str] | None, proxy: bool, port: int) -> None:
        self.receiver = receiver
        self.context: ssl.SSLContext | None = None
        self._at_once = not proxy
        if tls is not None:
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.context.load_cert_chain(*tls)
        super().__init__(("127.0.0.1", port), _Handler)

    def finish_request(self, request: Any, client_address: Any) -> None:
        if self.context is not None and self._at_once:
            try:
                request = self.context.wrap_socket(request, server_side=True)
            except (OSError, ssl.SSLError):
                return
        with request:
            super().finish_request(request, client_address)

    def handle_error(self, *_: object) -> None:
        pass  # clients break connections on purpose
