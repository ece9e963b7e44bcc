"""The notifier's processes: how one is started, what is believed of its answers, and when it is ended.

Owns each process from its start to its end, and that each delivery of its order gets exactly one result,
whatever it does: hangs, dies, floods us or says rubbish. What it runs as, others decided; what it does is
`crond.notifier`'s. Called by sending and beats.
"""

from __future__ import annotations

import contextlib
import json
import os
import stat
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from crond.launcher.loop import READ
from crond.launcher.overheard import Overheard
from crond.launcher.spawn import Program, holding, kill_tree, lifted
from crond.model.codec import decode, encode
from crond.model.messages import BadMessage, Notified

if TYPE_CHECKING:
    from crond.launcher.config import Config
    from crond.launcher.deliveries import Delivery
    from crond.launcher.log import Log
    from crond.launcher.loop import Loop, Timer
    from crond.launcher.senders import Sender
    from crond.launcher.spawn import Spawner

# Isolated, but with site: Apprise is installed beside us.
_BOOT = (
    "import sys; sys.path.insert(0, sys.argv[1]); "
    "from crond.notifier.main import main; sys.exit(main(sys.argv[2]))"
)
#: One that finishes no message for the time limit of a message and so many seconds more is killed, which it
#: needs to begin. It keeps the limit itself: this is for one that hangs where no alarm reaches it.
_MARGIN = 15.0
#: Bytes of one answer, and lines of one process that go into the log.
_LONGEST, _LINES = 16 * 1024, 20
#: What of our environment it gets: the way out of this host, and whom to trust there.
_PASSED_ON = frozenset(
    ("http_proxy", "https_proxy", "all_proxy", "no_proxy", "LANG", "TZ", "SSL_CERT_FILE", "SSL_CERT_DIR")
)
#: What a notifier says of a tag that is not in the configuration it may read; no word of the wire.
ELSEWHERE = "elsewhere"


class Rubbish(ValueError):
    """An answer that makes no sense."""


class _Batch:
    """One process. `open` are the deliveries without a result, in their order; `trying` is one of them."""

    def __init__(
        self,
        pid: int,
        answers: int,
        words: Overheard,
        names: Sequence[str],
        told: Told,
        ended: Callable[[], None],
    ) -> None:
        self.pid = pid
        self.words = words
        self.answers = answers
        self.open = dict.fromkeys(names)
        self.trying: str | None = None
        self.told = told
        self.ended = ended
        self.unread = b""
        self.timer: Timer | None = None
        self.why = "ended by itself"


#: Hears the results of a batch, `elsewhere` among them.
Told = Callable[[Notified], None]


