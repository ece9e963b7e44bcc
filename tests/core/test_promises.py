"""Promises about time: broken once, held once, through restarts, clocks that are set, and lost hours."""

from __future__ import annotations

from datetime import date
from typing import Any

from crond.core.clockwork import Reading
from crond.core.promises import Breach
from crond.model.alert import Event, Flip, Promise
from crond.model.events import MarkRequested, PauseRequested, ResumeRequested
from crond.model.run import Outcome
from tests.core.driving import Driver

_NOON = 1780315200.0  # 2026-06-01 12:00 UTC, a Monday
_DAY = 86400.0


def driver(text: str, *, wall: float = _NOON - 60) -> Driver:
    made = Driver(wall=wall)
    made.begin(text)
    return made


def told(cron: Driver) -> list[tuple[str, float]]:
    """Each piece of news, with when that was, in seconds after noon."""
    return [(flip.event.value, flip.at - _NOON) for flip in cron.flips()]


def only(cron: Driver) -> Flip:
    (flip,) = cron.flips()
    return flip


# --- late_after ------------------------------------------------------------------------------------------


def test_a_start_that_does_not_come_is_late() -> None:
    """The launcher hangs: the moment is known before anything happens, and nothing is asked each minute."""
    cron = driver("#: name=a late_after=10m on_late=ops\n0 12 * * * a\n")
    cron.go(3600)
    assert told(cron) == [("late", 600.0)]
    flip = only(cron)
    assert (flip.promise, flip.promised, flip.instant, flip.missed) == ("late_after", 600.0, _NOON, 0)
    (start,) = cron.starts()
    cron.end(start)
    assert len(cron.flips()) == 1  # it started, and not in time


def test_the_deadline_is_the_promise() -> None:
    """Nobody has to look each minute."""
    cron = driver("#: name=a late_after=10s on_late=ops\n0 12 * * * a\n")
    cron.go(60)
    assert cron.engine.deadline(cron.now) == 10.0
    assert driver("#: name=a late_after=10s\n0 12 * * * a\n").engine.roster.promising == set()


def test_timers_of_runs_that_started_do_not_pile_up() -> None:
    """Each minute sets one that means nothing a moment later."""
    cron = driver("#: name=a late_after=1d on_late=ops\n* * * * * a\n")
    cron.play(600 * 60)
    promises = cron.engine._watch.promises
    assert len(promises._timers) < 300
    assert promises._at == {}
    assert cron.flips() == []


def test_lateness_survives_a_restart_on_either_side() -> None:
    """The scheduler dies before and after: told once; torn off, it is told again."""
    cron = driver("#: name=a late_after=10m on_late=ops\n0 12 * * * a\n")
    cron.go(300)
    cron.restart()
    cron.go(500)
    assert [flip.event for flip in cron.flips()] == [Event.LATE]
    cron.restart()
    cron.go(500)
    first = only(cron)
    cron.restart(torn=next(n for n, record in enumerate(cron.records) if record[0] == "flip"))
    cron.go(60)
    assert only(cron).id == first.id


def test_what_was_decided_before_owes_no_start() -> None:
    """A run that was left out in time is told by `on_skip`; what is paused is not due at all."""
    cron = driver("#: name=a late_after=10m on_late=ops condition=no\n0 12 * * * a\n")
    cron.play(3600, condition=1 << 8)
    assert cron.flips() == []


def test_made_up_instants_are_judged_as_runs() -> None:
    """Cron's rule for short stalls: they come late, and it is they who are late."""
    cron = driver("#: name=a late_after=1m on_late=ops\n* * * * * a\n")
    cron.play(60)
    cron.pass_by(240)
    cron.wake()
    cron.play(120)
    assert [(flip.event, flip.missed) for flip in cron.flips()] == [(Event.LATE, 0), (Event.ON_TIME, 0)]


def test_a_job_that_is_new_owes_nothing() -> None:
    """The crontab was written while the daemon was down."""
    cron = driver("0 12 * * * b\n")
    cron.go(120)
    cron.pass_by(_DAY)
    text = "#: name=a late_after=10m on_late=ops\n0 * * * * a\n"
    cron.restart(life="second", text=text)
    cron.go(60)
    assert cron.flips() == []


def test_a_line_that_vanished_is_not_late() -> None:
    """Its runs have no promise any longer."""
    cron = driver("#: name=a late_after=10m on_late=ops\n0 12 * * * a\n")
    cron.go(120)
    cron.edit("0 12 * * * b\n")
    cron.go(3600)
    assert cron.flips() == []


