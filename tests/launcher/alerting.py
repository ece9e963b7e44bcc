"""A launcher whose recorder is the test, and whose notifier does what a message's title says.

Both are put in the place of the package's own; all of the launcher's code for them is real.
"""

from __future__ import annotations

import json
import os
import select
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from crond.launcher.config import Config
from crond.model.alert import target_digest
from crond.model.codec import decode
from crond.model.message import Message
from crond.model.orders import REPORTS, InHand, Notified, Notify
from tests.launcher.daemon import DEADLINE, PACKAGE, Daemon, Wire, until

#: Passes its wire on to the test, then lives until that closes the meeting, or somebody kills it.
_RECORDER = """
import os, socket

def main(config):
    meeting = socket.socket(socket.AF_UNIX)
    meeting.connect({meeting!r})
    socket.send_fds(meeting, [str(os.getpid()).encode()], [3])
    os.close(3)
    meeting.recv(1)
    return 0
"""
#: Writes down all that it is and got, then does what the title of each message says.
_NOTIFIER = """
import json, os, signal, sys, time

def say(line):
    os.write(4, line if isinstance(line, bytes) else json.dumps(line).encode() + b"\\n")

def main(argument):
    order = json.loads(os.read(3, 1 << 25))
    read = lambda path: open(path, "rb").read().decode("latin-1")
    try:
        configuration = os.read(5, 1000).decode()
    except OSError:
        configuration = None
    told = {{
        "order": order, "pid": os.getpid(), "uid": os.getuid(), "gid": os.getgid(), "argument": argument,
        "public": read("/proc/self/cmdline") + read("/proc/self/environ"), "environment": dict(os.environ),
        "configuration": configuration, "cwd": os.getcwd(), "session": os.getsid(0),
    }}
    path = {folder!r} + f"/{{time.monotonic_ns()}}"
    with open(path + ".part", "w") as file:
        json.dump(told, file)
    os.rename(path + ".part", path)
    for one in order["messages"]:
        message = json.loads(one["message"])
        how, d = message["title"], one["delivery"]
        if how == "dies before":
            os.kill(os.getpid(), signal.SIGKILL)
        say({{"delivery": d, "result": "trying"}})
        if how == "dies":
            os.kill(os.getpid(), signal.SIGKILL)
        if how == "hangs":
            signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
            while True:
                time.sleep(1000)
        if how == "floods":
            while True:
                say(b"x" * 65536)
        if how == "writes much":
            for number in range(100):
                print("word", number, file=sys.stderr)
        if how == "leaves a child" and not os.fork():
            os.setsid()
            how = "waits"
        if how == "rubbish":
            say(b"[1]\\n")
            time.sleep(1000)
        if how == "waits":
            while not os.path.exists({folder!r} + ".go"):
                time.sleep(0.01)
        if os.getsid(0) == os.getpid() != told["pid"]:
            os._exit(0)
        if how != "elsewhere" or order["system_config"]:
            how = "sent"
        say({{"delivery": d, "result": how, "detail": "as\\n \\x1b[told", "done": ["abc"]}})
    return 0
"""


class RecorderWire(Wire):
    """The recorder's end: sends orders, collects reports (in `facts`)."""

    def _read(self, deadline: float) -> None:
        ready, _, _ = select.select([self.sock], [], [], max(0.0, deadline - time.monotonic()))
        assert ready, f"nothing came; so far {self.facts[-5:]}"
        data = self.sock.recv(1 << 20)
        if not data:
            raise ConnectionError("the launcher hung up")
        self.facts += [decode(payload, *REPORTS) for payload in self._reader.feed(data)]

    def in_hand(self) -> set[str]:
        """Return what it is told first."""
        self.read_until(lambda _report: True)
        assert isinstance(self.facts[0], InHand)
        return set(self.facts[0].deliveries)

    def result(self, delivery: str) -> Notified:
        found = self.read_until(lambda one: isinstance(one, Notified) and one.delivery == delivery)
        assert isinstance(found, Notified)
        return found

    def notify(self, delivery: str, origin: object, target: str, how: str = "", **more: Any) -> None:
        """Have a message sent whose notifier does `how`."""
        attempt = more.pop("attempt", "")
        message = Message(key=delivery, title=how, **more).to_json()
        self.send(Notify(delivery, str(origin), target_digest(target), attempt, message))

    def told(self, delivery: str, origin: object, target: str, how: str = "", **more: Any) -> Notified:
        self.notify(delivery, origin, target, how, **more)
        return self.result(delivery)


class Alerting:
    """Folders of a test, and what its recorders and notifiers leave there."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        package = folder / "package"
        self._meeting_path = folder / "recorder-meeting"
        self._orders = folder / "orders"
        self._orders.mkdir()
        self._orders.chmod(0o1777)
        texts = {
            "recorder": _RECORDER.format(meeting=str(self._meeting_path)),
            "notifier": _NOTIFIER.format(folder=str(self._orders)),
        }
        for name, text in texts.items():
            (package / "crond" / name).mkdir(parents=True)
            (package / "crond" / name / "__init__.py").write_text("")
            (package / "crond" / name / "main.py").write_text(text)
        (package / "crond" / "__init__.py").write_text(f"__path__.append({PACKAGE + '/crond'!r})\n")
        self.package = str(package)
        self._meeting = socket.socket(socket.AF_UNIX)
        self._meeting.bind(str(self._meeting_path))
        self._meeting_path.chmod(0o777)
        self._meeting.listen()
        self._wires: list[RecorderWire] = []

    def settings(self, **more: Any) -> dict[str, Any]:
        return {"package": self.package, "recorder": True, **more}

    def recorder(self) -> RecorderWire:
        """Return the wire of the recorder that the launcher starts next."""
        self._meeting.settimeout(DEADLINE)
        sock, _ = self._meeting.accept()
        data, fds, _, _ = socket.recv_fds(sock, 64, 1)
        self._wires.append(RecorderWire(socket.socket(fileno=fds[0]), int(data), sock))
        return self._wires[-1]

    def orders(self, count: int) -> list[dict[str, Any]]:
        """Return what notifiers wrote down when there are `count`; fails if there are more."""
        until(lambda: len(self._names()) >= count)
        assert len(self._names()) == count
        return [json.loads((self._orders / name).read_text()) for name in self._names()]

    def _names(self) -> list[str]:
        return sorted(name for name in os.listdir(self._orders) if not name.endswith(".part"))

    def go(self) -> None:
        """Let notifiers that wait go on."""
        Path(f"{self._orders}.go").touch()

    def close(self) -> None:
        self._meeting.close()
        for wire in self._wires:
            wire.leave()


Make = Callable[..., Config]
Begin = Callable[..., Daemon]
