"""Stories: what was done to a cron, and what it did, in one file that reads from top to bottom.

Lines that begin with `> ` are done; lines that begin with `| ` are a crontab; indented lines are what came of
it, written by this runner; `#` and empty lines are for the reader.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime

from crond.core.clockwork import Reading
from crond.core.memory import Memory
from crond.model.actions import Action, Changed, Notice, Send
from crond.model.events import Event, RunRequested, StopRequested
from crond.model.messages import Exited, NotStarted, Start, Started, Stop, attempt_key
from crond.model.run import Outcome, Run
from crond.model.specials import parse_duration
from crond.zones import tzinfo_named
from tests.core.driving import Driver


class Story(Driver):
    """Does what a story says, as engine, clock and launcher."""

    def __init__(self) -> None:
        super().__init__(wall=0.0)
        self.told: list[str] = []
        self.crontab: list[str] = []
        self.holding = False
        self.cut = False
        self.processes: dict[str, str] = {}  # of attempts: the command while it runs, else ""

    def tell(self, text: str) -> str:
        """Return the story with what comes of it now."""
        pending = ""
        for line in [*text.splitlines(), ""]:
            if line.startswith("| "):
                self.crontab.append(line[2:])
            elif pending:
                self._do(pending)
                pending = ""
            if line.startswith("> "):
                pending = line[2:]
                self.crontab = []
            if line.startswith(("> ", "| ", "#")) or not line:
                self.told.append(line)
        return "\n".join(self.told).rstrip() + "\n"

    # --- what can be done -----------------------------------------------------------------------------------

    def _do(self, line: str) -> None:
        verb, _, rest = line.partition(" ")
        getattr(self, f"_{verb}")(rest)

    def _cron(self, rest: str) -> None:
        """`cron 2026-03-08 00:30 America/New_York`: it comes up there and then, with this crontab."""
        moment, _, self.zone = rest.rpartition(" ")
        local = datetime.fromisoformat(moment).replace(tzinfo=tzinfo_named(self.zone))
        self.now = Reading(local.astimezone(UTC).timestamp(), 1e4, 1e4)
        self.began = self.now.wall
        self.engine = self._engine(Memory())
        self.begin("".join(f"{one}\n" for one in self.crontab))

    def _wait(self, rest: str) -> None:
        self.go(_seconds(rest))

    def _stall(self, rest: str) -> None:
        """The machine runs, and the scheduler does not."""
        self.pass_by(_seconds(rest))
        self.wake()

    def _suspend(self, rest: str) -> None:
        by = _seconds(rest)
        self.now = Reading(self.now.wall + by, self.now.mono, self.now.boot + by)
        self.wake()

    def _clock(self, rest: str) -> None:
        """`clock back 1h`, `clock forward 1h`."""
        direction, _, by = rest.partition(" ")
        self.set_clock(-_seconds(by) if direction == "back" else _seconds(by))
        self.wake()

    def _edit(self, _rest: str) -> None:
        self.edit("".join(f"{one}\n" for one in self.crontab))

    def _hold(self, _rest: str) -> None:
        """From now on commands run until `exit` says otherwise."""
        self.holding = True

    def _exit(self, rest: str) -> None:
        """`exit COMMAND STATUS`: its oldest process ends."""
        command, _, status = rest.partition(" ")
        key = next(key for key, held in self.processes.items() if held == command)
        self.processes[key] = ""
        self.step(Exited(self.number(), key, self.now.wall, int(status) << 8, 0.0, 0.0, 0, 0))

    def _lose(self, _rest: str) -> None:
        """`lose wishes`: what the scheduler asks from now on dies with it."""
        self.cut = True

    def _scheduler(self, _rest: str) -> None:
        """`scheduler restarts`, with what its journal holds."""
        self.cut = False
        self.restart()

    def _launcher(self, _rest: str) -> None:
        """`launcher restarts`, and all its processes are gone."""
        self.processes.clear()
        self.restart(life=f"life at {self.now.wall}")

    def _boot(self, _rest: str) -> None:
        self.processes.clear()
        self.restart(life=f"life at {self.now.wall}", boot=f"boot at {self.now.wall}")

    def _run(self, command: str) -> None:
        job = next(job for job in self.engine.jobs.values() if job.entry.raw == command)
        self.step(RunRequested(job.id, 0))

    def _stop(self, command: str) -> None:
        key = next(key for key, held in self.processes.items() if held == command)
        self.step(StopRequested(key.partition(".")[0], 0))

    def _count(self, _rest: str) -> None:
        """Say how the runs that are remembered ended, instead of each."""
        outcomes = [run.outcome.value if run.outcome else run.state.value for run in self._runs()]
        counted = ", ".join(f"{outcomes.count(one)} {one}" for one in sorted(set(outcomes)))
        self.told.append(f"    remembered: {counted}")

    # --- what comes of it -----------------------------------------------------------------------------------

    def step(self, event: Event) -> list[Action]:
        actions = super().step(event)
        for action in actions:
            if isinstance(action, Send) and isinstance(action.wish, Start):
                self._start_process(action.wish)
            elif isinstance(action, Send) and isinstance(action.wish, Stop):
                self._say("stop sent")
            elif isinstance(action, Changed):
                self._say_end(action.run)
            elif isinstance(action, Notice):
                self._say(action.text)
        return actions

    def _start_process(self, wish: Start) -> None:
        key = attempt_key(wish.run, wish.attempt)
        if self.cut:
            self._say("a start is lost")
        elif key in self.processes:
            self.step(NotStarted(self.number(), key, self.now.wall, "duplicate", ""))
        elif wish.table != self.version:
            self._say("a start is stale")
            self.step(NotStarted(self.number(), key, self.now.wall, "stale", ""))
        else:
            run = self.engine.memory.runs[wish.run]
            command = self.engine.jobs[run.job].entry.raw
            self._say(f"{command} starts{self._for(run)}")
            self.processes[key] = command if self.holding else ""
            self.step(Started(self.number(), key, 1, self.now.wall))
            if not self.holding:
                self.step(Exited(self.number(), key, self.now.wall, 0, 0.0, 0.0, 0, 0))

    def _say_end(self, run: Run) -> None:
        if run.outcome in (None, Outcome.SUCCESS):
            return
        job = self.engine.jobs.get(run.job)
        command = job.entry.raw if job else run.job.partition("/")[2].partition("-")[0]
        reason = f" ({run.reason})" if run.reason else ""
        self._say(f"{command} ends{self._for(run)}: {run.outcome and run.outcome.value}{reason}")

    def _for(self, run: Run) -> str:
        instant = datetime.fromtimestamp(run.instant, tzinfo_named(self.zone))
        same = int(run.instant // 60) == int(self.now.wall // 60)
        number = f" #{run.ordinal}" if run.ordinal else ""
        return number if same else f" for {instant:%H:%M %Z}{number}"

    def _say(self, text: str) -> None:
        local = datetime.fromtimestamp(self.now.wall, tzinfo_named(self.zone))
        self.told.append(f"    {local:%m-%d %H:%M:%S %Z}  {text}")

    def _runs(self) -> list[Run]:
        return list(self.engine.memory.runs.values())


def _seconds(text: str) -> int:
    seconds = parse_duration(re.sub(r"\s", "", text))
    if seconds is None:
        raise ValueError(f"{text!r} is no duration")
    return seconds