def test_days_off_were_not_missed() -> None:
    """Down over a day off: only the instants of the other days count."""
    cron = driver("#: name=a late_after=10m on_late=ops skip_on=DE\n0 13 * * * a\n")
    cron.engine.days.days_off = lambda _source, day: "feast" if day == date(2026, 6, 2) else None
    off = cron.engine.days.days_off
    cron.go(60)
    cron.pass_by(3 * _DAY)

    def engine(memory: Any) -> Any:
        made = Driver._engine(cron, memory)
        made.days.days_off = off
        return made

    cron._engine = engine  # type: ignore[method-assign]
    cron.restart(life="second")
    flip = only(cron)
    assert (flip.instant, flip.missed) == (_NOON + 3600, 2)


def test_dues_that_a_dead_daemon_left_were_missed() -> None:
    """Planned, and never started: they are left out in the next life, and the first that is missing."""
    cron = driver("#: name=a late_after=10m on_late=ops\n0 * * * * a\n")
    cron.go(59)
    cron.pass_by(1)
    cron.wake()
    due = next(n for n, record in enumerate(cron.records) if record[0] == "due")
    cron.starts()
    cron.records = cron.records[: due + 1]
    cron.pass_by(7200)
    cron.restart(life="second")
    flip = only(cron)
    assert (flip.instant, flip.missed) == (_NOON, 3)


# --- warn_runtime ------------------------------------------------------------------------------------------


def test_a_long_run_is_late_once() -> None:
    """From the start of its first attempt, retries included."""
    cron = driver("#: name=a warn_runtime=10m on_late=ops retries=1 retry_delay=8m\n0 12 * * * a\n")
    cron.go(60)
    (start,) = cron.starts()
    cron.end(start, 1 << 8, seconds=60)
    cron.go(3600)
    assert told(cron) == [("late", 600.0)]
    cron.restart()
    cron.go(60)
    assert len(cron.flips()) == 1


def test_sleep_and_clocks_are_no_running_time() -> None:
    """As a time limit: what the host slept, and by what the clock was set, does not count."""
    cron = driver("#: name=a warn_runtime=10m on_late=ops\n0 12 * * * a\n")
    cron.go(60)
    cron.started(cron.starts()[0])
    cron.go(300)
    now = cron.now
    cron.now = Reading(now.wall + 7200, now.mono, now.boot + 7200)
    cron.wake()
    cron.set_clock(-3600)
    cron.wake()
    cron.restart()
    cron.go(299)
    assert cron.flips() == []
    cron.go(2)
    assert told(cron) == [("late", 600.0 + 3600)]
    assert cron.engine.memory.health["me/a"].shifts != ()
    cron.exited(f"{cron.last('a').id}.1")
    assert cron.engine.memory.health["me/a"].shifts == ()


def test_one_that_still_takes_too_long_keeps_it_broken() -> None:
    """A quick run beside a stuck one is no recovery."""
    cron = driver("#: name=a warn_runtime=10m on_late=ops\n*/5 12 * * * a\n")
    cron.go(60)
    (stuck,) = cron.starts()
    cron.started(stuck)
    cron.play(1800)
    assert [flip.event for flip in cron.flips()] == [Event.LATE]
    cron.exited(f"{stuck.run}.1", 1 << 8)
    cron.play(300)
    assert [flip.event for flip in cron.flips()] == [Event.LATE, Event.ON_TIME]


def test_a_promise_that_is_withdrawn_is_forgotten() -> None:
    """And begins anew when it is made again."""
    cron = driver("#: name=a warn_runtime=10m on_late=ops\n0 12 * * * a\n")
    cron.go(60)
    cron.started(cron.starts()[0])
    cron.go(1200)
    cron.edit("#: name=a warn_runtime=none on_late=ops late_after=1h\n0 12 * * * a\n")
    assert cron.engine.memory.health["me/a"].broken == ()
    cron.edit("#: name=a warn_runtime=30m on_late=ops\n0 12 * * * a\n")
    cron.go(1200)
    assert [flip.promised for flip in cron.flips()] == [600.0, 1800.0]


# --- max_time_since_success -------------------------------------------------------------------------------


def test_the_last_success_is_its_end() -> None:
    """It took five hours: the promise counts from then; without any, from when the job was first seen."""
    cron = driver("#: name=a max_time_since_success=26h on_late=ops\n0 12 * * * a\n")
    cron.go(60)
    (start,) = cron.starts()
    cron.end(start, seconds=5 * 3600)
    cron.play(2 * _DAY, a=1 << 8)
    assert told(cron) == [("late", 31 * 3600.0)]
    cron = driver("#: name=a max_time_since_success=26h on_late=ops\n0 12 * * * a\n")
    cron.play(2 * _DAY, a=1 << 8)
    assert told(cron) == [("late", 26 * 3600.0 - 60)]


