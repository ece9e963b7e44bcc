"""Stories: what was done to a cron, and what it did, in one file that reads from top to bottom.

Lines that begin with `> ` are done; lines that begin with `| ` are a crontab; indented lines are what came of
it, written by this runner; `#` and empty lines are for the reader. A process is called by its command, by
`COMMAND condition` or by `COMMAND wait_for`; a job by its command or its name.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from crond.core.clockwork import Reading
from crond.core.memory import Memory
from crond.model.actions import Action, Changed, Notice, Record, Remember, Send
from crond.model.alert import Flip, addressee, flip_of
from crond.model.events import (
    BackfillRequested,
    Event,
    MarkRequested,
    MuteRequested,
    PauseRequested,
    RerunRequested,
    ResumeRequested,
    RunRequested,
    StopRequested,
    UnmuteRequested,
)
from crond.model.job import Job
from crond.model.messages import (
    Exited,
    NotStarted,
    Pairs,
    Start,
    Started,
    Stop,
    Survived,
    TableRefused,
    TablesComplete,
    Vanished,
    attempt_key,
)
from crond.model.run import Outcome, Run, State, Wait
from crond.model.specials import parse_duration
from crond.zones import tzinfo_named
from tests.core.driving import Driver, durable, flips_in


class Story(Driver):
    """Does what a story says, as engine, clock and launcher."""

    def __init__(self) -> None:
        super().__init__(wall=0.0)
        self.told: list[str] = []
        self.crontab: list[str] = []
        self.held: set[str] = set()  # processes that run until `exit`; "" is all of them
        self.ends: dict[str, tuple[int, Pairs]] = {}  # how the others end: wait status and data
        self.cut = False
        self.processes: dict[str, str] = {}  # of attempts: what the process is called while it runs, else ""
        self.survivors: list[str] = []
        self.waits: dict[str, Wait | None] = {}  # of runs: what was told last
        self.facts: deque[Event] = deque()  # what the launcher will say next
        self.stepping = False

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

    def _settings(self, rest: str) -> None:
        """`settings on_trouble=ops held_after=1h`: of the next cron."""
        for name, _, value in (word.partition("=") for word in rest.split()):
            if name == "on_trouble":
                self.trouble = tuple(map(addressee, value.split(",")))
            else:
                self.limits[name] = float(_seconds(value))

    def _refuse(self, reason: str) -> None:
        """`refuse WRONG OWNER`: the crontab is not obeyed until the next edit."""
        self.step(TableRefused("tab", "me", 7, reason))

    def _edit(self, _rest: str) -> None:
        self.edit("".join(f"{one}\n" for one in self.crontab))

    def _hold(self, label: str) -> None:
        """From now on processes, or those called so, run until `exit` says otherwise."""
        self.held.add(label)

    def _let(self, rest: str) -> None:
        """`let a exit 1 KEY=VALUE`: from now on it ends so, at once. `let a condition exit 1`, too."""
        label, _, end = rest.partition(" exit ")
        status, *data = end.split()
        self.held.discard(label)
        self.ends[label] = (int(status) << 8, _pairs(data))

    def _exit(self, rest: str) -> None:
        """`exit COMMAND STATUS KEY=VALUE`: its oldest process ends."""
        label, status, data = _taken_apart(rest)
        self._end(label, status << 8, data)

    def _signal(self, rest: str) -> None:
        """`signal COMMAND 9`: a signal ends it."""
        label, number, data = _taken_apart(rest)
        self._end(label, number, data)

    def _vanish(self, label: str) -> None:
        """A survivor ends, and nobody can know how."""
        key = self._key_of(label)
        self.processes[key] = ""
        self.step(Vanished(self.number(), key, self.now.wall))

    def _end(self, label: str, status: int, data: Pairs) -> None:
        key = self._key_of(label)
        self.processes[key] = ""
        self.step(self._exited(key, status, data))

    def _exited(self, key: str, status: int, data: Pairs) -> Exited:
        return Exited(self.number(), key, self.now.wall, status, 0.0, 0.0, 0, 0, 0, 0, data)

    def _key_of(self, label: str) -> str:
        return next(key for key, held in self.processes.items() if held == label)

    def _lose(self, _rest: str) -> None:
        """`lose wishes`: what the scheduler asks from now on dies with it."""
        self.cut = True

    def _scheduler(self, _rest: str) -> None:
        """`scheduler restarts`, with what its journal holds."""
        self.cut = False
        self.restart()

    def _launcher(self, rest: str) -> None:
        """`launcher restarts`, and all its processes are gone; `launcher restarts without COMMAND`: only that
        one, the others survive.
        """
        _, without, gone = rest.partition(" without ")
        alive = [key for key, held in self.processes.items() if held and held != gone]
        self.survivors = alive if without else []
        self.processes = {key: self.processes[key] for key in self.survivors}
        self.restart(life=f"life at {self.now.wall}")

    def _down(self, rest: str) -> None:
        """`down 2h`: for that long there is no cron at all."""
        self.pass_by(_seconds(rest))
        self._launcher("restarts")
        self.wake()

    def _boot(self, _rest: str) -> None:
        self.processes.clear()
        self.survivors = []
        self.restart(life=f"life at {self.now.wall}", boot=f"boot at {self.now.wall}")

    def begin(self, text: str, *, reboot: bool = True) -> None:
        """Say hello, with one table and the processes that survived."""
        self.greet(reboot=reboot)
        self.edit(text)
        for key in self.survivors:
            if self.processes[key]:
                self.step(Survived(key, 1))
        self.step(TablesComplete())

    def _load(self, rest: str) -> None:
        """`load 3.5`: so busy is the host from now on."""
        load: dict[str, Any] = {"load": float(rest)}
        self.now = replace(self.now, **load)
        self.wake()

    def _run(self, rest: str) -> None:
        """`run JOB`, `run JOB --downstream`, `run JOB NAME=VALUE`."""
        name, *more = rest.split()
        downstream = "--downstream" in more
        environment = _pairs([word for word in more if "=" in word])
        self.step(RunRequested(self._job(name).id, 0, environment, downstream))

    def _rerun(self, rest: str) -> None:
        """`rerun JOB`, with `--downstream` and `--failed`: the newest run of it."""
        name, *more = rest.split()
        run = self._newest(name)
        self.step(RerunRequested(run.id, 0, "--downstream" in more, "--failed" in more))

    def _mark(self, rest: str) -> None:
        """`mark JOB success` or `mark JOB failed`: its newest run counts as that."""
        name, outcome = rest.split()
        self.step(MarkRequested(self._newest(name).id, 0, Outcome(outcome)))

    def _pause(self, rest: str) -> None:
        """`pause JOB`, `pause JOB 1h`."""
        name, *span = rest.split()
        until = self.now.wall + _seconds(span[0]) if span else None
        self.step(PauseRequested(self._job(name).id, 0, until, "told so"))

    def _mute(self, rest: str) -> None:
        """`mute JOB`, `mute JOB 1h`."""
        name, *span = rest.split()
        until = self.now.wall + _seconds(span[0]) if span else None
        self.step(MuteRequested(self._job(name).id, 0, until, "told so"))

    def _unmute(self, name: str) -> None:
        self.step(UnmuteRequested(self._job(name).id, 0))

    def _resume(self, name: str) -> None:
        self.step(ResumeRequested(self._job(name).id, 0))

    def _backfill(self, rest: str) -> None:
        """`backfill JOB 2026-06-01T12:00`, local time."""
        name, moment = rest.split()
        local = datetime.fromisoformat(moment).replace(tzinfo=tzinfo_named(self.zone))
        self.step(BackfillRequested(self._job(name).id, 0, local.timestamp()))

    def _stop(self, label: str) -> None:
        """`stop COMMAND`, or `stop JOB` where nothing of it runs."""
        key = next((key for key, held in self.processes.items() if held == label), None)
        run = self._newest(label).id if key is None else key.rpartition(".")[0]
        self.step(StopRequested(run, 0))

    def _job(self, name: str) -> Job:
        return next(job for job in self.engine.jobs.values() if name in (job.entry.raw, job.entry.name))

    def _newest(self, name: str) -> Run:
        job = self._job(name).id
        return next(run for run in reversed(self._runs()) if run.job == job)

    def _count(self, _rest: str) -> None:
        """Say how the runs that are remembered ended, instead of each."""
        outcomes = [run.outcome.value if run.outcome else run.state.value for run in self._runs()]
        counted = ", ".join(f"{outcomes.count(one)} {one}" for one in sorted(set(outcomes)))
        self.told.append(f"    remembered: {counted}")

    # --- what comes of it -----------------------------------------------------------------------------------

    def step(self, event: Event) -> list[Action]:
        actions = super().step(event)
        is_inner, self.stepping = self.stepping, True
        for action in actions:
            if isinstance(action, Remember):
                self._say_flips(action.record)
            if isinstance(action, Send) and isinstance(action.wish, Start):
                self._start_process(action.wish)
            elif isinstance(action, Send) and isinstance(action.wish, Stop):
                self._say_stop(action.wish.attempt)
            elif isinstance(action, Changed):
                self._say_wait(action.run)
                self._say_end(action.run)
            elif isinstance(action, Notice):
                self._say(action.text)
        # What comes of a start is heard after all that was decided with it.
        while self.facts and not is_inner:
            self.step(self.facts.popleft())
        self.stepping = is_inner
        return actions

    def _start_process(self, wish: Start) -> None:
        key = attempt_key(wish.run, wish.attempt)
        if self.cut:
            self._say("a start is lost")
        elif key in self.processes:
            self.facts.append(NotStarted(self.number(), key, self.now.wall, "duplicate", ""))
        elif wish.table != self.version:
            self._say("a start is stale")
            self.facts.append(NotStarted(self.number(), key, self.now.wall, "stale", ""))
        else:
            run = self.engine.memory.runs[wish.run]
            command = self.engine.jobs[run.job].entry.raw
            label = command if wish.part == "command" else f"{command} {wish.part}"
            again = f", attempt {wish.attempt}" if wish.attempt > 1 else ""
            self._say(f"{label} starts{self._for(run)}{again}{_given(wish.environment)}")
            is_held = bool(self.held & {"", label})
            self.processes[key] = label if is_held else ""
            self.facts.append(Started(self.number(), key, 1, self.now.wall))
            if not is_held:
                self.facts.append(self._exited(key, *self.ends.get(label, (0, ()))))

    def _say_stop(self, attempt: str) -> None:
        label, name = self.processes.get(attempt, ""), ""
        run = self.engine.memory.runs.get(attempt.rpartition(".")[0])
        if run is not None and run.job in self.engine.jobs:
            name = self.engine.jobs[run.job].entry.name or ""
        self._say(f"stop sent to {label}" if name and label else "stop sent")

    def _say_flips(self, record: Record) -> None:
        """What is told, to whom, and the most of what it says."""
        told = [flip_of(values) for values in flips_in(durable([record])[0])]
        for flip in told:
            to = ", ".join(one.label for one in flip.addressees)
            about = "; ".join(self._facts_of(flip))
            job = f" {flip.job.partition('/')[2]}" if flip.job else ""
            self._say(f"flip {flip.event}{job} to {to}{': ' if about else ''}{about}")

    def _facts_of(self, flip: Flip) -> Iterator[str]:
        if flip.promise:
            yield f"{flip.promise} {flip.promised:g} s"
        if flip.outcome:
            yield f"{flip.outcome}{f' ({flip.reason})' if flip.reason else ''}"
        elif flip.reason:
            yield flip.reason
        if flip.failures > 1:
            yield f"{flip.failures} in a row"
        if flip.instant is not None and not flip.outcome:
            yield f"for {self._local(flip.instant)}"
        if flip.missed:
            yield f"missed {flip.missed}"
        if flip.again_at is not None:
            yield f"again at {self._local(flip.again_at)}"
        if flip.pipeline:
            yield f"in {flip.pipeline}"
        if flip.held_up:
            yield f"holds up {', '.join(one.partition('/')[2] for one in flip.held_up)}"
        if flip.muted:
            yield "muted"

    def _local(self, moment: float) -> str:
        return f"{datetime.fromtimestamp(moment, tzinfo_named(self.zone)):%m-%d %H:%M:%S}"

    def _say_wait(self, run: Run) -> None:
        """Once for each thing that it waits for."""
        waits = run.waits if run.state is State.WAITING else None
        if waits is not None and self.waits.get(run.id) is not waits:
            self._say(f"{self._command_of(run)} waits for {waits.value}{self._for(run)}")
        self.waits[run.id] = waits

    def _say_end(self, run: Run) -> None:
        if run.outcome in (None, Outcome.SUCCESS):
            return
        reason = f" ({run.reason})" if run.reason else ""
        outcome = run.outcome and run.outcome.value
        self._say(f"{self._command_of(run)} ends{self._for(run)}: {outcome}{reason}")

    def _command_of(self, run: Run) -> str:
        job = self.engine.jobs.get(run.job)
        return job.entry.raw if job else run.job.partition("/")[2].partition("-")[0]

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


def _taken_apart(text: str) -> tuple[str, int, Pairs]:
    """`a condition 1 KEY=VALUE`: what it is called, the number, and what it left."""
    words = text.split()
    number = next(at for at, word in enumerate(words) if at and word.isdecimal())
    return " ".join(words[:number]), int(words[number]), _pairs(words[number + 1 :])


def _pairs(words: list[str]) -> Pairs:
    return tuple((name, value) for name, _, value in (word.partition("=") for word in words))


def _given(environment: Pairs) -> str:
    """What is told of a process's environment: data of parents, slots, and what was asked for."""
    told = [
        f"{name}={value}" for name, value in environment if name == _SLOTS or not name.startswith("CRONTABX_")
    ]
    return f" with {' '.join(told)}" if told else ""


_SLOTS = "CRONTABX_POOL_SLOTS"
