"""The judge: hears what crosses the engine's walls, in order, and knows the promises. It asks nobody inside.

What it hears are the readings, the records that became durable, the wishes that left, which processes live,
and which tables were told. What it says is Broken. The world calls it; tests hand it records made by hand.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC
from math import isfinite
from typing import Any

from crond.core.clockwork import Reading
from crond.model.actions import Record
from crond.model.dependency import Dependency
from crond.model.entry import Entry
from crond.model.job import Job
from crond.model.messages import Start, Stop
from crond.model.policy import Policy
from crond.model.run import (
    FAILURES,
    TRANSITIONS,
    Attempt,
    Outcome,
    Parent,
    Run,
    State,
    Trigger,
    Wait,
    Want,
    run_id,
)
from crond.model.schedule import After, Every
from tests.simulation import reference
from tests.simulation.launcher import Broken
from tests.simulation.rules import end_of, verdict
from tests.simulation.told import Told

_DAY = 86400.0
#: No run may take longer than this, in seconds of a machine that is awake: every wait ends.
LONGEST = 20 * _DAY
#: A due that was planned may wait so long until there is a run: while the scheduler is away, say.
_UNANSWERED = 6 * 3600.0
#: A due may come so much later than its instant, where many minutes are made up one by one.
_LAG = 3600.0
#: After a clock was set, a stall or a start of the launcher, dues follow cron's rules for jumps so long.
_JUMPY = 4 * 3600.0
#: How many finished runs of a job may be remembered.
KEPT = 10
#: Seconds by which times in messages and the clock may differ.
_SLACK = 5.0
_ALIVE = frozenset((State.STARTING, State.RUNNING, State.STOPPING))
#: What a table made due, and what may answer for those who depend on it.
_BY_TABLE = frozenset((Trigger.SCHEDULE, Trigger.REBOOT, Trigger.CATCHUP))
_DONE_WELL = frozenset((Outcome.SUCCESS, Outcome.SKIPPED))


@dataclass(slots=True)
class Seen:
    """A run as it was last recorded. `born` and `born_at` (monotonic) are of its first record."""

    run: Run
    born: int
    born_at: float
    revived: bool = False
    granted: bool = False  #: its parents let it go, and are not asked again
    ran: float = float("-inf")  #: when the scheduler knew of its process (monotonic)
    active: bool = False  #: counts against `max_instances`
    slots: tuple[int, ...] = ()
    asked: set[int] = field(default_factory=set)  #: attempts whose start was asked for


@dataclass(slots=True)
class Window:
    """A time in which one definition of a job was in force and nothing jumped; `checked` is how far (wall)
    its dues were compared with the reference.
    """

    entry: Entry
    checked: float


class Judge:
    """Everything that one world lets it know."""

    def __init__(self, zone: str) -> None:
        self.zone = zone
        self.now = Reading(0.0, 0.0, 0.0)
        self.figures: Counter[str] = Counter()
        self.told = Told()
        self.jobs: dict[str, Job] = {}
        self.pools: dict[str, int] = {}
        self.runs: dict[str, Seen] = {}
        self.live: dict[str, float] = {}  #: attempts whose processes live: since when (monotonic)
        self.ends: dict[str, tuple[Outcome | None, int]] = {}  #: of every run there ever was, its starts too
        self.moment = 0  #: counts changes of tables
        self._changed = 0  #: the moment of the last of them
        self._definitions: dict[str, list[tuple[int, Entry | None]]] = {}
        self._pool_sizes: dict[str, list[tuple[int, int]]] = {}
        self._of_job: dict[str, dict[str, Seen]] = defaultdict(dict)
        self._windows: dict[str, Window] = {}
        self._dues: dict[str, dict[float, tuple[int, float]]] = defaultdict(dict)  #: instant -> when, wall
        self._due_order: dict[str, dict[tuple[float, int], int]] = defaultdict(dict)
        self._due_count = 0
        self._pending: dict[tuple[str, float, int, Trigger], float] = {}
        self._paused: dict[str, tuple[float, float]] = {}
        self._stops: set[str] = set()
        self._jumped = float("-inf")  #: monotonic: since then no clock was set and nothing slept
        self._unsteady = float("-inf")  #: monotonic: until then cron's rules for jumps may repeat a minute
        self._back_to: list[tuple[int, float]] = []  #: where the clock was set back to, and after which due
        self._changes = 0

    # --- what it hears -----------------------------------------------------------------------------------

    def reads(self, now: Reading) -> None:
        """The clock is looked at."""
        self.now = now

    def jumped(self, *, back_to: float | None = None, missed: bool = True) -> None:
        """The clock was set (back, if so to which time), or something stood still: `missed` if cron makes up
        less than every minute.
        """
        self._jumped = self.now.mono
        if missed:
            self._unsteady = self.now.mono + _JUMPY
        if back_to is not None:
            self._back_to.append((self._due_count, back_to))
        for window in self._windows.values():
            if missed or isinstance(window.entry.schedule, Every):
                window.checked = max(window.checked, self.now.wall + _JUMPY)

    def tables(self, jobs: Iterable[Job], pools: dict[str, int]) -> None:
        """These are the jobs from now on, and the pools, OWNER/NAME."""
        self.moment += 1
        before, self.jobs = self.jobs, {job.id: job for job in jobs}
        self._changed = self.moment
        for name in before.keys() | self.jobs.keys():
            job, old = self.jobs.get(name), before.get(name)
            entry = None if job is None else job.entry
            if _shape(entry) == _shape(None if old is None else old.entry):
                continue
            if old is not None:
                self._compare(name)
            self._windows.pop(name, None)
            if entry is not None:
                self._windows[name] = Window(entry, self.now.wall + 60)
            self._definitions.setdefault(name, []).append((self.moment, entry))
        self.told.tables(self.jobs)
        for name, size in pools.items():
            if self.pools.get(name) != size:
                self._pool_sizes.setdefault(name, []).append((self.moment, size))
        self.pools = pools

    def remembers(self, records: Iterable[Record]) -> None:
        """These records are durable now."""
        for kind, *values in records:
            if kind == "due":
                for due in values[0]:
                    self._due(*tuple(due)[:4])
            elif kind == "run":
                self._tell(*values)
                self._run(values[0])
            elif kind == "flip":
                self.told.flip(values[0])
            elif kind == "mute":
                self.told.muted.add(values[0])
            elif kind == "unmute":
                self.told.muted.discard(values[0])
            elif kind == "forget-job":
                self.told.forget(values[0])
                self.told.muted.discard(values[0])
            elif kind == "pause":
                self._pause(*values)
            elif kind == "forget-run":
                self._forget(values[0])

    def wishes(self, wish: Any) -> None:
        """This leaves for the launcher."""
        if isinstance(wish, Start):
            self.figures["starts wished"] += 1
            if wish.table:
                self._start(wish)
        elif isinstance(wish, Stop):
            self._stops.add(wish.attempt)

    def born(self, key: str) -> None:
        """The launcher made the process of attempt `key`."""
        self.live[key] = self.now.mono

    def died(self, key: str) -> None:
        """The process of attempt `key` is no more."""
        self.live.pop(key, None)
        self._stops.discard(key)

    # --- dues --------------------------------------------------------------------------------------------

    def _due(self, job: str, instant: float, ordinal: int, trigger: str) -> None:
        self.figures["instants"] += 1
        key = (job, instant, ordinal, Trigger(trigger))
        if key in self._pending or run_id(*key) in self.ends:
            raise Broken(f"planned twice: {key}")
        self._pending[key] = self.now.mono
        self._due_count += 1
        self._due_order[job][instant, ordinal] = self._due_count
        if trigger not in (Trigger.SCHEDULE, Trigger.CATCHUP):
            return
        self._may_be_due(job, instant)
        before = self._dues[job].get(instant)
        if before is not None and not self._may_repeat(instant, before[0]):
            raise Broken(f"{job} was due for {instant} before, and the clock was not set back: {key}")
        self._dues[job][instant] = (self._due_count, self.now.wall)

    def _pause(
        self, job: str, since: float, until: float | None, _by: int, _note: str, ended: float | None = None
    ) -> None:
        if ended is None:
            self._paused[job] = (since, float("inf") if until is None else until)
        else:
            self._paused.pop(job, None)
            if job in self._windows:
                window = self._windows[job]
                window.checked = max(window.checked, self.now.wall + 60)

    def _may_repeat(self, instant: float, before: int) -> bool:
        """True if an instant that was due as number `before` may be due once more."""
        if self.zone not in reference.FIXED:
            return True  # a minute in a gap of daylight saving has the moment of the change
        if self.now.mono < self._unsteady:
            return (
                True  # cron serves what follows elapsed time at once, and may do so again while it catches up
            )
        return any(count >= before and wall < instant + 61 for count, wall in self._back_to)

    def _may_be_due(self, name: str, instant: float) -> None:
        """Refuse what no schedule asked for, and what somebody had forbidden."""
        job = self.jobs.get(name)
        if instant > self.now.wall + 1:
            raise Broken(f"{name} is due for {instant} at {self.now.wall}, too early")
        paused = self._paused.get(name)
        if paused is not None and paused[0] + 60 <= instant and self.now.wall < paused[1]:
            raise Broken(f"{name} is due for {instant} while it is paused from {paused[0]} to {paused[1]}")
        if job is None:
            return
        entry, policy = job.entry, job.entry.policy
        if not policy.enabled:
            raise Broken(f"{name} is due, and not enabled")
        offset = reference.offset_of(entry, self.zone)
        for limit, is_begin in ((policy.starts_at, True), (policy.expires_at, False)):
            if limit is not None and offset is not None:
                moment = limit.timestamp() if limit.tzinfo else _utc(limit) - offset
                if (instant < moment) is is_begin:
                    raise Broken(f"{name} is due for {instant}, outside the time in which it is alive")
        if reference.is_simple(entry, self.zone) and instant not in reference.instants(
            entry, self.zone, instant - 1, instant
        ):
            raise Broken(f"{name} is due for {instant}, which {entry.schedule} does not hold")

    def _compare(self, name: str) -> None:
        """Every instant of the reference since the last comparison must have been due."""
        window = self._windows.get(name)
        upto = self.now.wall - _LAG
        if window is None or upto <= window.checked:
            return
        after, window.checked = window.checked, upto
        entry, paused = window.entry, self._paused.get(name)
        if paused is not None or not entry.policy.enabled or entry.policy.skip_on:
            return
        offset = reference.offset_of(entry, self.zone)
        limits = (entry.policy.starts_at, entry.policy.expires_at)
        if any(
            limit is not None and (offset is None or abs(_utc(limit) - upto) < 400 * _DAY) for limit in limits
        ):
            return
        for instant in self._expected(name, entry, after, upto):
            self.figures["instants compared"] += 1
            if instant not in self._dues[name]:
                raise Broken(f"{name} ({entry.schedule}) was never due for {instant}, and nothing says why")

    def _expected(self, name: str, entry: Entry, after: float, upto: float) -> Iterator[float]:
        if isinstance(entry.schedule, After):
            parent = self._named(name, entry.policy.depends_on[0]) if entry.policy.depends_on else None
            known = {} if parent is None or self._is_held(name) else self._dues[parent.id]
            return (one for one, (_, wall) in list(known.items()) if after < one <= upto and wall <= upto)
        if reference.is_simple(entry, self.zone):
            return reference.instants(entry, self.zone, after, upto)
        return iter(())

    # --- runs --------------------------------------------------------------------------------------------

    def _tell(self, run: Run, news: dict[str, Any] | None = None) -> None:
        seen = self.runs.get(run.id)
        if seen is not None and seen.run.state is not State.FINISHED:
            self._check_promises(seen)
        flips = [] if news is None else news["flips"]
        self.told.run(None if seen is None else seen.run, run, self.jobs.get(run.job), flips)

    def _run(self, run: Run) -> None:
        seen = self.runs.get(run.id)
        before = State.DUE if seen is None else seen.run.state
        if run.state is not before and run.state not in TRANSITIONS[before]:
            raise Broken(f"{run.id} of {run.job}: {before} -> {run.state}")
        if seen is None:
            if run.id in self.ends:
                raise Broken(f"{run.id} of {run.job} was forgotten, and is there again")
            self.figures["runs"] += 1
            seen = self.runs[run.id] = Seen(run, self.moment, self.now.mono)
            self._of_job[run.job][run.id] = seen
        elif before is State.FINISHED and run.state is not State.FINISHED:
            if run.by is None:
                raise Broken(f"{run.id} of {run.job} runs again, and nobody asked for it")
            seen.revived, seen.granted, seen.born, seen.born_at = True, False, self.moment, self.now.mono
            self.figures["runs again"] += 1
        if run.state is State.RUNNING and before is not State.RUNNING:
            seen.ran = self.now.mono
        self._pending.pop((run.job, run.instant, run.ordinal, run.trigger), None)
        if _is_active(run) and not seen.active:
            self._check_overlap(seen)
        if run.slots and run.slots != seen.slots:
            self._check_slots(seen, run)
        seen.run, seen.active, seen.slots = run, _is_active(run), run.slots
        if run.state is State.FINISHED and before is not State.FINISHED:
            self._finished(seen, before)
        self.ends[run.id] = (run.outcome, run.starts)

    def _finished(self, seen: Seen, before: State) -> None:
        run = seen.run
        self.figures[f"ended {run.outcome}"] += 1
        if run.outcome is None or run.ended_at is None:
            raise Broken(f"{run.id} of {run.job} is finished without an outcome, or a time")
        needs_reason = (Outcome.SKIPPED, Outcome.UPSTREAM_FAILED, Outcome.COULD_NOT_START, Outcome.LOST)
        if run.outcome in needs_reason and not run.reason and not _skip_code(run):
            raise Broken(f"{run.id} of {run.job} ended as {run.outcome}, and nothing says why")
        if run.outcome is Outcome.STOPPED and run.want is Want.RUN and not run.reason:
            raise Broken(f"{run.id} of {run.job} was stopped, and nobody wanted that")
        # A sensor that was given up may take its time to end.
        alive = [key for key in self.live if key.rpartition(".")[0] == run.id and "-" not in key]
        if alive:
            raise Broken(f"{run.id} of {run.job} is finished while {alive} run")
        if run.want is Want.RUN:
            self._check_end(seen, before)

    def _check_end(self, seen: Seen, before: State) -> None:
        """The outcome of a run that nobody touched follows from its last attempt, parents and keys."""
        run, policies = seen.run, self._policies(seen)
        is_by_parents = run.parents and policies and not any(one.depends_on_past for one in policies)
        if run.outcome is Outcome.UPSTREAM_FAILED and is_by_parents:
            said = [self._rule(seen, policy) for policy in policies]
            if "upstream_failed" not in said:
                raise Broken(f"{run.id} of {run.job}: its parents do not make it fail: {run.parents}")
        last = run.attempts[-1] if run.attempts else None
        if last is None or last.part != "command" or len(policies) != 1 or before not in _ALIVE:
            return
        if run.job not in self.jobs:
            return  # what is in no table any more has no keys
        policy = policies[0]
        if last.exit_code is not None and not policy.fail_on_output:
            wanted = _judged(last.exit_code, policy)
            if run.outcome is not wanted and run.outcome is not Outcome.TIMED_OUT:
                raise Broken(f"{run.id} of {run.job} ended as {run.outcome} by exit {last.exit_code}")
        kind = _failure(run.outcome, last)
        if kind is not None and last.number - run.spent <= policy.retries and _is_retried(kind, last, policy):
            raise Broken(
                f"{run.id} of {run.job} failed for good at attempt {last.number} of {policy.retries + 1}"
                f" (after {before})"
            )

    def _check_overlap(self, seen: Seen) -> None:
        """No more runs of a job at once than it may have."""
        job = seen.run.job
        others = [one for one in self._of_job[job].values() if one is not seen and one.active]
        if not others:
            return
        entries = self._entries(min((seen, *others), key=lambda one: one.born))
        if not entries:
            return
        limits = [_limit(entry) for entry in entries]
        if len(others) + 1 > max(limits):
            raise Broken(
                f"{job}: {len(others) + 1} runs at once, of at most {max(limits):g}: {seen.run.id} joins"
                f" {[(one.run.id, str(one.run.state)) for one in others]}"
            )

    def _check_slots(self, seen: Seen, run: Run) -> None:
        """No slot of a pool is used twice, and none that the pool does not have."""
        if len(set(run.slots)) != len(run.slots):
            raise Broken(f"{run.id} of {run.job} has a slot twice: {run.slots}")
        oldest = seen.born
        for other in self.runs.values():
            if other is not seen and other.run.pool == run.pool and other.run.state is not State.FINISHED:
                oldest = min(oldest, other.born)
                if set(other.run.slots) & set(run.slots):
                    raise Broken(f"slots of {run.pool} used twice: {run.id} and {other.run.id}: {run.slots}")
        size = max(_since(self._pool_sizes.get(run.pool, []), oldest), default=0)
        if max(run.slots) >= size:
            raise Broken(f"{run.id} of {run.job} has slots {run.slots} of {run.pool}, which has {size}")

    def _forget(self, name: str) -> None:
        seen = self.runs.pop(name, None)
        if seen is None:
            return
        if seen.run.state is not State.FINISHED:
            raise Broken(f"{name} of {seen.run.job} is forgotten, and {seen.run.state}")
        del self._of_job[seen.run.job][name]

    # --- starts ------------------------------------------------------------------------------------------

    def _start(self, wish: Start) -> None:
        seen = self.runs.get(wish.run)
        if seen is None:
            raise Broken(f"a start of {wish.run}, of which nothing is remembered")
        run = seen.run
        attempt = next((one for one in run.attempts if one.number == wish.attempt), None)
        if attempt is None:
            raise Broken(f"attempt {wish.attempt} of {wish.run} is asked for before it is remembered")
        if attempt.part != wish.part:
            raise Broken(f"attempt {wish.attempt} of {wish.run} is no {wish.part}")
        if run.state is State.FINISHED:
            raise Broken(f"attempt {wish.attempt} of {wish.run} is asked for after its end")
        if wish.attempt in seen.asked:
            return  # asked again, since the answer may be lost
        first = not any(number > run.spent or number <= 0 for number in seen.asked) or seen.revived
        seen.asked.add(wish.attempt)
        policies = self._policies(seen)
        if not policies:
            return
        if not seen.granted:
            seen.granted = True
            self._check_parents(seen, policies)
        if wish.part == "command":
            self._check_tries(seen, attempt, policies)
            self._check_gates(seen, policies)
            self._check_environment(wish, seen, policies)
        if first and wish.part != "wait_for":
            self._check_deadline(seen, policies)

    def _check_parents(self, seen: Seen, policies: list[Policy]) -> None:
        """Its parents let it go, they are the right ones, and they stand as they ended."""
        run = seen.run
        if run.trigger in _BY_TABLE and not seen.revived:
            if all(len(run.parents) != len(policy.depends_on) for policy in policies):
                raise Broken(
                    f"{run.id} of {run.job} starts with parents {run.parents}, and depends on others"
                )
            if seen.born >= self._changed and self._is_held(run.job):
                raise Broken(f"{run.id} of {run.job} starts, and its job is held")
        if not run.parents:
            return
        said = [self._rule(seen, policy) for policy in policies]
        if "run" not in said:
            raise Broken(f"{run.id} of {run.job} starts, while its parents say {said}: {run.parents}")
        for parent in run.parents:
            self._check_parent(run, parent, is_checked=not seen.revived and run.trigger in _BY_TABLE)

    def _rule(self, seen: Seen, policy: Policy) -> str:
        run = seen.run
        late = self.now.mono - seen.born_at + _SLACK >= policy.depends_timeout
        late = late or self.now.wall - run.instant + _SLACK >= policy.depends_timeout
        # One that the newest definition does not name any more says nothing.
        stand = {parent.job: parent for parent in run.parents}
        named = [(stand.get(self._id_of(run.job, one)), one) for one in policy.depends_on]
        ends = [end_of(parent, one, late=late) for parent, one in named if parent is not None]
        return verdict(policy.trigger_rule, ends) if ends else "run"

    def _check_parent(self, run: Run, parent: Parent, *, is_checked: bool) -> None:
        if parent.outcome is None:
            return
        if not parent.run:
            if parent.outcome is not Outcome.SKIPPED or not parent.reason:
                raise Broken(f"{run.id} of {run.job}: nobody answers for {parent}, and nothing says why")
            if is_checked and (run.instant, 0) in self._due_order.get(parent.job, {}):
                raise Broken(f"{run.id} of {run.job}: {parent.job} was due for that instant, and answers not")
            return
        held = self.runs.get(parent.run)
        if held is None or not is_checked:
            return
        if held.run.job != parent.job or held.run.instant > run.instant or held.run.trigger not in _BY_TABLE:
            raise Broken(f"{run.id} of {run.job}: {parent.run} is no answer of {parent.job}")
        if held.run.state is State.FINISHED and not held.revived and held.run.outcome is not parent.outcome:
            raise Broken(f"{run.id} of {run.job}: {parent} ended as {held.run.outcome}")
        mine = self._due_order[run.job].get((run.instant, run.ordinal))
        answer, own = (held.run.instant, held.run.ordinal), (run.instant, run.ordinal)
        for due, number in self._due_order.get(parent.job, {}).items():
            if mine and number < mine and answer < due <= own:
                raise Broken(f"{run.id} of {run.job}: {parent.job} has a later due than {answer}: {due}")

    def _check_tries(self, seen: Seen, attempt: Attempt, policies: list[Policy]) -> None:
        run, number = seen.run, attempt.number - seen.run.spent
        most = max(policy.retries for policy in policies) + 1
        if number > most:
            raise Broken(
                f"{run.id} of {run.job}: attempt {attempt.number} ({run.spent} spent), of at most {most}"
            )
        last = next((one for one in run.attempts if one.number == attempt.number - 1), None)
        if number <= 1 or last is None or len(policies) > 1:
            return
        policy, kind = policies[0], _failure(last.outcome, last)
        if kind is None or not _is_retried(kind, last, policy):
            raise Broken(f"{run.id} of {run.job} tries again after {last}")
        self.figures["retries"] += 1
        delay = min(policy.retry_delay * policy.retry_backoff ** (number - 2), policy.retry_max_delay)
        if last.ended_at is not None and self._jumped < seen.born_at:
            waited = self.now.wall - last.ended_at
            if waited + 1 < delay:
                raise Broken(f"{run.id} of {run.job} tries again after {waited:.0f} s instead of {delay:.0f}")

    def _check_gates(self, seen: Seen, policies: list[Policy]) -> None:
        """Its condition and its sensor said yes, its past allows it, and it has its slots."""
        run = seen.run
        if run.trigger is not Trigger.SCHEDULE or seen.revived:
            return
        exits = {one.part: one.exit_code for one in run.attempts}
        if all(policy.condition for policy in policies) and exits.get("condition") != 0:
            raise Broken(f"{run.id} of {run.job} starts, and its condition ended with {exits}")
        if all(policy.wait_for for policy in policies) and exits.get("wait_for") != 0:
            raise Broken(f"{run.id} of {run.job} starts, and what it waits for ended with {exits}")
        pools = {policy.pool for policy in policies}
        if None not in pools and run.pool and len(run.slots) not in {one.pool_slots for one in policies}:
            raise Broken(f"{run.id} of {run.job} starts with slots {run.slots} of {run.pool}")
        if None not in pools and not run.pool:
            raise Broken(f"{run.id} of {run.job} starts without its pool")
        if all(policy.depends_on_past for policy in policies):
            self._check_past(run)

    def _check_past(self, run: Run) -> None:
        earlier = [
            one.run
            for one in self._of_job[run.job].values()
            if (one.run.instant, one.run.ordinal) < (run.instant, run.ordinal)
        ]
        if not earlier:
            return
        any_kind = max(earlier, key=lambda one: (one.instant, one.ordinal))
        scheduled = [one for one in earlier if one.trigger in _BY_TABLE]
        pasts = [any_kind, max(scheduled, key=lambda one: (one.instant, one.ordinal))] if scheduled else []
        if pasts and all(one.outcome not in _DONE_WELL for one in pasts):
            raise Broken(f"{run.id} of {run.job} starts, and the run before it is {pasts[-1].outcome}")

    def _check_environment(self, wish: Start, seen: Seen, policies: list[Policy]) -> None:
        """OUT_* are what the parents' answering runs left, and the slots are its own."""
        run, given = seen.run, dict(wish.environment)
        slots = given.get("CRONTABX_POOL_SLOTS")
        if slots is not None and slots != ",".join(map(str, run.slots)):
            raise Broken(f"{run.id} of {run.job} is given slots {slots}, and has {run.slots}")
        told = {name: value for name, value in given.items() if name.startswith("OUT_")}
        known = True
        wanted: dict[str, str] = {}
        for parent in run.parents:
            held = self.runs.get(parent.run)
            if parent.run and (held is None or held.run.state is not State.FINISHED or held.revived):
                known = False
            elif held is not None and held.run.attempts:
                prefix = f"OUT_{parent.job.partition('/')[2]}_".upper().replace("-", "_").replace(".", "_")
                wanted.update((prefix + key.upper(), value) for key, value in held.run.attempts[-1].data)
        if known and told != wanted:
            raise Broken(f"{run.id} of {run.job} is given {told}, and its parents left {wanted}")
        if told:
            self.figures["starts with data of parents"] += 1

    def _check_deadline(self, seen: Seen, policies: list[Policy]) -> None:
        run = seen.run
        if run.trigger is not Trigger.SCHEDULE or seen.revived or self._jumped >= seen.born_at:
            return
        deadlines = [policy.start_deadline for policy in policies]
        limit = max((one for one in deadlines if one is not None), default=None)
        if limit is not None and None not in deadlines and self.now.wall > run.instant + limit + _SLACK:
            raise Broken(f"{run.id} of {run.job} starts {self.now.wall - run.instant:.0f} s late, of {limit}")

    # --- looking around ----------------------------------------------------------------------------------

    def looks(self) -> None:
        """Look at all that lasts: what waits too long, runs too long or was never due."""
        for key, since in self._pending.items():
            if self.now.mono - since > _UNANSWERED:
                raise Broken(f"planned, and without an answer: {key}")
        for seen in self.runs.values():
            if seen.run.state is not State.FINISHED:
                self._check_age(seen)
                self._check_promises(seen)
        for name in list(self._windows):
            self._compare(name)
        self._check_timeouts()

    def _check_age(self, seen: Seen) -> None:
        if self.now.mono - seen.born_at > LONGEST:
            raise Broken(f"{seen.run.id} of {seen.run.job} never ends: {seen.run}")

    def _check_promises(self, seen: Seen) -> None:
        """Whoever is to be told that it is late was told, but where clocks or definitions changed."""
        job = self.jobs.get(seen.run.job)
        is_sure = seen.born >= self._changed and self._jumped < seen.born_at < self.now.mono - 900
        if job is not None and is_sure:
            # Of a start that is known by its end alone nobody can say since when it ran.
            ran = self.now.mono - seen.ran if isfinite(seen.ran) else 0.0
            self.told.check_promises(seen.run, job, wall=self.now.wall, ran=ran)

    def _check_timeouts(self) -> None:
        for key, since in self.live.items():
            run, _, number = key.rpartition(".")
            seen = self.runs.get(run)
            if seen is None or int(number) <= 0 or self._jumped >= since or key in self._stops:
                continue
            if seen.run.state is State.STARTING:
                continue  # the fact that it runs is on its way
            limits = [policy.timeout for policy in self._policies(seen)]
            longest = max((one for one in limits if one is not None), default=None)
            if longest is None or None in limits:
                continue
            if self.now.mono - max(since, seen.ran) > longest + 900:
                raise Broken(f"{key} of {seen.run.job} runs for {self.now.mono - since:.0f} s, of {longest}")

    def check_bounds(self, records: int, kept: int = KEPT) -> None:
        """Nothing is remembered without bound; `records` is how many rebuild the memory, and `kept` how many
        finished runs of a job may be.
        """
        waiting = sum(seen.run.state is not State.FINISHED for seen in self.runs.values())
        for job, runs in self._of_job.items():
            finished = sum(seen.run.state is State.FINISHED for seen in runs.values())
            if finished > kept + waiting:
                raise Broken(f"{finished} finished runs of {job} are remembered")
        most = 50 + waiting + len(self.runs) + 4 * len(self._of_job) + 4 * len(self.jobs)
        if records > most:
            raise Broken(f"{records} records, where {most} would do")

    def rests(self) -> None:
        """Nothing may go on any more."""
        unfinished = [seen.run for seen in self.runs.values() if seen.run.state is not State.FINISHED]
        if self._pending or unfinished:
            raise Broken(f"planned, and not at an end: {list(self._pending)} {unfinished}")
        if self.live:
            raise Broken(f"nobody knows of {sorted(self.live)}, which run")

    def prune(self) -> None:
        """Let go of what is too old to matter."""
        before = self.now.wall - 60 * _DAY
        for job, dues in self._dues.items():
            self._dues[job] = {instant: held for instant, held in dues.items() if instant > before}
        for job, order in self._due_order.items():
            self._due_order[job] = {key: number for key, number in order.items() if key[0] > before}
        self._back_to = self._back_to[-50:]

    # --- what held when ----------------------------------------------------------------------------------

    def _entries(self, seen: Seen) -> list[Entry]:
        """What its job was in any table since the run came to be."""
        held = _since(self._definitions.get(seen.run.job, []), seen.born)
        return [entry for entry in held if entry is not None]

    def _policies(self, seen: Seen) -> list[Policy]:
        return [entry.policy for entry in self._entries(seen)]

    def _named(self, child: str, dependency: Dependency) -> Job | None:
        return self.jobs.get(self._id_of(child, dependency))

    def _id_of(self, child: str, dependency: Dependency) -> str:
        owner = child.partition("/")[0]
        return dependency.job if "/" in dependency.job else f"{owner}/{dependency.job}"

    def _is_held(self, name: str) -> bool:
        """True if a parent is nowhere, or it waits for itself."""
        job = self.jobs.get(name)
        if job is None:
            return False
        reached: set[str] = set()
        ahead = [(name, one) for one in job.entry.policy.depends_on]
        while ahead:
            child, dependency = ahead.pop()
            parent = self._named(child, dependency)
            if parent is None:
                if child == name:
                    return True
                continue
            if parent.id == name:
                return True
            if parent.id not in reached:
                reached.add(parent.id)
                ahead += [(parent.id, one) for one in parent.entry.policy.depends_on]
        return False