class Notifiers:
    """Starts notifiers of the package folder of `config`."""

    def __init__(self, config: Config, *, loop: Loop, log: Log, spawner: Spawner) -> None:
        self._config = config
        self._loop = loop
        self._log = log
        self._spawner = spawner
        self._batches: dict[int, _Batch] = {}
        self._null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)

    @property
    def busy(self) -> bool:
        return bool(self._batches)

    def start(
        self, sender: Sender, deliveries: Sequence[Delivery], *, told: Told, ended: Callable[[], None]
    ) -> None:
        """Have `deliveries` sent. `told` is called once for each of them, then `ended`.

        Raises SpawnFailed, OSError: then neither is.
        """
        words = Overheard("notifier", loop=self._loop, log=self._log, most=_LINES)
        try:
            answers, writing = os.pipe2(os.O_CLOEXEC)
            try:
                pid = self._start(sender, deliveries, words.fd, writing)
            except BaseException:
                os.close(answers)
                raise
        finally:
            words.handed_over()
        os.set_blocking(answers, False)
        names = [one.name for one in deliveries]
        batch = self._batches[pid] = _Batch(pid, answers, words, names, told, ended)
        self._loop.watch(answers, READ, lambda _events: self._ready(batch))
        self._be_patient(batch)

    def _start(self, sender: Sender, deliveries: Sequence[Delivery], words: int, answers: int) -> int:
        """Return the pid of a process with these descriptors, of which `answers` is closed here."""
        with contextlib.ExitStack() as stack:
            theirs = lifted(stack, answers)
            given = [self._null, self._null, words, self._order(stack, sender, deliveries), theirs]
            if sender.host:
                given.append(lifted(stack, self._configuration()))
            with self._spawner.unhandled():
                return self._spawner.start(self._program(sender), given)

    def _order(self, stack: contextlib.ExitStack, sender: Sender, deliveries: Sequence[Delivery]) -> int:
        order = {
            "limit": self._config.message_time_limit,
            "host": os.uname().nodename,
            "system_config": sender.host,
            "messages": [
                {
                    "delivery": one.name,
                    "target": one.target.text,
                    "kind": one.target.kind.value,
                    "message": one.message,
                    "tail": one.tail.data.decode("latin-1"),
                    "left_out": one.tail.left_out,
                    "done": one.done,
                }
                for one in deliveries
            ],
        }
        return holding(stack, json.dumps(order).encode("ascii"))

    def _configuration(self) -> int:
        """Return a descriptor of the host's configuration of Apprise, which we may read and it may not.

        Of nothing, if there is none. Raises OSError.
        """
        path = self._config.apprise
        try:
            fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
        except FileNotFoundError:
            return os.dup(self._null)
        found = os.fstat(fd)
        if stat.S_ISREG(found.st_mode) and found.st_uid in (0, os.geteuid()) and not found.st_mode & 0o022:
            return fd
        os.close(fd)
        self._log.error(f"{path} is not used: it must be a file of root that nobody else may write")
        return os.dup(self._null)

    def _program(self, sender: Sender) -> Program:
        words = (sys.executable, "-I", "-c", _BOOT, self._config.package, sender.user or "root")
        environment = {
            name: value
            for name, value in os.environ.items()
            if name in _PASSED_ON or (name.lower() in _PASSED_ON and name.isupper())
        }
        environment |= {"HOME": sender.home, "PATH": "/usr/bin:/bin"}
        return Program(
            path=os.fsencode(sys.executable),
            arguments=tuple(os.fsencode(word) for word in words),
            environment={os.fsencode(name): os.fsencode(value) for name, value in environment.items()},
            identity=sender.identity,
            directory=b"/",
        )

    # --- what it says --------------------------------------------------------------------------

    def _ready(self, batch: _Batch) -> None:
        if self._read(batch) == b"":
            self._stop_reading(batch)

    def _read(self, batch: _Batch) -> bytes | None:
        """Take what it says; return that, None if there is nothing now."""
        try:
            data = os.read(batch.answers, 65536)
        except BlockingIOError:
            return None
        *lines, batch.unread = (batch.unread + data).split(b"\n")
        try:
            for line in lines:
                self._take(batch, line)
            if len(batch.unread) > _LONGEST:
                raise Rubbish
        except Rubbish:
            self._end(batch, "was ended: its answers make no sense")
        return data

    def _take(self, batch: _Batch, line: bytes) -> None:
        """Take one answer. Raises Rubbish, also for one too many: so there is an end of them."""
        name, answer = _answer(line)
        if batch.trying is None:
            if answer is not None or name not in batch.open:
                raise Rubbish
            batch.trying = name
            return
        if answer is None or name != batch.trying:
            raise Rubbish
        batch.trying = None
        del batch.open[name]
        self._be_patient(batch)
        batch.told(answer)

    # --- how it ends ---------------------------------------------------------------------------

    def _be_patient(self, batch: _Batch) -> None:
        if batch.timer is not None:
            batch.timer.cancel()
        limit = self._config.message_time_limit
        limit += min(_MARGIN, _MARGIN * limit)
        why = f"was ended: it finished nothing for {limit:g} s"
        batch.timer = self._loop.after(limit, lambda: self._end(batch, why))

    def _end(self, batch: _Batch, why: str) -> None:
        batch.why = why
        self._stop_reading(batch)
        if batch.pid in self._batches:
            self._log.error(f"notifier: {batch.pid} {why}")
            kill_tree(batch.pid)

    def _stop_reading(self, batch: _Batch) -> None:
        if batch.answers >= 0:
            self._loop.forget(batch.answers)
            os.close(batch.answers)
            batch.answers = -1

    def reaped(self, pid: int, status: int) -> bool:
        """Take note of the end of process `pid`; True if it was one of these."""
        batch = self._batches.pop(pid, None)
        if batch is None:
            return False
        # What it said before it died counts, whatever came first: that, or the word of its end.
        while batch.answers >= 0 and self._read(batch):
            pass
        self._stop_reading(batch)
        batch.words.close()
        if batch.timer is not None:
            batch.timer.cancel()
        trouble = self._spawner.trouble_of(pid)
        if trouble is not None:
            batch.why = f"could not begin: {os.strerror(trouble.errno)}"
        elif os.WIFSIGNALED(status) and batch.why == "ended by itself":
            batch.why = f"was killed by signal {os.WTERMSIG(status)}"
        for name in tuple(batch.open):
            tried = name == batch.trying
            detail = f"the notifier {batch.why}{' while it sent this' if tried else ' before this was sent'}"
            batch.told(Notified(name, "unsure" if tried else "again", detail))
        batch.ended()
        return True


def _answer(line: bytes) -> tuple[str, Notified | None]:
    """Return which delivery a line is about, and its result; None: it is being tried. Raises Rubbish."""
    try:
        said: dict[str, Any] = json.loads(line)
        name, result = said["delivery"], said["result"]
        if not isinstance(name, str) or not isinstance(result, str):
            raise Rubbish
        if result == "trying":
            return name, None
        detail, done = str(said.get("detail", "")).replace("\0", ""), said.get("done", [])
        if result == ELSEWHERE:
            return name, Notified(name, ELSEWHERE, detail)
        if result == "gone":
            raise Rubbish
        # Within the bounds of the wire, or it would be the recorder that gives us up.
        told: Notified = decode(encode(Notified(name, result, detail[:2000], done)), Notified)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError, BadMessage):
        raise Rubbish from None
    return name, told
