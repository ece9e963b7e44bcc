"""The life of runs: from due through gates and processes to another attempt, or an end that others wait for.

Moves runs along their states, and remembers whose turn it is to be looked at again. Decides nothing that a
pure part of its own can decide: gates, dependencies, admission, retry, progress. Pure; owned by the engine.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from crond.core import admission, dependencies, gates, retry
from crond.core.clockwork import Reading
from crond.core.gates import Begin, End, Hold, Scene, Try
from crond.core.keeping import Keeping
from crond.core.ledger import Ledger
from crond.core.queue import Waiting
from crond.core.starts import Starts
from crond.core.turns import Turns, owner_of
from crond.model.job import Job
from crond.model.messages import Forget, Mail, Retire, Stop, attempt_key
from crond.model.policy import PLAIN, Policy
from crond.model.run import Attempt, Outcome, Parent, Run, State, Trigger, Wait, Want, run_id
from crond.model.schedule import At
from crond.model.wording import span

#: Seconds that a `condition` may take.
CONDITION_LIMIT = 60.0
#: How many runs are looked at again in one turn of the loop: a start must not wait for a thousand skips.
AGENDA_BATCH = 64


@dataclass(slots=True)
class Runs:
    """All runs that are remembered. `scene` is what they are judged by."""

    ledger: Ledger
    scene: Scene
    starts: Starts
    keeping: Keeping
    due_after: dependencies.DueAfter
    spread_over: int = 0
    _agenda: Turns[str] = field(default_factory=Turns)
    _listed: set[str] = field(default_factory=set)
    _left: int = AGENDA_BATCH

    # --- the agenda ----------------------------------------------------------------------------------

    @property
    def busy(self) -> bool:
        """True while runs are to be looked at again."""
        return bool(self._agenda)

    def look_again(self, run: str) -> None:
        """Put a run on the agenda: something that it may wait for has happened."""
        held = self.ledger.memory.runs.get(run)
        if held is not None and run not in self._listed:
            self._listed.add(run)
            self._agenda.add(owner_of(held.job), run)

    def begin_turn(self) -> None:
        """Begin a turn of the loop: another batch may be looked at in it, however many facts it brings."""
        self._left = AGENDA_BATCH

    def work(self, reading: Reading) -> None:
        """Look at what is on the agenda, and at what that brings with it; what is too much for this turn
        stays for the next, which comes at once.
        """
        while self._agenda and self._left:
            self._left -= 1
            identity = self._agenda.pop()
            self._listed.discard(identity)
            run = self.ledger.memory.runs.get(identity)
            if run is not None:
                self._look_at(run, reading)

    def _look_at(self, run: Run, reading: Reading) -> None:
        if run.state in (State.WAITING, State.DUE):
            self.advance(run, reading)
        elif run.state in _IN_TIME and run.until is not None and reading.wall >= run.until:
            self.stop(run, Want.TIME_OUT, reading.wall)

    def ask_for(self, run: Run) -> None:
        """Take in `run`, which is DUE because somebody asked: it starts when its owner's turn comes."""
        job = self.scene.roster.jobs.get(run.job)
        self.ledger.change(run.but(**_whose(job, run)))
        self.look_again(run.id)

    # --- before a start ------------------------------------------------------------------------------

    def answer(self, due: Waiting, reading: Reading) -> None:
        """Make a run of a due, and move it as far as it comes now."""
        job = self.scene.roster.jobs.get(due.job)
        if job is not None and gates.stand_open(job):
            # Nearly all are such, and a minute may have thousands of them: made as it starts.
            run = due_run(due, state=State.STARTING, attempts=_FIRST, **_whose(job))
            self.ledger.change(run)
            self.starts.ask(run, job)
        else:
            run = due_run(due)
            self.advance(run if run.trigger is Trigger.CATCHUP else self.bound(run), reading)

    def bound(self, run: Run) -> Run:
        """Return `run` with the runs of its parents that answer for it."""
        links = self.scene.roster.graph.parents.get(run.job, ())
        if not links or run.job in self.scene.roster.held:
            return run
        return run.but(parents=tuple(self.parent_for(run, link.parent) for link in links))

    def parent_for(self, run: Run, parent: str) -> Parent:
        """Return how `parent` stands for `run` by the rule of the latest due."""
        return dependencies.answer_of(
            parent,
            run.instant,
            run.ordinal,
            memory=self.ledger.memory,
            roster=self.scene.roster,
            due_after=self.due_after,
        )

    def advance(self, run: Run, reading: Reading) -> None:
        """Move `run`, which is DUE or WAITING, as far as it comes now."""
        if run.trigger is Trigger.CATCHUP and run.by is None and run.waits in (None, Wait.JITTER):
            # Not before cron's walk has made up what it does: a parent's due may come only then.
            run = self.bound(run)
        job = self.scene.roster.jobs.get(run.job)
        step = gates.next_step(
            run, job, self.scene, wall=reading.wall, load=reading.load, spread_over=self.spread_over
        )
        match step:
            case Begin() if job is not None:
                self._begin(run, job, step)
            case End():
                if step.parents is not None:
                    run = run.but(parents=step.parents)
                self._end_waiting(run, step.outcome, step.reason, reading.wall)
            case Hold():
                for other in step.ends:
                    self.give_way(other, reading.wall)
                self._hold(run, step, job)
                if step.ends:
                    self.look_again(run.id)  # one that had no process has ended by now
            case Try() if job is not None:
                held = self._held(run, step.hold)
                self._forget_try(run)
                attempt = Attempt(number=run.next_number("wait_for"), part="wait_for")
                run = held.but(attempts=held.with_attempt(attempt))
                self.ledger.change(run)
                self.starts.ask(run, job)

    def _hold(self, run: Run, step: Hold, job: Job | None) -> None:
        held = self._held(run, step)
        if held == run:
            return
        self.ledger.change(held)
        was_in = run.pool if run.waits is Wait.POOL else ""
        now_in = held.pool if held.waits is Wait.POOL else ""
        if now_in and now_in != was_in and job is not None:
            self.ledger.waits.enter(now_in, admission.rank_of(held, job))
        if was_in and was_in != now_in:
            self._next_in(was_in)
        if run.waits is Wait.OVERLAP and held.waits is not Wait.OVERLAP:
            self._next_of(run.job)

    def _held(self, run: Run, step: Hold) -> Run:
        changes: dict[str, Any] = {"waits": step.wait, "since": step.since, "until": step.until}
        job = self.scene.roster.jobs.get(run.job)
        if run.state is State.WAITING:
            return run.but(pool=step.pool or run.pool, **changes)
        return run.to(State.WAITING, pool=step.pool or run.pool, **changes, **_whose(job))

    def _begin(self, run: Run, job: Job, step: Begin) -> None:
        asks_first = job.entry.policy.condition is not None and run.starts == run.spent
        was_in = run.pool if run.waits is Wait.POOL else ""
        self._stop_trying(run)
        self._start(run, job, "condition" if asks_first else "command", pool=step.pool, slots=step.slots)
        if was_in:
            self._next_in(was_in)
        if run.waits is Wait.OVERLAP:
            self._next_of(run.job)

    def _start(self, run: Run, job: Job, part: str, *, pool: str, slots: tuple[int, ...]) -> None:
        changes: dict[str, Any] = {"waits": None, "since": None, "until": None, "pool": pool, "slots": slots}
        attempts = run.with_attempt(Attempt(number=run.next_number(part), part=part))
        if run.state is State.STARTING:
            run = run.but(attempts=attempts, **changes)
        else:
            run = run.to(State.STARTING, attempts=attempts, **changes, **_whose(job))
        self.ledger.change(run)
        self.starts.ask(run, job)

    def start_again(self, run: Run, wall: float) -> None:
        """Ask for a start again, with the newest version of the job's table."""
        job = self.scene.roster.jobs.get(run.job)
        if job is None:
            self.finish(run, Outcome.SKIPPED, "gone", wall)
        else:
            self.starts.ask(run, job)

    # --- processes -----------------------------------------------------------------------------------

    def started(self, run: Run) -> None:
        """Take in that the latest attempt of `run` has a process."""
        until: float | None = None
        began = run.attempt.started_at
        if began is not None and run.attempt.part == "condition":
            until = began + CONDITION_LIMIT
        elif began is not None and run.attempt.part == "command":
            timeout = self._policy(run).timeout
            until = None if timeout is None else began + timeout
        if run.state is not State.WAITING and run.until != until:
            run = run.but(until=until)
        self.ledger.change(run)

    def ended(self, run: Run, attempt: Attempt, reading: Reading, reason: str = "") -> None:
        """Take in that `attempt`, the latest of `run`, has ended, with its outcome."""
        at = attempt.ended_at or reading.wall
        if attempt.part == "wait_for" or run.state is State.FINISHED:
            self.ledger.change(run.but(attempts=run.with_attempt(attempt)))
            self.look_again(run.id)
        elif attempt.outcome is Outcome.COULD_NOT_START:
            self._end_with(run, attempt, _INSTEAD_OF_A_START.get(run.want, Outcome.STOPPED), reason, at)
        elif attempt.part == "condition":
            self._condition_ended(run, attempt, reason, at)
        elif run.want is Want.RUN or run.want is Want.TIME_OUT:
            self._command_ended(run, attempt, reason, at)
        else:
            reason = reason or _ASKED.get(run.want, "")
            self._end_with(run, attempt, attempt.outcome or Outcome.LOST, reason, at)

    def _condition_ended(self, run: Run, attempt: Attempt, reason: str, at: float) -> None:
        job = self.scene.roster.jobs.get(run.job)
        if run.want is Want.TIME_OUT:
            reason = f"its condition took longer than {span(60)}"
            self._end_with(run, attempt, Outcome.FAILED, reason, at)
        elif run.want is not Want.RUN or attempt.outcome is Outcome.LOST:
            reason = reason or _ASKED.get(run.want, "")
            self._end_with(run, attempt, attempt.outcome or Outcome.LOST, reason, at)
        elif attempt.exit_code == 1:
            self._end_with(run, attempt, Outcome.SKIPPED, "its condition was not met", at)
        elif attempt.exit_code != 0:
            self._end_with(run, attempt, Outcome.FAILED, f"its condition {_how(attempt)}", at)
        elif job is None:
            self._end_with(run, attempt, Outcome.SKIPPED, "gone", at)
        else:
            met = run.but(attempts=run.with_attempt(attempt))
            self._start(met, job, "command", pool=run.pool, slots=run.slots)

    def _command_ended(self, run: Run, attempt: Attempt, reason: str, at: float) -> None:
        policy = self._policy(run)
        if attempt.outcome is not Outcome.SUCCESS and retry.gets_another(run, attempt, policy):
            waiting = run.to(
                State.WAITING,
                attempts=run.with_attempt(attempt),
                waits=Wait.RETRY,
                since=at,
                until=at + retry.delay_after(run, policy),
                slots=(),
                want=Want.RUN,
                reason=reason,
            )
            self.ledger.change(waiting)
            self._next_in(run.pool)
            return
        if not reason and attempt.outcome is Outcome.TIMED_OUT and policy.timeout is not None:
            reason = f"it ran longer than {span(policy.timeout)}"
        elif (
            not reason
            and policy.fail_on_output
            and attempt.outcome is Outcome.FAILED
            and attempt.exit_code in policy.success_codes
        ):
            reason = "it wrote something"
        elif not reason and attempt.outcome is Outcome.SKIPPED:
            reason = f"it exited with {attempt.exit_code}"
        self._end_with(run, attempt, attempt.outcome or Outcome.LOST, reason, at)

    def _end_with(self, run: Run, attempt: Attempt, outcome: Outcome, reason: str, at: float) -> None:
        self.finish(run, outcome, reason, at, attempts=run.with_attempt(attempt))

    # --- ends ----------------------------------------------------------------------------------------

    def stop(self, run: Run, want: Want, wall: float) -> None:
        """End `run` because of `want`; asking again sends again: the launcher may have lost patience with a
        process that it could not signal.
        """
        if run.state in (State.STARTING, State.RUNNING):
            run = run.to(State.STOPPING, want=want)
            self.ledger.change(run)
        elif run.state is State.STOPPING and want is not Want.TIME_OUT and want is not run.want:
            # The latest wish counts: a run whose time is over must not be tried again if it is to end.
            run = run.but(want=want)
            self.ledger.change(run)
        if run.state is State.STOPPING:
            self.ledger.send(Stop(attempt_key(run.id, run.attempt.number)))
        elif run.state in (State.DUE, State.WAITING):
            outcome = {Want.SUCCEED: Outcome.SUCCESS, Want.FAIL: Outcome.FAILED}.get(want, Outcome.STOPPED)
            waited = f" while it waited for {gates.WAITED_FOR[run.waits]}" if run.waits else ""
            reason = _ASKED.get(want) or f"stopped{waited}"
            self._end_waiting(run.but(want=want), outcome, reason, wall)

    def give_way(self, run: Run, wall: float) -> None:
        """End `run`, since a newer one of its job takes its place."""
        run = self.ledger.memory.runs[run.id]
        if run.state is State.WAITING and not run.is_active:
            self._end_waiting(run, Outcome.SKIPPED, "a newer run took its place", wall)
        elif run.state is not State.FINISHED:
            self.stop(run, Want.REPLACE, wall)

    def _end_waiting(self, run: Run, outcome: Outcome, reason: str, wall: float) -> None:
        self._stop_trying(run)
        self.finish(run, outcome, reason, wall)

    def _stop_trying(self, run: Run) -> None:
        """End the try of a `wait_for` that nobody waits for any longer."""
        if run.attempts and run.attempt.part == "wait_for" and run.attempt.outcome is None:
            self.ledger.send(Stop(attempt_key(run.id, run.attempt.number)))

    def _forget_try(self, run: Run) -> None:
        """Have the launcher forget the latest try of a `wait_for`, whose place another one takes."""
        for one in run.attempts:
            if one.part == "wait_for" and one.outcome is not None:
                self.ledger.send(Forget(attempt_key(run.id, one.number)))

    def finish(self, run: Run, outcome: Outcome, reason: str, at: float, **changes: Any) -> None:
        """End `run`, with `changes` of its other fields; whoever waits for that is looked at again."""
        was_in = run.pool
        job = self.scene.roster.jobs.get(run.job)
        run = run.finish(outcome, at=at, reason=reason, **_whose(job, run), **changes)
        self.ledger.change(run)
        self.mail(run)
        self.tell_children(run)
        if self.ledger.waits.waiting:
            self._next_of(run.job)
        if was_in:
            self._next_in(was_in)
        if run.is_scheduled and job is not None and isinstance(job.entry.schedule, At):
            self.retire(job)
        self.keeping.prune(run.job)
        if run.parents:
            for parent in dict.fromkeys(one.job for one in run.parents):
                self.keeping.prune(parent)  # what answered for it is needed no longer

    def retire(self, job: Job) -> None:
        """Have the line of an `@at` job removed whose only due has had its answer."""
        if not self.ledger.memory.queue.holds(job.id) and all(
            run.state is State.FINISHED for run in self.ledger.memory.runs_of(job.id)
        ):
            self.ledger.send(Retire(job.version, job.index))

    def tell_children(self, run: Run) -> None:
        """Let the runs that `run` answers for know how it stands."""
        children = self.ledger.waits.children_of(run.id)
        if not children:
            return
        stands = dependencies.as_parent(run)
        for identity in children:
            child = self.ledger.memory.runs[identity]
            parents = tuple(stands if one.run == run.id else one for one in child.parents)
            if parents != child.parents:
                self.ledger.change(child.but(parents=parents))
            self.look_again(identity)

    def mail(self, run: Run) -> None:
        """Have the output of the last start of `run`, which has ended, mailed as its `mail=` says. Said again
        with a fact that comes again: the launcher mails once.
        """
        mode = self._policy(run).mail
        for one in run.attempts:
            if one.part != "command" or one.number != run.starts:
                continue
            # The launcher knows nothing of an attempt without a process.
            even_empty = (mode == "always" or (mode == "failure" and run.has_failed)) and one.started_at
            if even_empty or (mode == "cron" and one.output_size):
                self.ledger.send(Mail(attempt_key(run.id, one.number)))

    def _next_of(self, job: str) -> None:
        """Look again at who goes first of those that wait for another run of `job`; the others follow, since
        thousands may wait.
        """
        for run in self.ledger.siblings.first_waiting_of(job):
            self.look_again(run.id)

    def _next_in(self, pool: str) -> None:
        first = self.ledger.waits.first_in(pool) if pool else None
        if first is not None:
            self.look_again(first[3])

    def resume(self) -> None:
        """Look at all that waits, after a memory was read back or the tables changed."""
        self.ledger.waits.leave_pools()
        for identity in list(self.ledger.waits.waiting):
            run = self.ledger.memory.runs[identity]
            job = self.scene.roster.jobs.get(run.job)
            if run.waits is Wait.POOL and job is not None:
                self.ledger.waits.enter(run.pool, admission.rank_of(run, job))
            self.look_again(identity)

    # --- clocks --------------------------------------------------------------------------------------

    def shift(self, seconds: float, *, asleep: bool) -> None:
        """Keep lengths of time what they are: the wall clock was set by `seconds`, or the machine slept for
        as long, in which attempts did not run.
        """
        for run in list(self.ledger.memory.runs.values()):
            if run.state in _IN_TIME and run.until is not None:
                self.ledger.change(run.but(until=run.until + seconds))
            elif run.state is State.WAITING and not asleep:
                if run.waits is not Wait.JITTER and run.since is not None:
                    # `until` follows from it, and from the newest definition.
                    self.ledger.change(run.but(since=run.since + seconds))
                self.look_again(run.id)

    def _policy(self, run: Run) -> Policy:
        job = self.scene.roster.jobs.get(run.job)
        return PLAIN if job is None else job.entry.policy


