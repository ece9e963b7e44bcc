"""What stands between a run and its next process: one gate after the other, always asked in the same order.

jitter, parents, its own past, its sensor, overlap, the host's load, pool; or, after a failure, the delay,
load and pool. Asking again is always right: nothing here is remembered but what the run itself holds. Pure;
called by `runs` whenever something may have changed for a run that has no process.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from crond.core import admission, dependencies, retry
from crond.core.dependencies import Verdict
from crond.core.graph import Link
from crond.core.memory import Memory
from crond.core.roster import Roster
from crond.core.siblings import Siblings
from crond.core.spread import spread
from crond.core.waits import Waits
from crond.model.job import Job
from crond.model.policy import PLAIN
from crond.model.run import Outcome, Parent, Run, State, Trigger, Wait

#: How many parents a reason names, and how long it grows: along a chain each would hold the one before.
_CAUSES_TOLD, _LONGEST_REASON = 3, 300
#: Seconds between two looks whether cron's walk has made up what it does.
MAKING_UP_EACH = 5.0
#: Seconds between two looks at the load of the host.
LOAD_EACH = 10.0


@dataclass(frozen=True, slots=True)
class Hold:
    """It waits. `until` is when to ask again at the latest; `since` when this wait began."""

    wait: Wait
    since: float
    until: float | None = None
    ends: tuple[Run, ...] = ()  #: runs that have to give way to it
    pool: str = ""


@dataclass(frozen=True, slots=True)
class Try:
    """Its `wait_for` is to be tried; the whole wait goes on as in `hold`."""

    hold: Hold


@dataclass(frozen=True, slots=True)
class Begin:
    """Its next process may start, with these slots of its pool."""

    pool: str = ""
    slots: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class End:
    """It ends without another process."""

    outcome: Outcome
    reason: str
    parents: tuple[Parent, ...] | None = None


Step = Hold | Try | Begin | End

_AT_ONCE = Begin()


@dataclass(frozen=True, slots=True)
class Scene:
    """What a run is judged by."""

    memory: Memory
    roster: Roster
    waits: Waits
    siblings: Siblings
    day_off: Callable[[Job, float], str] = field(default=lambda _job, _instant: "")
    host: str = ""
    #: True while cron's own walk still makes up minutes: dues of parents may come yet.
    is_making_up: Callable[[], bool] = field(default=lambda: False)


def stand_open(job: Job) -> bool:
    """True if nothing ever keeps `job` from starting."""
    return job.entry.policy is PLAIN and not job.entry.single_instance


def next_step(run: Run, job: Job | None, scene: Scene, *, wall: float, load: float, spread_over: int) -> Step:
    """Return what comes next for `run`, which is DUE or WAITING, at `wall`.

    `spread_over` is the number of seconds over which runs that are made up spread.
    """
    if job is None:
        return End(Outcome.SKIPPED, "gone")
    if stand_open(job):
        return _AT_ONCE
    asking = _Asking(run, job, scene, wall, load, spread_over)
    if run.starts > run.spent:
        return asking.after_failure()
    step = asking.first()
    return step if isinstance(step, End) else asking.within_deadline(step)


@dataclass(frozen=True, slots=True)
class _Asking:
    run: Run
    job: Job
    scene: Scene
    wall: float
    load: float
    spread_over: int

    @property
    def _by_itself(self) -> bool:
        """True for what is due by its time, and not because somebody asked."""
        return self.run.by is None

    def first(self) -> Step:
        """Return what comes before the first start."""
        gates = (self._held, self._jitter, self._parents, self._past, self._sensor, self._overlap)
        for gate in gates:
            step = gate()
            if step is not None:
                return step
        return self._limits()

    def after_failure(self) -> Step:
        """Return what comes before another attempt."""
        trouble = self.scene.roster.pool_trouble(self.job)
        if trouble:
            return End(Outcome.SKIPPED, f"held: {trouble}")
        since = self._since(Wait.RETRY) if self.run.waits is Wait.RETRY else None
        if since is not None:
            until = since + retry.delay_after(self.run, self.job.entry.policy)
            if self.wall < until:
                return Hold(Wait.RETRY, since, until)
        return self._limits()

    def within_deadline(self, step: Hold | Try | Begin) -> Step:
        """Return `step` as long as the run may still start."""
        most = self.job.entry.policy.start_deadline
        if most is None or not self._by_itself:
            return step
        deadline = self.run.instant + most
        if self.wall >= deadline and not (isinstance(step, Begin) and self.wall == deadline):
            waited = self.run.waits or (step.wait if isinstance(step, Hold) else None)
            why = f"; it waited for {WAITED_FOR[waited]}" if waited else ""
            return End(Outcome.SKIPPED, f"it could not start in time{why}")
        if isinstance(step, Hold):
            return _until(step, deadline)
        if isinstance(step, Try):
            return Try(_until(step.hold, deadline))
        return step

    def _since(self, wait: Wait) -> float:
        """Return when the wait for `wait` began."""
        held = self.run.since if self.run.waits is wait else None
        return self.wall if held is None else held

    # --- the gates -----------------------------------------------------------------------------------

    def _held(self) -> Step | None:
        # What somebody asks for runs whatever it depends on; what follows that is guarded as ever.
        is_guarded = self._by_itself or bool(self.run.parents)
        reason = self.scene.roster.held.get(self.job.id) if is_guarded else ""
        reason = reason or self.scene.roster.pool_trouble(self.job)
        if reason:
            return End(Outcome.SKIPPED, f"held: {reason}")
        if self._by_itself and self.job.entry.policy.skip_on and self.run.state is State.DUE:
            day = self.scene.day_off(self.job, self.run.instant)
            if day:
                return End(Outcome.SKIPPED, day)
        return None

    def _jitter(self) -> Step | None:
        if not self._by_itself:
            return None
        since = self._since(Wait.JITTER)
        if self.run.trigger is Trigger.CATCHUP:
            if self.run.waits not in (None, Wait.JITTER):
                return None
            until = since + spread(self.spread_over, self.job.id)
            if self.scene.is_making_up():
                until = max(until, self.wall + MAKING_UP_EACH)
        else:
            until = self.run.instant + spread(self.job.entry.policy.jitter, self.scene.host, self.job.id)
        return Hold(Wait.JITTER, since, until) if self.wall < until else None

    def _parents(self) -> Step | None:
        parents = self.run.parents
        if not parents:
            return None
        policy = self.job.entry.policy
        links = self.scene.roster.graph.parents.get(self.job.id, ())
        ruling = dependencies.rule_on(policy.trigger_rule, dependencies.verdicts_of(parents, links))
        since = self._since(Wait.DEPENDENCIES)
        until = since + policy.depends_timeout
        if ruling.goes is None and self.wall >= until:
            parents = dependencies.given_up(parents)
            ruling = dependencies.rule_on(policy.trigger_rule, dependencies.verdicts_of(parents, links))
        if ruling.goes is None:
            return Hold(Wait.DEPENDENCIES, since, until)
        if ruling.outcome is not None:
            reason = _about(parents, links, policy.trigger_rule, ruling.outcome)
            return End(ruling.outcome, reason, parents)
        return None

    def _past(self) -> Step | None:
        policy = self.job.entry.policy
        if not policy.depends_on_past or not self._by_itself:
            return None
        key = (self.run.instant, self.run.ordinal)
        before = [
            one for one in self.scene.memory.scheduled_of(self.job.id) if (one.instant, one.ordinal) < key
        ]
        if not before:
            return None
        latest = max(before, key=lambda one: (one.instant, one.ordinal))
        if latest.outcome in (Outcome.SUCCESS, Outcome.SKIPPED):
            return None
        since = self._since(Wait.PAST)
        until = since + policy.depends_timeout
        if latest.state is not State.FINISHED and self.wall < until:
            return Hold(Wait.PAST, since, until)
        how = "had not ended in time" if latest.outcome is None else f"ended as {latest.outcome.value}"
        return End(Outcome.UPSTREAM_FAILED, f"its previous run {how}")

    def _sensor(self) -> Step | None:
        policy = self.job.entry.policy
        if policy.wait_for is None:
            return None
        latest = self.run.attempts[-1] if self.run.attempts else None
        if latest is not None and latest.part != "wait_for":
            latest = None
        if latest is not None and latest.outcome is Outcome.SUCCESS:
            return None
        since = self._since(Wait.SENSOR)
        until = since + policy.wait_timeout
        if self.wall >= until:
            return End(Outcome.FAILED, "what it waits for (wait_for) did not come in time")
        if latest is not None and latest.outcome is None and self.run.waits is Wait.SENSOR:
            return Hold(Wait.SENSOR, since, until)
        began = None if latest is None else latest.started_at or latest.ended_at
        if began is not None and self.run.waits is Wait.SENSOR and self.wall < began + policy.wait_interval:
            return Hold(Wait.SENSOR, since, min(began + policy.wait_interval, until))
        return Try(Hold(Wait.SENSOR, since, until))

    def _overlap(self) -> Step | None:
        found = admission.overlap(self.run, self.job, self.scene.siblings)
        if found.reason:
            return End(Outcome.SKIPPED, found.reason)
        if found.waits:
            return Hold(Wait.OVERLAP, self._since(Wait.OVERLAP), ends=found.ends)
        return None

    def _limits(self) -> Step:
        policy = self.job.entry.policy
        if policy.max_load is not None and self.load >= policy.max_load:
            return Hold(Wait.LOAD, self._since(Wait.LOAD), self.wall + LOAD_EACH)
        pool = self.scene.roster.pool_of(self.job)
        if not pool:
            return Begin()
        size = self.scene.roster.size_of(pool)
        slots = admission.slots_for(self.run, self.job, pool, size, self.scene.waits)
        if slots is None:
            return Hold(Wait.POOL, self._since(Wait.POOL), pool=pool)
        return Begin(pool, slots)


def _until(hold: Hold, deadline: float) -> Hold:
    if hold.until is not None and hold.until <= deadline:
        return hold
    return Hold(hold.wait, hold.since, deadline, hold.ends, hold.pool)


WAITED_FOR = {
    Wait.JITTER: "its jitter",
    Wait.DEPENDENCIES: "the jobs it depends on",
    Wait.PAST: "its previous run",
    Wait.SENSOR: "its wait_for",
    Wait.OVERLAP: "another run of it",
    Wait.POOL: "its pool",
    Wait.LOAD: "a lower load",
    Wait.RETRY: "another attempt",
}


def _about(parents: Sequence[Parent], links: Sequence[Link], rule: str, outcome: Outcome) -> str:
    """Say which parents were decisive, and how."""
    verdicts = dependencies.judged(parents, links)
    worst, others = _DECISIVE[outcome]
    causes = [_one_parent(parent, link) for parent, link, verdict in verdicts if verdict in worst]
    rest = [_one_parent(parent, link) for parent, link, verdict in verdicts if verdict in others]
    unmet = "" if causes else f"the rule {rule} is not met"
    causes = list(dict.fromkeys(causes or rest))
    more = f" and {len(causes) - _CAUSES_TOLD} more" if len(causes) > _CAUSES_TOLD else ""
    told = "; ".join(causes[:_CAUSES_TOLD])[:_LONGEST_REASON] + more
    return ": ".join(filter(None, (unmet, told)))


#: Which verdicts make an end what it is by themselves, and which only by the rule.
_DECISIVE = {
    Outcome.UPSTREAM_FAILED: ((Verdict.FAILED, Verdict.UPSTREAM_FAILED), (Verdict.SKIPPED,)),
    Outcome.SKIPPED: ((Verdict.SKIPPED,), (Verdict.SUCCESS, Verdict.FAILED, Verdict.UPSTREAM_FAILED)),
}


def _one_parent(parent: Parent, link: Link) -> str:
    if parent.outcome is Outcome.UPSTREAM_FAILED and parent.reason:
        return parent.reason  # it names those who failed first
    name = parent.job.partition("/")[2]
    words = parent.outcome.value.replace("_", " ") if parent.outcome else "unfinished"
    wanted = link.dependency.want_words()
    said = f"{name}: {words}, and not {wanted}" if wanted and parent.run else f"{name}: {words}"
    return said + (f" ({parent.reason})" if parent.reason else "")
