"""The launcher itself: what the scheduler wishes becomes processes, what happens becomes facts.

Owns the answer to each wish and the order in which things are known: process, record, fact. Knows no
time table. All that is asked of the system goes through its parts, which `main` puts together.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from resource import struct_rusage
from typing import TYPE_CHECKING, Any

from crond.launcher.attempts import Attempt, Attempts
from crond.launcher.facts import LIMIT, Facts
from crond.launcher.log import Ending, Log, in_words
from crond.launcher.programs import NotPossible, NotYet, Programs
from crond.launcher.register import Line
from crond.launcher.spawn import Program, Spawner, Stage, Trouble
from crond.model.messages import (
    Ack,
    Exited,
    Forget,
    Heartbeat,
    Hello,
    Mail,
    News,
    NotStarted,
    Retire,
    Start,
    Started,
    Stop,
    Survived,
    TablesComplete,
    Vanished,
    attempt_key,
)

if TYPE_CHECKING:
    from crond.launcher.outputs import Outputs
    from crond.launcher.spool import Spool
    from crond.launcher.starting import Ready, Starting
    from crond.launcher.worker import Worker

#: A job's memory is told where it is this much more than ours (KiB): ours may have been larger at its start.
_MEMORY_MARGIN = 2048
#: Most starts whose facts wait for each other.
_TOGETHER = 32
_REASONS = {
    Stage.RESOURCES: "resources",
    Stage.USER: "permission",
    Stage.CHDIR: "chdir",
    Stage.EXEC: "exec",
}


class Launcher:
    """Handles wishes. `on_started` and `on_ended` are told of each attempt, after its fact was sent.

    `guard` calls a function and keeps its error to itself.
    """

    def __init__(
        self,
        *,
        hello: Hello,
        spool: Spool,
        programs: Programs,
        starting: Starting,
        spawner: Spawner,
        outputs: Outputs,
        log: Log,
        guard: Callable[..., None],
    ) -> None:
        self._guard = guard
        self._hello = hello
        self._spool = spool
        self._programs = programs
        self._starting = starting
        self._spawner = spawner
        self._outputs = outputs
        self._log = log
        self.attempts = Attempts()
        self.facts = Facts()
        self.closing = False
        self.scheduler: Worker | None = None
        #: Starts that wait for what PAM says of their own account, by that account and by key.
        self._held: dict[str, dict[str, Start]] = {}
        #: Told who the processes are that were made together, before anybody else is told of them.
        self.on_made: Callable[[list[Line | None]], None] = lambda _lines: None
        self.on_started: list[Callable[[Attempt], None]] = []
        self.on_ended: list[Callable[[Attempt, Ending], None]] = []
        self.on_stop: Callable[[Attempt], None] = lambda _attempt: None
        self.on_mail: Callable[[Attempt, Program], None] = lambda _attempt, _program: None
        self.on_retire: Callable[[Retire], None] = lambda _wish: None
        self.on_news: Callable[[News], None] = lambda _wish: None

    # --- the wire ------------------------------------------------------------------------------

    def greet(self) -> None:
        """Say on a new wire all that its scheduler must know before anything new happens."""
        self._send(self._hello)
        for fact in self._spool.current():
            self._send(fact)
        for survivor in self.attempts.survivors():
            self._send(Survived(survivor.key, survivor.pid))
        self._send(TablesComplete())
        for payload in self.facts.waiting():
            self._send_payload(payload)

    def rescan(self, *, force: bool = False) -> None:
        """Look for changed crontabs and tell them."""
        changes = self._spool.scan(force=force)
        for change in changes:
            self._send(change)
        self._programs.forget({table.version for table in self._spool.tables()})

    def parse_one(self) -> bool:
        """Parse a table that no start has needed yet, so that the first one is on time; False if all are.

        Its errors are logged.
        """
        parsed = self._programs.parse_one(self._spool.tables())
        if parsed is not None:
            table, problems = parsed
            self._log.debug("load", f"{table.origin}: version {table.version}, {len(table.text)} bytes")
            self._log.problems_of(table, self._spool.label(table), problems)
        return parsed is not None

    def users(self) -> set[str]:
        """Return the names of the accounts that entries run as."""
        return self._programs.users(self._spool.tables())

    def handle(self, wishes: list[Any]) -> None:
        """Do what `wishes` ask, in their order."""
        starts: list[Start] = []
        for wish in wishes:
            if isinstance(wish, Start):
                starts.append(wish)
                continue
            self._start(starts)
            starts = []
            self._guard(self._obey, wish)
        self._start(starts)

    def _obey(self, wish: Stop | Forget | Mail | Retire | News | Ack | Heartbeat) -> None:
        match wish:
            case Stop(attempt=key):
                attempt = self.attempts.get(key)
                if attempt is not None and attempt.running:
                    attempt.stopped = True
                    self.on_stop(attempt)
                elif any(held.pop(key, None) for held in self._held.values()):
                    self._tell_not_started(key, "stale", "stopped before it started")
            case Forget(attempt=key):
                self.attempts.forget(key)
            case Mail(attempt=key):
                self._mail(self.attempts.get(key))
            case Retire():
                self.on_retire(wish)
            case News():
                self.on_news(wish)
            case Ack(number=number):
                self.facts.acknowledge(number)
            case Heartbeat():  # that it came was its message
                pass

    def _mail(self, attempt: Attempt | None) -> None:
        if attempt is None or attempt.running or attempt.program is None or attempt.part != "command":
            return  # forgotten, not ended, mailed before, or nothing that cron knows
        program, attempt.program = attempt.program, None
        self.on_mail(attempt, program)

    # --- starting ------------------------------------------------------------------------------

    def _start(self, wishes: list[Start]) -> None:
        """Start many together: after a fork each page of ours that is touched must be copied, so between
        two forks as little as possible is done. The first few go alone, to be on time.
        """
        size = 1
        while wishes:
            together, wishes = wishes[:size], wishes[size:]
            size = min(2 * size, _TOGETHER)
            ready: dict[str, Ready] = {}
            for wish in together:
                self._make_ready(wish, ready)
            with self._spawner.unhandled():
                for each in ready.values():
                    each.spawn(self._spawner)
            self._guard(self.on_made, [each.line() for each in ready.values()])
            for each in ready.values():
                self._guard(self._record, each)

    def _make_ready(self, wish: Start, ready: dict[str, Ready]) -> None:
        """Add to `ready` all that the process of `wish` needs, or tell that it cannot be."""
        key = attempt_key(wish.run, wish.attempt)
        self._log.debug("sch", f"{key}: start {wish.job}, entry {wish.entry} of table {wish.table}")
        try:
            if key in ready:
                raise NotPossible("duplicate", f"attempt {key} is being started")
            ready[key] = self._prepare(key, wish)
        except NotYet as unknown:
            self._held.setdefault(unknown.user, {})[key] = wish
        except NotPossible as refused:
            if refused.event is not None:
                self._log.event(*refused.event)
            elif refused.reason not in ("stale", "duplicate", "closing"):
                self._log.event(wish.job, "ERROR", refused.detail)
            self._tell_not_started(key, refused.reason, refused.detail)
        except Exception as error:  # noqa: BLE001 - one entry must not keep the others from starting
            self._log.error(f"{wish.job}: {type(error).__name__}: {error}")
            self._tell_not_started(key, "resources", f"an error of crond itself: {error}")

    def go_on(self, user: str) -> None:
        """Start what waited for PAM's answer about `user`."""
        self._start(list(self._held.pop(user, {}).values()))

    def _prepare(self, key: str, wish: Start) -> Ready:
        if self.closing:
            raise NotPossible("closing", "the daemon is stopping")
        # Before the table: what was started must not be answered as stale once its table is gone.
        if self.attempts.get(key) is not None:
            raise NotPossible("duplicate", f"attempt {key} was started before")
        table = self._spool.table(wish.table)
        if table is None:
            raise NotPossible("stale", f"table version {wish.table} is no longer held")
        return self._starting.ready(key, wish, table)

    def _record(self, ready: Ready) -> None:
        """Record what became of `ready`, and tell it."""
        attempt = ready.attempt()
        if ready.trouble is not None:
            self._starting.undo(ready)
            if attempt.captured:
                self._outputs.remove(attempt.uid, attempt.key)
            detail = self._explain(attempt, ready.trouble)
            if attempt.logged:
                self._log.ended(
                    attempt.job, attempt.key, Ending(at=ready.at, seconds=0, output_size=0, detail=detail)
                )
            return
        self.attempts.add(attempt)
        self._tell(Started(self.facts.next_number(), attempt.key, attempt.pid, attempt.started_at))
        self._log.debug("proc", f"{attempt.key} of {attempt.job}: pid {attempt.pid} as {attempt.user}")
        if not attempt.captured:
            self._log.event(attempt.user, "ERROR", f"the disk is full: no output of {attempt.job} is kept")
        if attempt.logged:
            self._log.command(attempt.user, attempt.pid, attempt.command)
            self._log.started(attempt.job, attempt.key, attempt.pid, attempt.started_at)
        for told in self.on_started:
            self._guard(told, attempt)

    # --- ends ----------------------------------------------------------------------------------

    def reaped(self, pid: int, status: int, usage: struct_rusage) -> None:
        """Take note of the end of process `pid`, which may be nobody's."""
        if self.scheduler is not None and self.scheduler.reaped(pid, status):
            return
        trouble = self._spawner.trouble_of(pid)
        attempt = self.attempts.ended(pid, status)
        if attempt is None:
            return
        at = time.time()
        size = self._outputs.size(attempt.uid, attempt.key) if attempt.captured else 0
        data = self._starting.data_of(attempt)
        if trouble is None:
            number = self.facts.next_number()
            self._tell(
                Exited(
                    number,
                    attempt.key,
                    at,
                    status,
                    usage.ru_utime,
                    usage.ru_stime,
                    _memory_of(usage),
                    size,
                    usage.ru_inblock,
                    usage.ru_oublock,
                    data,
                )
            )
            detail = ""
        else:
            detail = self._explain(attempt, trouble)
        seconds = time.monotonic() - attempt.began
        ending = Ending(at=at, seconds=seconds, output_size=size, status=status, detail=detail)
        self._log.debug("proc", f"{attempt.key} of {attempt.job}: pid {pid} ended: {in_words(status)}")
        if attempt.logged and trouble is None:
            self._log.command_end(attempt.user, pid, attempt.command, status)
        for told in self.on_ended:
            self._guard(told, attempt, ending)
        attempt.output_size = size
        if size == 0:
            self._outputs.remove(attempt.uid, attempt.key)
        if trouble is not None or (size == 0 and attempt.policy.mail not in ("always", "failure")):
            attempt.program = None

    def vanished(self, attempt: Attempt) -> None:
        """Take note that the process of a survivor is gone."""
        self.attempts.vanished(attempt.key)
        self._starting.vanished(attempt)
        at = time.time()
        self._tell(Vanished(self.facts.next_number(), attempt.key, at))
        size = self._outputs.size(attempt.uid, attempt.key)
        ending = Ending(at=at, seconds=time.monotonic() - attempt.began, output_size=size)
        for told in self.on_ended:
            self._guard(told, attempt, ending)
        attempt.output_size = size
        if size == 0:
            self._outputs.remove(attempt.uid, attempt.key)

    def _explain(self, attempt: Attempt, trouble: Trouble) -> str:
        """Tell what kept the process of `attempt` from its command; return it in words."""
        error = os.strerror(trouble.errno)
        program = attempt.program
        if trouble.stage is Stage.CHDIR and program is not None:
            folder = os.fsdecode(program.directory)
            what = "home" if attempt.policy.working_dir is None else "folder"
            detail = f"cannot enter the {what} {folder}: {error}"
            self._log.event(
                "CRON",
                "ERROR chdir failed",
                folder,
                error=error,
                program=self._log.job_program,
                pid=attempt.pid,
            )
        elif trouble.stage is Stage.EXEC and program is not None:
            detail = f"cannot execute {os.fsdecode(program.path)}: {error}"
            self._log.event(attempt.user, "ERROR", detail)
        else:
            doing = "become" if trouble.stage is Stage.USER else "make a process for"
            detail = f"cannot {doing} {attempt.user}: {error}"
            self._log.event(attempt.user, "ERROR", detail)
        self._tell_not_started(attempt.key, _REASONS[trouble.stage], detail)
        return detail

    # --- telling -------------------------------------------------------------------------------

    def _tell_not_started(self, key: str, reason: str, detail: str) -> None:
        detail = detail.replace("\0", "")[:2000]
        self._tell(NotStarted(self.facts.next_number(), key, time.time(), reason, detail))

    def _tell(self, fact: Started | NotStarted | Exited | Vanished) -> None:
        self._send_payload(self.facts.add(fact))
        if len(self.facts) > LIMIT and self.scheduler is not None:
            self.scheduler.kill(f"{LIMIT} facts are not acknowledged")

    def _send(self, fact: Any) -> None:
        if self.scheduler is not None:
            self.scheduler.send(fact)

    def _send_payload(self, payload: bytes) -> None:
        if self.scheduler is not None:
            self.scheduler.send_payload(payload)


def _memory_of(usage: struct_rusage) -> int:
    """Return the most memory a job used in KiB, or 0 where that is unknown.

    Until exec a process has our memory, and the kernel counts it: a figure about as large as ours now says
    nothing. (Our own peak will not do: it holds that of whoever started us, in the same way.)
    """
    try:
        with open("/proc/self/statm", "rb", buffering=0) as file:
            ours = int(file.read(64).split()[1]) * (os.sysconf("SC_PAGE_SIZE") // 1024)
    except (OSError, IndexError, ValueError):
        return 0
    return usage.ru_maxrss if usage.ru_maxrss > ours + _MEMORY_MARGIN else 0