#: Where `until` is the end of an attempt's time.
_IN_TIME = (State.STARTING, State.RUNNING)
#: What a run begins with that nothing keeps from starting.
_FIRST = (Attempt(number=1),)
#: How a run ends whose process could not be made.
_INSTEAD_OF_A_START = {
    Want.RUN: Outcome.COULD_NOT_START,
    Want.TIME_OUT: Outcome.COULD_NOT_START,
    Want.SUCCEED: Outcome.SUCCESS,
    Want.FAIL: Outcome.FAILED,
}
_ASKED = {Want.STOP: "", Want.REPLACE: "replaced by a newer run", Want.SUCCEED: "marked", Want.FAIL: "marked"}


def due_run(due: Waiting, **fields: Any) -> Run:
    """Return the run that answers `due`, with these of its other fields."""
    job, instant, ordinal, trigger = due
    identity = run_id(job, instant, ordinal, trigger)
    return Run(id=identity, job=job, instant=instant, ordinal=ordinal, trigger=trigger, **fields)


def _whose(job: Job | None, run: Run | None = None) -> dict[str, Any]:
    """What a run says about whose it is; what it says already stays."""
    if job is None or (run is not None and run.uid is not None):
        return {}
    return {"uid": job.uid, "run_as": job.run_as, "crontab": job.crontab}


def _how(attempt: Attempt) -> str:
    if attempt.signal is not None:
        return f"was ended by signal {attempt.signal}"
    return "is lost" if attempt.exit_code is None else f"exited with {attempt.exit_code}"
