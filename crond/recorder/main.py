"""The recorder's start: takes the two sockets it was given, starts writer and delivery, and serves.

The composition root of its process, started by the launcher as the scheduler's account. Descriptor 3 is the
wire to the launcher, on which it says that it lives and what is to be told to whom; 4 the listening socket
for clients.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from crond.link import Link
from crond.model.frames import SMALL_FRAME
from crond.model.orders import REPORTS

if TYPE_CHECKING:
    from crond.recorder.tries import Manner
    from crond.recorder.writer import Place
    from crond.settings import Settings

_WIRE, _LISTENING = 3, 4
#: What a recorder does is never urgent.
_NICE = 5
#: Seconds for the last ends to be written when the daemon stops.
_FAREWELL = 2.0


def main(config: str) -> int:
    """Run the recorder with `config`, JSON text.

    `journal` and `history` are folders, `settings` a path or null, `heartbeat` seconds.
    """
    told = json.loads(config)
    with suppress(OSError), open("/proc/self/comm", "w", encoding="ascii") as comm:
        comm.write("crond-recorder")
    with suppress(OSError):
        os.nice(_NICE)
    for fd in (_WIRE, _LISTENING):
        os.set_inheritable(fd, False)
    try:
        import sqlalchemy  # noqa: F401 - what is missing is told once, in words
    except ImportError as error:
        log(f"no history is kept: {error}; pip install crontabx into {sys.prefix}")
        return 1
    status = serve(told)
    # Queries may still run, and nobody waits for what they find.
    os._exit(status)


def serve(told: dict[str, Any]) -> int:
    """Record, deliver and answer until the launcher hangs up; return the exit status."""
    from crond.recorder.alerts import Alerts
    from crond.recorder.answers import Answers
    from crond.recorder.delivery import Delivery
    from crond.recorder.feed import Feed
    from crond.recorder.server import Server
    from crond.recorder.writer import Writer

    wire = Link(
        socket.socket(fileno=_WIRE), expected=REPORTS, receive_limit=SMALL_FRAME, backlog_limit=SMALL_FRAME
    )
    settings, host = told["settings"], socket.gethostname()
    outbox = os.path.join(told["history"], "outbox.db")
    feed = Feed(told["journal"], readers=("history", "outbox"))

    def place() -> Place:
        return place_of(settings, told["history"])

    writer = Writer(feed, host=host, place=place, log=log)
    delivery = Delivery(feed, outbox, host=host, manner=lambda: manner_of(settings), log=log)
    answers = Answers(writer, feed, place, Alerts(outbox, delivery.wake))
    listening = socket.socket(fileno=_LISTENING)
    server = Server(wire, listening, answers, heartbeat=told["heartbeat"], heard=delivery.heard)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: server.stop())
    writer.start()
    delivery.start(server.say)
    server.run()
    server.close()
    delivery.stop(_FAREWELL)
    writer.stop(_FAREWELL)
    return 0


def place_of(settings: str | None, folder: str) -> Place:
    """Return where the history is by the file `settings`, which is read each time. Raises BadDatabase.

    Its URL may hold a password, which must be in no argument; a file that became wrong stops nothing but
    the recording.
    """
    from crond.recorder.database import BadDatabase, database_url
    from crond.recorder.writer import Place
    from crond.settings import SettingsError

    try:
        said = _read(settings)
    except SettingsError as error:
        raise BadDatabase(error.problems[0]) from None
    return Place(
        url=database_url(said.url, folder),
        keep_days=said.history_days or None,
        keep_runs=said.history_runs or None,
    )


def manner_of(settings: str | None) -> Manner:
    """Return how alerts are told by the file `settings`, which is read each time. Raises SettingsError."""
    from crond.model.alert import addressee
    from crond.recorder.tries import Manner

    said = _read(settings)
    return Manner(
        settle=said.settle,
        give_up=said.give_up,
        link=said.link or "",
        trouble=tuple(map(addressee, said.on_trouble)),
    )


def _read(settings: str | None) -> Settings:
    from crond.settings import Settings, read_settings

    return Settings() if settings is None else read_settings(settings, required=False)


def log(text: str) -> None:
    """Say `text` to the launcher, which puts it into the log."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()