def _since(held: list[tuple[int, Any]], moment: int) -> list[Any]:
    """The values that held at `moment` or later, of a list of (from when, value)."""
    found: list[Any] = []
    for since, value in reversed(held):
        found.append(value)
        if since <= moment:
            break
    return found


def _shape(entry: Entry | None) -> Any:
    """What makes two definitions of a job differ."""
    return None if entry is None else (str(entry.schedule), entry.timezone, entry.policy, entry.options)


def _utc(moment: Any) -> float:
    return float(moment.replace(tzinfo=UTC).timestamp())


def _is_active(run: Run) -> bool:
    """True while a run counts against `max_instances`: its retry waits do, its other waits do not."""
    return run.state in _ALIVE or (run.state is State.WAITING and run.waits is Wait.RETRY)


def _limit(entry: Entry) -> float:
    if entry.policy.concurrency == "allow":
        return 1 if entry.single_instance else float("inf")
    return entry.policy.max_instances


def _judged(code: int, policy: Policy) -> Outcome:
    if code in policy.success_codes:
        return Outcome.SUCCESS
    return Outcome.SKIPPED if code in policy.skip_codes else Outcome.FAILED


def _skip_code(run: Run) -> bool:
    return run.outcome is Outcome.SKIPPED and bool(run.attempts) and run.attempts[-1].exit_code is not None


def _failure(outcome: Outcome | None, last: Attempt) -> str | None:
    """The word of `retry_on` for how an attempt of a command ended, None if that is no failure."""
    if outcome not in FAILURES:
        return None
    if outcome is Outcome.TIMED_OUT:
        return "timeout"
    if outcome is Outcome.LOST:
        return "lost"
    if outcome is Outcome.FAILED:
        return "exit" if last.signal is None else "signal"
    return None


def _is_retried(kind: str, last: Attempt, policy: Policy) -> bool:
    return kind in policy.retry_on or (kind == "exit" and last.exit_code in policy.retry_on)
