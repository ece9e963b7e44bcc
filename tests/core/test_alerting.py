"""What is told: each failure once, each announced streak with one recovery, whatever dies in between."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crond.core.health import WELL
from crond.model.alert import Event, Flip, addressee, target_digest
from crond.model.events import MuteRequested, UnmuteRequested
from crond.model.messages import Mail, News, NotStarted
from crond.model.run import Outcome
from tests.core.driving import Driver, contents, rebuilt

_NOON = 1780315200.0  # 2026-06-01 12:00 UTC


def driver(text: str, **begin: bool) -> Driver:
    """A minute before noon."""
    made = Driver(wall=_NOON - 60)
    made.begin(text, **begin)
    return made


def events(flips: list[Flip]) -> list[str]:
    return [flip.event.value for flip in flips]


# --- properties -------------------------------------------------------------------------------------------

_STEPS = st.lists(
    st.tuples(st.sampled_from((0, 1, 1, 2, 99)), st.booleans(), st.integers(0, 6)), min_size=1, max_size=25
)


@settings(max_examples=60, deadline=None, derandomize=True, database=None)
@given(_STEPS, st.integers(1, 3))
def test_each_failure_is_told_once_and_each_recovery_once(
    steps: list[tuple[int, bool, int]], after: int
) -> None:
    """Any ends, mutes, and crashes that tear off any tail of the journal: what is durable has each piece of
    news once, and none is missing.
    """
    cron = driver(f"#: name=a on_failure=ops alert_after={after} skip_codes=99\n* * * * * a\n")
    expected: Counter[str] = Counter()
    failures, announced = 0, False
    for status, dies, torn in steps:
        cron.go(60)
        (start,) = cron.starts()
        known = len(cron.records)
        cron.end(start, status << 8)
        if dies and torn:
            # What was torn off is told again by the launcher, and decided again.
            cron.restart(torn=max(known, len(cron.records) - torn))
            if cron.run(start).attempt.started_at is None:
                cron.started(start)
            if cron.run(start).attempt.ended_at is None:
                cron.exited(f"{start.run}.1", status << 8)
        cron.wishes.clear()
        if status == 0:
            expected["recovery"] += announced
            failures, announced = 0, False
        elif status != 99:
            failures += 1
            if failures >= after:
                expected["failure"] += 1
                announced = True
    told = cron.flips()
    assert Counter(events(told)) == +expected
    assert len({flip.id for flip in told}) == len(told)
    assert contents(rebuilt(cron.records)) == contents(cron.engine.memory)
    health = cron.engine.memory.health.get("me/a", WELL)
    assert (health.failures, health.announced) == (failures, announced)


# --- what a flip says ---------------------------------------------------------------------------------------


def test_a_flip_says_what_its_message_needs() -> None:
    """Times, attempts, how it ended, whose output, the success before, and the limits that hold."""
    cron = driver(
        "CRON_TZ=Asia/Seoul\n"
        "#: name=a on_failure=ops on_failure=json://h/secret retries=1 retry_delay=30 alert_cooldown=1h\n"
        "#: pipeline=nightly\n"
        "* * * * * a\n"
    )
    cron.play(60)
    cron.go(60)
    cron.end(cron.starts()[0], 3 << 8, seconds=2)
    cron.go(30)
    cron.end(cron.starts()[0], 9, seconds=1)
    (flip,) = cron.flips()
    run = cron.last("a")
    assert flip.addressees == (addressee("ops"), addressee("json://h/secret"))
    assert (flip.origin, flip.uid, flip.job, flip.run, flip.trigger) == ("tab", 7, "me/a", run.id, "schedule")
    assert (flip.instant, flip.at, flip.ended_at) == (_NOON + 60, run.ended_at, run.ended_at)
    assert flip.started_at == run.attempts[0].started_at
    assert (flip.starts, flip.retries, flip.outcome, flip.exit_code, flip.signal) == (2, 1, "failed", None, 9)
    assert (flip.attempt, flip.run_as, flip.timezone) == (f"{run.id}.2", "me", "Asia/Seoul")
    assert (flip.previous_success, flip.pipeline, flip.cooldown) == (_NOON, "nightly", 3600.0)
    assert "secret" not in str(flip.values())


def test_the_output_that_says_most() -> None:
    """The last start that wrote anything: a retry that found no network wrote nothing."""
    cron = driver("#: name=a on_failure=ops retries=1 retry_delay=0\n* * * * * a\n")
    cron.go(60)
    (first,) = cron.starts()
    cron.end(first, 1 << 8)
    cron.wake()
    (second,) = cron.starts()
    key = cron.started(second)
    cron.step(NotStarted(cron.number(), key, cron.now.wall, "fork", "no memory"))
    assert cron.flips()[-1].attempt == f"{first.run}.1"
    assert cron.flips()[-1].outcome == "could_not_start"


def test_one_news_wish_goes_with_a_step() -> None:
    """After the records, once, and only if there is any."""
    cron = driver("#: name=a on_success=ops ping=https://h/1\n* * * * * a\n* * * * * plain\n")
    cron.go(60)
    for start in cron.starts():
        cron.wishes.clear()
        cron.end(start)
        told = 2 if start.job == "a" else 0
        assert len(cron.asked(News)) == told
    assert events(cron.flips()) == ["ping_start", "ping_success", "success"]


def test_who_is_told_of_a_recovery_is_not_told_of_the_success() -> None:
    """One message to each, not two."""
    cron = driver("#: name=a on_failure=ops on_recovery=boss on_success=ops on_success=log\n* * * * * a\n")
    cron.play(60, a=1 << 8)
    cron.play(60)
    told = [(flip.event, [one.label for one in flip.addressees]) for flip in cron.flips()]
    assert told == [
        (Event.FAILURE, ["ops"]),
        (Event.RECOVERY, ["ops", "boss"]),
        (Event.SUCCESS, ["log"]),
    ]


def test_a_recovery_of_whom_no_failure_was_told() -> None:
    """`on_recovery` alone: the first success after a failure is told."""
    cron = driver("#: name=a on_recovery=boss\n* * * * * a\n")
    cron.play(60, a=1 << 8)
    cron.play(120)
    assert events(cron.flips()) == ["recovery"]


def test_what_is_held_fails() -> None:
    """A typing error in a dependency stopped a job for weeks, and nobody heard of it."""
    cron = driver("#: name=a depends_on=nobody on_failure=ops on_skip=log\n* * * * * a\n")
    cron.play(60)
    (flip,) = cron.flips()
    assert (flip.event, flip.outcome, flip.reason) == (
        Event.FAILURE,
        "skipped",
        "held: there is no job 'nobody'",
    )


def test_a_job_without_keys_forgets_how_it_stood() -> None:
    """Nothing is kept of jobs that nobody is told of, nor of those that are gone."""
    cron = driver("#: name=a on_failure=ops\n* * * * * a\n")
    cron.play(60, a=1 << 8)
    assert cron.engine.memory.health["me/a"].failures == 1
    cron.edit("#: name=a\n* * * * * a\n")
    assert cron.engine.memory.health == {}
    cron.edit("#: name=a on_failure=ops\n* * * * * a\n")
    cron.play(60, a=1 << 8)
    cron.edit("* * * * * b\n")
    assert cron.engine.memory.health != {}
    cron.play(2 * 86400)
    assert cron.engine.memory.health == {}


def test_another_owner_s_pipeline_gives_no_name() -> None:
    """The name of a pipeline is that of jobs that its owner may see, and each is worked out once."""
    cron = driver("#: name=a on_success=ops\n0 12 * * * a\n#: name=b depends_on=a on_success=ops\n@after b\n")
    cron.play(60)
    assert [flip.pipeline for flip in cron.flips()] == ["b", "b"]


def test_each_job_that_is_held_up_is_named_once() -> None:
    """A diamond: its last job waits for both sides; what may start without them is not held up."""
    cron = driver(
        "#: name=a on_failure=ops\n0 12 * * * a\n"
        "#: name=b depends_on=a\n@after b\n"
        "#: name=c depends_on=a\n@after c\n"
        "#: name=d depends_on=b,c\n@after d\n"
        "#: name=e depends_on=a trigger_rule=all_failed\n@after e\n"
    )
    cron.go(60)
    (start,) = cron.starts()
    cron.end(start, 1 << 8)
    (flip,) = cron.flips()
    assert flip.held_up == ("me/b", "me/c", "me/d")
    cron.go(1)
    outcomes = {name: cron.last(name).outcome for name in "bcd"}
    assert set(outcomes.values()) == {Outcome.UPSTREAM_FAILED}


def test_muted_until_somebody_ends_it() -> None:
    """Muting again keeps since when; unmuting twice is no matter; both survive a restart."""
    cron = driver("#: name=a on_failure=ops\n* * * * * a\n")
    cron.step(MuteRequested("me/a", 0, None, "we know"))
    cron.play(60, a=1 << 8)
    cron.step(MuteRequested("me/a", 7, _NOON + 3600))
    cron.restart()
    mute = cron.engine.memory.mutes["me/a"]
    assert (mute.began, mute.until, mute.by) == (_NOON - 60, _NOON + 3600, 7)
    for _ in range(2):
        cron.step(UnmuteRequested("me/a", 0))
    cron.restart()
    cron.play(60, a=1 << 8)
    assert [flip.muted for flip in cron.flips()] == [True, False]


def test_targets_are_named_by_digests() -> None:
    """The same target in two keys is the same addressee."""
    assert addressee("slack://token").digest == target_digest("slack://token")
    assert addressee("slack://token").label == "slack://..."


# --- mail -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mode", "status", "size", "mailed"),
    [
        ("cron", 0, 4, True),
        ("cron", 1, 0, False),
        ("failure", 0, 4, False),
        ("failure", 1, 4, True),
        ("failure", 1, 0, True),
        ("always", 0, 0, True),
        ("never", 1, 4, False),
    ],
)
def test_when_output_is_mailed(mode: str, status: int, size: int, *, mailed: bool) -> None:
    """As `mail=` says."""
    cron = driver(f"#: name=a mail={mode}\n* * * * * a\n")
    cron.go(60)
    (start,) = cron.starts()
    key = cron.started(start)
    cron.exited(key, status << 8, size)
    assert cron.asked(Mail) == ([Mail(key)] if mailed else [])


def test_one_letter_after_the_last_attempt() -> None:
    """A failure that is tried again is mailed once, when it failed for good."""
    cron = driver("#: name=a mail=failure retries=1 retry_delay=0\n* * * * * a\n")
    cron.go(60)
    for attempt in (1, 2):
        (start,) = cron.starts()
        cron.end(start, 1 << 8)
        assert len(cron.asked(Mail)) == attempt - 1
        cron.wake()