def test_a_pause_and_a_time_without_the_key_owe_nothing() -> None:
    """It counts again from the end of the pause, and from when it is enabled."""
    text = "#: name=a max_time_since_success=1h on_late=ops\n@yearly a\n"
    cron = driver(text)
    cron.step(PauseRequested("me/a", 0))
    cron.go(_DAY)
    cron.step(ResumeRequested("me/a", 0))
    resumed = cron.now.wall
    cron.go(7200)
    assert told(cron) == [("late", resumed + 3600 - _NOON)]
    cron.edit(text.replace("#:", "#: enabled=no"))
    cron.go(_DAY)
    cron.edit(text)
    enabled = cron.now.wall
    cron.go(7200)
    assert told(cron)[1:] == [("late", enabled + 3600 - _NOON)]


def test_what_is_over_or_has_not_begun_owes_nothing() -> None:
    """`starts_at` and `expires_at` bound the promise, too."""
    keys = "#: name=a max_time_since_success=1h on_late=ops"
    early = driver(f"{keys} starts_at=2026-06-01T15:00\n@yearly a\n")
    early.go(_DAY)
    assert told(early) == [("late", 4 * 3600.0)]
    over = driver(f"{keys} expires_at=2026-06-01T12:30\n@yearly a\n")
    over.go(_DAY)
    assert over.flips() == []


def test_a_day_off_owes_nothing() -> None:
    """Counted from the end of the last day off."""
    cron = driver("#: name=a max_time_since_success=26h on_late=ops skip_on=DE\n0 12 * * * a\n")
    cron.engine.days.days_off = lambda _source, day: "feast" if day == date(2026, 6, 2) else None
    cron.play(60)
    cron.play(3 * _DAY, a=1 << 8)
    assert told(cron)[:1] == [("late", 36 * 3600 + 26 * 3600.0)]


def test_the_same_moment_after_a_clock_was_set_back() -> None:
    """The clock was set back, the job succeeded, and was late again at the moment of the clock at which
    it had been late before: the second was taken for the first, and nobody heard of it.
    """
    cron = driver("#: name=a max_time_since_success=10m on_late=ops\n0 12 * * * a\n")
    alerting = cron.engine._watch.alerting
    breach = Breach(cron.engine.jobs["me/a"], Promise.MAX_TIME_SINCE_SUCCESS, _NOON + 600)
    ids = []
    for success in (_NOON, _NOON + 60):
        cron.engine.memory.apply(["success", "me/a", success])
        ids.append(alerting.late(breach, _NOON + 600).id)
    assert ids[0] != ids[1]


def test_a_success_that_somebody_marks() -> None:
    """A run that goes on is marked: that is a success to the promise, and the failure is not told."""
    cron = driver("#: name=a max_time_since_success=1h on_late=ops on_failure=ops\n0 12 * * * a\n")
    cron.go(7200)
    (start,) = cron.starts()
    key = cron.started(start)
    cron.step(MarkRequested(start.run, 0, Outcome.SUCCESS))
    cron.exited(key, 15)
    assert [flip.event for flip in cron.flips()] == [Event.LATE, Event.ON_TIME]


def test_a_clock_that_is_set_misses_nothing() -> None:
    """Forward by a day: no time went by in which anything was due. A host that slept, and whose clock was
    wrong by seconds when it woke, did miss something.
    """
    cron = driver("#: name=a late_after=10m on_late=ops\n0 * * * * a\n")
    cron.play(60)
    cron.set_clock(_DAY)
    cron.wake()
    cron.play(60)
    assert cron.flips() == []
    now = cron.now
    cron.now = Reading(now.wall + 7200, now.mono, now.boot + 7190)
    cron.wake()
    assert [flip.event for flip in cron.flips()] == [Event.LATE]


def test_a_clock_that_is_set_back_does_not_silence_it() -> None:
    """It was wrong by a day when a run was late; the next late run is told, though its instant is earlier."""
    cron = driver("#: name=a late_after=10m on_late=ops\n0 * * * * a\n", wall=_NOON + _DAY - 60)
    cron.go(900)
    for start in cron.starts():
        cron.end(start)
    cron.play(7200)
    cron.set_clock(-_DAY)
    cron.wake()
    cron.go(7200)
    assert [flip.event for flip in cron.flips()] == [Event.LATE, Event.ON_TIME, Event.LATE]
