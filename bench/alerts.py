"""`python -m bench.alerts`: how late 100 jobs start while each of them fails and somebody is to be told.

Owns the course: a real `crond FILE` whose jobs fail every five seconds, at first without alerts, then beside
a receiver that takes them, one that hangs, one that answers 500, one that closes, one that refuses, and
without again, in one run. docs/benchmarks.md says what the columns mean.
"""

from __future__ import annotations

import argparse
import contextlib
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from bench.noise import Watch, watching
from bench.subject import Daemon, SubjectError, quantile

JOBS = 100
_EVERY = "5s"
_ENDS = 120.0
#: What a receiver does; "none" is not told of anything, and nobody listens where it "refuses".
MANNERS = ("none", "takes", "hangs", "500", "closes", "refuses", "none")


@dataclass(frozen=True, slots=True)
class Row:
    """What was seen beside one receiver. Lateness in ms, sorted."""

    manner: str
    lateness: list[float]
    missing: int
    watch: Watch
    messages: int


class Receiver:
    """Listens on loopback, does as `manner` says, and counts what came."""

    def __init__(self, manner: str) -> None:
        self.count = 0
        self.closing = threading.Event()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length") or 0))
                receiver.count += 1
                if manner == "hangs":
                    receiver.closing.wait()
                elif manner != "closes":
                    self.send_response(500 if manner == "500" else 200)
                    self.send_header("Content-Length", "0")
                    self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.1,), daemon=True).start()

    def close(self) -> None:
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()


def free_port() -> int:
    """Return a port of loopback on which nobody listens."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


def beside(daemon: Daemon, manner: str, seconds: float) -> Row:
    """Let jobs fail for so long, told to such a receiver; return what was seen."""
    receiver = None if manner in ("none", "refuses") else Receiver(manner)
    port = free_port() if receiver is None else receiver.port
    head = "" if manner == "none" else f"#: defaults on_failure=json://127.0.0.1:{port}/hook\n"
    before, began = daemon.tally(), time.time()
    daemon.start_jobs(JOBS, every=_EVERY, head=head, then="; exit 1")
    daemon.wait_for_starts(1)
    with watching(daemon) as watch:
        time.sleep(seconds)
    upto = time.time()
    daemon.stop_jobs()
    daemon.wait_caught_up(_ENDS)
    found = daemon.tally()
    messages = 0
    if receiver is not None:
        receiver.close()
        messages = receiver.count
    lateness = sorted(found.lateness(began, upto, prefix="j"))
    return Row(manner, lateness, found.missing() - before.missing(), watch, messages)


def course(manners: Sequence[str], seconds: float) -> Iterator[Row]:
    """Yield what was seen beside each receiver. Raises SubjectError."""
    with (
        tempfile.TemporaryDirectory(prefix="crontabx-alerts-", dir="/var/tmp") as folder,
        tempfile.TemporaryDirectory(prefix="crontabx-alerts-", dir="/dev/shm") as memory,
        contextlib.ExitStack() as ends,
    ):
        daemon = Daemon(Path(folder), Path(memory, "proofs"), "-m", "off")
        ends.callback(daemon.close)
        try:
            for manner in manners:
                yield beside(daemon, manner, seconds)
        except SubjectError as error:
            raise SubjectError(f"{error}\n{daemon.said()}") from None


_HEAD = (
    f"{'receiver':<10}{'starts':>7}{'median':>9}{'p99':>9}{'max':>9}{'missing':>9}"
    f"{'launcher':>10}{'scheduler':>11}{'recorder':>10}{'messages':>10}"
)


def line(row: Row) -> str:
    """Return `row` as text to read: ms, and MiB."""
    shown = "".join(f"{quantile(row.lateness, part):9.1f}" for part in (0.5, 0.99, 1.0))
    used = [row.watch.memory.get(name, 0) / 1024 for name in ("launcher", "scheduler", "recorder")]
    return (
        f"{row.manner:<10}{len(row.lateness):>7}{shown}{row.missing:>9}"
        f"{used[0]:10.1f}{used[1]:11.1f}{used[2]:10.1f}{row.messages:>10}"
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the course; return 1 if a start is missing in the history."""
    options = argparse.ArgumentParser(prog="bench.alerts", description=__doc__)
    options.add_argument("--seconds", type=float, default=30.0, help="that each row lasts")
    options.add_argument("manners", nargs="*", help=f"of {', '.join(dict.fromkeys(MANNERS))}; else all")
    given = options.parse_args(arguments)
    if unknown := set(given.manners) - set(MANNERS):
        options.error(f"no receiver {', '.join(sorted(unknown))}")
    print(_HEAD, flush=True)
    missing = 0
    for row in course(given.manners or MANNERS, given.seconds):
        print(line(row), flush=True)
        missing += row.missing
    return 1 if missing else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except SubjectError as failed:
        sys.exit(f"bench.alerts: {failed}")
