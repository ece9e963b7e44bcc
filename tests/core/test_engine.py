"""Steps of the engine: given a state, an event and a reading, exactly what is asked for and remembered."""

from __future__ import annotations

import pytest

from crond.core.engine import BATCH, FIRST_BATCH
from crond.core.keeping import KEPT_AFTER_GONE, KEPT_RUNS
from crond.core.memory import BadRecord, Memory
from crond.core.spread import spread
from crond.model.events import RunRequested, StopRequested
from crond.model.messages import (
    Exited,
    Forget,
    Mail,
    NotStarted,
    Started,
    Stop,
    TableGone,
    TableRefused,
    Vanished,
    attempt_key,
)
from crond.model.run import Outcome, State, Trigger
from tests.core.driving import Driver, contents, rebuilt

NOON = 1_772_366_400.0  # 2026-03-01T12:00:00Z
MINUTELY = "* * * * * c\n"


@pytest.fixture
def driver() -> Driver:
    """An engine that came up at noon with a minutely job."""
    made = Driver(wall=NOON)
    made.begin(MINUTELY)
    return made


# --- the ordinary life of a run -------------------------------------------------------------------


def test_a_run_from_due_to_success(driver: Driver) -> None:
    """STARTING before its Start leaves, RUNNING when it started, FINISHED with what its exit says."""
    assert driver.starts() == []
    driver.go(60)
    (start,) = driver.starts()
    assert (start.table, start.entry, start.part, start.attempt) == (1, 0, "command", 1)
    run = driver.run(start)
    assert (run.state, run.instant, run.ordinal, run.trigger) == (
        State.STARTING,
        NOON + 60,
        0,
        Trigger.SCHEDULE,
    )
    key = driver.started(start)
    assert (driver.run(start).state, driver.run(start).attempt.pid) == (State.RUNNING, 99)
    driver.pass_by(5)
    driver.exited(key)
    run = driver.run(start)
    assert (run.outcome, run.ended_at, run.attempt.exit_code) == (Outcome.SUCCESS, NOON + 65, 0)
    assert (run.attempt.cpu_user, run.attempt.cpu_system, run.attempt.max_rss) == (0.1, 0.2, 300)
    assert run.attempt.output_size == 4


@pytest.mark.parametrize(
    ("status", "outcome", "code", "signal"),
    [(0x0300, Outcome.FAILED, 3, None), (9, Outcome.FAILED, None, 9)],
)
def test_a_run_that_fails(
    driver: Driver, status: int, outcome: Outcome, code: int | None, signal: int | None
) -> None:
    """Another exit status, or a signal."""
    driver.go(60)
    (start,) = driver.starts()
    driver.exited(driver.started(start), status)
    run = driver.run(start)
    assert (run.outcome, run.attempt.exit_code, run.attempt.signal) == (outcome, code, signal)


def test_a_single_instance_is_left_out_while_one_is_alive(driver: Driver) -> None:
    """`-s`: skipped with the reason while a run before it starts, runs or is stopped; also when asked for."""
    driver.edit("* * * * * -s c\n")
    driver.go(60)
    (first,) = driver.starts()
    driver.go(60)  # it was asked for and has not started
    key = driver.started(first)
    driver.go(60)
    job = driver.run(first).job
    driver.step(RunRequested(job, 7))
    driver.step(StopRequested(first.run, 7))
    driver.go(60)
    assert driver.starts() == []
    left_out = [run for run in driver.engine.memory.runs_of(job) if run.id != first.run]
    assert {(run.outcome, run.reason) for run in left_out} == {
        (Outcome.SKIPPED, "the run before it was still alive")
    }
    assert [run.trigger for run in left_out].count(Trigger.MANUAL) == 1
    driver.exited(key)
    driver.go(60)
    (again,) = driver.starts()
    assert driver.run(again).state is State.STARTING


def test_dues_made_up_together_are_one_of_a_single_instance(driver: Driver) -> None:
    """Three minutes late: the first of them starts, the others find it alive."""
    driver.edit("* * * * * -s c\n* * * * * d\n")
    driver.pass_by(180)
    driver.wake()
    driver.go(30)
    assert sorted(start.entry for start in driver.starts()) == [0, 1, 1, 1]


def test_facts_told_twice_change_nothing(driver: Driver) -> None:
    """The launcher resends what was not acknowledged."""
    driver.go(60)
    (start,) = driver.starts()
    key = driver.started(start)
    before = contents(driver.engine.memory)
    driver.step(Started(1, key, 1234, NOON))
    assert contents(driver.engine.memory) == before
    driver.exited(key)
    before = contents(driver.engine.memory)
    driver.exited(key, 256)
    driver.step(Started(1, key, 1234, NOON))
    driver.step(NotStarted(1, key, NOON, "exec", "late"))
    assert contents(driver.engine.memory) == before


def test_an_exit_that_nobody_remembers_is_forgotten(driver: Driver) -> None:
    """The launcher must not keep an attempt for ever because we lost our memory of it."""
    driver.exited("unknown.1")
    driver.step(Started(1, "unknown.1", 5, NOON))
    driver.step(NotStarted(1, "unknown.1", NOON, "exec", ""))
    driver.go(60)
    (start,) = driver.starts()
    driver.exited(attempt_key(start.run, 2))
    forgotten = [wish.attempt for wish in driver.wishes if isinstance(wish, Forget)]
    assert forgotten == ["unknown.1", attempt_key(start.run, 2)]


@pytest.mark.parametrize(("detail", "reason"), [("No such file", "exec: No such file"), ("", "exec")])
def test_a_command_that_cannot_start(driver: Driver, detail: str, reason: str) -> None:
    """The launcher's reason is the run's, also after a Started."""
    driver.go(60)
    (start,) = driver.starts()
    driver.step(NotStarted(1, driver.started(start), NOON + 61, "exec", detail))
    run = driver.run(start)
    assert (run.outcome, run.reason, run.ended_at) == (Outcome.COULD_NOT_START, reason, NOON + 61)


def test_a_stale_start_is_asked_for_again(driver: Driver) -> None:
    """The table changed between our wish and the launcher's look: the newest version is named."""
    driver.go(60)
    (start,) = driver.starts()
    driver.edit("# moved\n1 1 1 1 1 other\n* * * * * c\n")
    driver.step(NotStarted(1, attempt_key(start.run, 1), NOON + 60, "stale", ""))
    (again,) = driver.starts()
    assert (again.run, again.attempt, again.table, again.entry) == (start.run, 1, 2, 1)


def test_a_stale_start_of_a_job_that_is_gone(driver: Driver) -> None:
    """Nothing is left to start: skipped, and said why."""
    driver.go(60)
    (start,) = driver.starts()
    driver.edit("")
    driver.step(NotStarted(1, attempt_key(start.run, 1), NOON + 60, "stale", ""))
    assert (driver.run(start).outcome, driver.run(start).reason) == (Outcome.SKIPPED, "gone")


def test_a_duplicate_is_no_end(driver: Driver) -> None:
    """It was started before; its own facts tell the rest."""
    driver.go(60)
    (start,) = driver.starts()
    driver.step(NotStarted(1, attempt_key(start.run, 1), NOON + 60, "duplicate", ""))
    assert driver.run(start).state is State.STARTING


# --- many -----------------------------------------------------------------------------------------


def test_many_dues_start_in_batches() -> None:
    """The first of a thousand must not wait for the last; all are journalled before the first leaves."""
    driver = Driver(wall=NOON)
    driver.begin("".join(f"* * * * * c{n}\n" for n in range(2 * BATCH + 5)))
    driver.pass_by(60)
    sizes: list[int] = []
    while driver.engine.deadline(driver.now) == 0 or not sizes:
        driver.wake()
        sizes.append(len(driver.starts()))
    assert sizes == [FIRST_BATCH, BATCH, BATCH, 5 - FIRST_BATCH]
    kinds = [record[0] for record in driver.records]
    assert kinds.count("due") == 1
    assert kinds.index("due") < kinds.index("run")


def test_a_job_that_still_runs_is_started_again(driver: Driver) -> None:
    """Cron protects nobody from overlapping: each minute has a run, whatever became of the one before."""
    for _ in range(3):
        driver.go(60)
        (start,) = driver.starts()
        driver.started(start)
    assert [run.state for run in driver.engine.memory.runs.values()] == [State.RUNNING] * 3


def test_only_so_many_finished_runs_are_kept(driver: Driver) -> None:
    """The oldest is forgotten, by us and by the launcher."""
    for _ in range(KEPT_RUNS + 3):
        driver.go(60)
        (start,) = driver.starts()
        driver.exited(driver.started(start))
    assert len(driver.engine.memory.runs) == KEPT_RUNS
    assert sum(isinstance(wish, Forget) for wish in driver.wishes) == 3


def test_a_clock_set_back_makes_new_runs_of_old_instants() -> None:
    """Same job, same instant, another ordinal: another run, never the same one again."""
    driver = Driver(wall=NOON)
    driver.begin(MINUTELY)
    driver.go(60)
    (first,) = driver.starts()
    driver.set_clock(-120)
    driver.wake()
    driver.go(60)
    again = [driver.run(start) for start in driver.starts()]
    same = [run for run in again if run.instant == NOON + 60]
    assert [run.ordinal for run in same] != [0]
    assert first.run not in {run.id for run in again}


def test_a_job_edited_away_while_due_is_skipped() -> None:
    """Planned, then gone before it could start: skipped(gone)."""
    driver = Driver(wall=NOON)
    driver.begin("".join(f"* * * * * c{n}\n" for n in range(FIRST_BATCH + 1)))
    driver.go(0)
    driver.pass_by(60)
    driver.wake()
    driver.edit("")
    driver.wake()
    skipped = [run for run in driver.engine.memory.runs.values() if run.outcome is Outcome.SKIPPED]
    assert [run.reason for run in skipped] == ["gone"]


def test_what_belongs_to_no_job_is_forgotten_after_a_day(driver: Driver) -> None:
    """Runs and answers of jobs that left their tables go; those of jobs that stay, stay."""
    driver.go(60)
    (start,) = driver.starts()
    driver.exited(driver.started(start))
    driver.edit("30 0 1 1 * yearly\n")
    driver.go(KEPT_AFTER_GONE - 7200)
    assert driver.engine.memory.runs
    driver.go(3 * 3600)
    assert not driver.engine.memory.runs
    driver.go(3600)
    assert not driver.engine.memory.answered


# --- tables ---------------------------------------------------------------------------------------


def test_tables_come_change_and_go(driver: Driver) -> None:
    """A refused file and one that is gone have no jobs; a good version clears the refusal."""
    driver.step(TableRefused("tab", "me", 7, "BAD FILE MODE"))
    assert driver.engine.jobs == {}
    assert driver.engine.refused["tab"].reason == "BAD FILE MODE"
    driver.go(60)
    assert driver.starts() == []
    driver.edit(MINUTELY)
    assert driver.engine.refused == {}
    driver.go(60)
    assert len(driver.starts()) == 1
    driver.step(TableGone("tab"))
    assert (driver.engine.jobs, driver.engine.tables) == ({}, {})


def test_editing_keeps_the_history(driver: Driver) -> None:
    """Another line, another schedule: the same job, so the same runs and ordinals."""
    driver.go(60)
    (first,) = driver.starts()
    driver.edit("# comment\n*/2 * * * * c\n")
    driver.go(60)
    (second,) = driver.starts()
    assert driver.run(first).job == driver.run(second).job


def test_nothing_happens_before_all_tables_are_known() -> None:
    """Between Hello and TablesComplete a wake-up plans nothing, and there is no hurry."""
    driver = Driver(wall=NOON)
    assert driver.wake() == []
    assert driver.engine.deadline(driver.now) == 60.0


# --- @reboot, @at ---------------------------------------------------------------------------------


def test_reboot_runs_once_per_boot() -> None:
    """Not again for a scheduler or a launcher that restarts; again after a boot; only where allowed."""
    driver = Driver(wall=NOON)
    driver.begin("@reboot c\n")
    (start,) = driver.starts()
    assert driver.run(start).trigger is Trigger.REBOOT
    driver.exited(driver.started(start))
    driver.restart()
    driver.restart(life="second")
    assert driver.starts() == []
    driver.pass_by(100)
    driver.restart(life="third", boot="another")
    assert len(driver.starts()) == 1


def test_reboot_in_a_crontab_that_comes_later_does_not_run() -> None:
    """It is for the start of the daemon, which has been."""
    driver = Driver(wall=NOON)
    driver.begin("1 1 1 1 1 c\n")
    driver.edit("@reboot c\n")
    driver.go(300)
    assert driver.starts() == []


def test_reboot_not_where_the_launcher_says_no() -> None:
    """Another cron may have run them in this boot."""
    driver = Driver(wall=NOON)
    driver.begin("@reboot c\n", reboot=False)
    assert driver.starts() == []


def test_a_moment_is_not_due_again_when_its_table_is_read_again() -> None:
    """An @at job of this very minute ran a second time after any edit, and after a restart, within it."""
    text = "@at 2026-03-01T12:00:30+00:00 c\n"
    driver = Driver(wall=NOON)
    driver.begin(text)
    driver.go(31)
    (start,) = driver.starts()
    driver.exited(driver.started(start))
    driver.edit(text + "# edited\n")
    driver.go(5)
    driver.restart()
    driver.go(300)
    assert driver.starts() == []
    assert len(driver.engine.memory.runs) == 1


def test_a_moment_that_passed_unseen_is_said() -> None:
    """Never run, and never silently so; one that did run is no news."""
    driver = Driver(wall=NOON)
    driver.begin("@at 2026-03-01T11:00:00+00:00 c\n")
    assert driver.starts() == []
    assert [notice.split(": ")[1] for notice in driver.notices] == [
        "@at 2026-03-01T11:00:00+00:00 has passed; not run"
    ]
    driver.notices.clear()
    driver.edit("@at 2026-03-01T12:00:30+00:00 d\n")
    driver.go(120)
    driver.edit("@at 2026-03-01T12:00:30+00:00 d\n")
    assert driver.notices == []


# --- clocks ---------------------------------------------------------------------------------------


def test_what_the_clock_did_is_said(driver: Driver) -> None:
    """Suspended, set, late: three different sentences for the log."""
    driver.wake()
    driver.pass_by(1200)
    driver.wake()
    driver.set_clock(-3600)
    driver.wake()
    driver.set_clock(3600)
    driver.wake()
    assert driver.notices == [
        "the scheduler did not run for 1200 s",
        "the clock was set back by 3600 s",
        "the clock was set forward by 3600 s",
    ]


# --- restarts -------------------------------------------------------------------------------------


def test_a_scheduler_that_died_before_its_start_left(driver: Driver) -> None:
    """STARTING in the journal: asked for again, as the same attempt, so that it cannot run twice."""
    driver.go(60)
    (lost,) = driver.starts()
    driver.restart()
    assert driver.starts() == [lost.__class__(2, 0, "command", lost.job, lost.run, 1)]


def test_a_scheduler_that_died_between_planning_and_starting() -> None:
    """Dues in the journal without runs are started by the next one."""
    driver = Driver(wall=NOON)
    driver.begin("".join(f"* * * * * c{n}\n" for n in range(BATCH + 3)))
    driver.pass_by(60)
    driver.wake()
    first = {start.run for start in driver.starts()}
    driver.restart()
    again = {start.run for start in driver.starts()}
    assert first <= again
    driver.wake()
    assert len(again | {start.run for start in driver.starts()}) == BATCH + 3


def test_a_job_gone_while_the_scheduler_was_dead_is_asked_about(driver: Driver) -> None:
    """It may have been started: called skipped, it ran all the same. Version 0 exists nowhere, so the
    launcher answers `duplicate` if it knows the attempt, else `stale`.
    """
    driver.go(60)
    (lost,) = driver.starts()
    driver.restart(text="")
    (question,) = driver.starts()
    assert (question.table, question.run) == (0, lost.run)
    driver.step(NotStarted(1, attempt_key(lost.run, 1), NOON + 60, "duplicate", ""))
    driver.exited(driver.started(lost))
    assert driver.run(lost).outcome is Outcome.SUCCESS


def test_a_new_launcher_has_lost_what_ran() -> None:
    """Running attempts end as lost, dues that never started as skipped, and nothing is made up."""
    driver = Driver(wall=NOON)
    driver.begin("".join(f"* * * * * c{n}\n" for n in range(FIRST_BATCH + 3)))
    driver.pass_by(60)
    driver.wake()
    for start in driver.starts():
        driver.started(start)
    driver.pass_by(600)
    driver.restart(life="second")
    outcomes = [run.outcome for run in driver.engine.memory.runs.values()]
    assert outcomes.count(Outcome.LOST) == FIRST_BATCH
    assert outcomes.count(Outcome.SKIPPED) == 3
    assert driver.starts() == []
    driver.go(59)
    assert driver.starts() == []


def test_memory_is_its_records(driver: Driver) -> None:
    """Reading the journal back, whole or after a rewrite, gives the same memory."""
    driver.go(180)
    for start in driver.starts()[:2]:
        driver.exited(driver.started(start))
    memory = driver.engine.memory
    assert contents(rebuilt(driver.records)) == contents(memory)
    assert contents(rebuilt(list(memory.records()))) == contents(memory)
    assert rebuilt(driver.records).position == memory.position


@pytest.mark.parametrize(
    "record",
    [
        [],
        ["nonsense"],
        "text",
        None,
        ["life"],
        [["life"], 1],
        ["due", [["job", 1.0]]],
        ["run", {"id": "x"}],
        ["planned", 1, 1, 0, "sideways"],
        ["run", {"id": "x", "trigger": "?"}],
    ],
)
def test_what_is_no_record_changes_nothing(record: list[object]) -> None:
    """A line of another version, or of a torn file, is a BadRecord."""
    memory = Memory()
    before = contents(memory)
    with pytest.raises(BadRecord):
        memory.apply(record)
    assert contents(memory) == before


def test_forgetting_what_is_not_there_is_no_error() -> None:
    """Records have absolute contents: applying one twice is applying it once."""
    memory = Memory()
    memory.apply(["forget-run", "x"])
    memory.apply(["forget-job", "x"])
    assert not memory.runs


# --- people ---------------------------------------------------------------------------------------


def test_somebody_wants_a_run(driver: Driver) -> None:
    """A manual run, at once, with who asked for it; the schedule is not disturbed."""
    (job,) = driver.engine.jobs
    driver.pass_by(10)
    driver.step(RunRequested(job, 1000))
    (start,) = driver.starts()
    run = driver.run(start)
    assert (run.trigger, run.by, run.instant, run.state) == (Trigger.MANUAL, 1000, NOON + 10, State.STARTING)
    driver.go(50)
    assert len(driver.starts()) == 1


def test_two_requests_in_one_turn_are_two_runs(driver: Driver) -> None:
    """Both asked for a run at one reading of the clock, and got one between them."""
    (job,) = driver.engine.jobs
    driver.step(RunRequested(job, 1000))
    driver.step(RunRequested(job, 1001))
    assert len({start.run for start in driver.starts()}) == 2


@pytest.mark.parametrize("known", [True, False])
def test_stopping_a_run(driver: Driver, known: bool) -> None:
    """Asked once, sent once; asked again, sent again; the end is `stopped`, whatever the exit."""
    driver.go(60)
    (start,) = driver.starts()
    key = attempt_key(start.run, 1)
    if known:
        driver.started(start)
    driver.step(StopRequested(start.run, 0))
    assert driver.run(start).state is State.STOPPING
    assert [wish for wish in driver.wishes if isinstance(wish, Stop)] == [Stop(key)]
    driver.step(StopRequested(start.run, 0))
    assert [wish for wish in driver.wishes if isinstance(wish, Stop)] == [Stop(key)] * 2
    if not known:
        driver.started(start)
    assert (driver.run(start).state, driver.run(start).attempt.pid) == (State.STOPPING, 99)
    driver.step(Exited(9, key, NOON + 70, 0, 0.0, 0.0, 0, 0))
    assert driver.run(start).outcome is Outcome.STOPPED


def test_stopping_what_cannot_be_stopped(driver: Driver) -> None:
    """An unknown run and one that has ended: nothing is sent."""
    driver.step(StopRequested("unknown", 0))
    driver.go(60)
    (start,) = driver.starts()
    driver.exited(driver.started(start))
    driver.step(StopRequested(start.run, 0))
    assert not any(isinstance(wish, Stop) for wish in driver.wishes)
    assert driver.run(start).outcome is Outcome.SUCCESS


def test_a_stop_is_sent_again_by_the_next_scheduler(driver: Driver) -> None:
    """A scheduler that died between journal and wire left the run STOPPING, and the process running."""
    driver.go(60)
    (start,) = driver.starts()
    key = driver.started(start)
    driver.step(StopRequested(start.run, 0))
    driver.wishes.clear()
    driver.restart()
    assert [wish for wish in driver.wishes if isinstance(wish, Stop)] == [Stop(key)]


def test_a_run_stopped_before_it_started_does_not_start(driver: Driver) -> None:
    """Its start came back as stale, and was asked for again although somebody had stopped it."""
    driver.go(60)
    (start,) = driver.starts()
    driver.step(StopRequested(start.run, 0))
    driver.step(NotStarted(1, attempt_key(start.run, 1), NOON + 60, "stale", ""))
    assert driver.starts() == []
    assert driver.run(start).outcome is Outcome.STOPPED


def test_the_engine_looks_ahead_from_where_it_stands(driver: Driver) -> None:
    """With its own zone, delay and served minutes."""
    (job,) = driver.engine.jobs.values()
    assert next(driver.engine.preview(driver.now.wall).due_times(job)) == NOON + 60


def test_a_tick_that_passed_while_the_scheduler_was_away_is_made_up_once() -> None:
    """The scheduler was replaced just as my 15 s job was due, and that run never came."""
    driver = Driver(wall=NOON)
    driver.begin("@every 15s c\n")
    driver.go(15)
    (first,) = driver.starts()
    driver.exited(driver.started(first))

    driver.pass_by(40)
    driver.restart()
    driver.wake()

    (start,) = driver.starts()
    assert driver.run(start).instant == NOON + 45
    driver.wake()
    assert driver.starts() == []


def test_reading_a_table_again_starts_nothing() -> None:
    """I commented a line out and in again, and its job ran at once."""
    driver = Driver(wall=NOON)
    driver.begin("@every 15s c\n")
    driver.go(15)
    driver.starts()
    driver.edit("# @every 15s c\n")
    driver.go(100)

    driver.edit("@every 15s c\n")
    driver.wake()

    assert driver.starts() == []


def test_a_stop_before_a_start_that_was_never_made_ends() -> None:
    """The scheduler died before start and stop left it; the run stood there as stopping for ever."""
    driver = Driver(wall=NOON)
    driver.begin("* * * * * c\n")
    driver.go(60)
    (start,) = driver.starts()
    driver.step(StopRequested(start.run, 0))

    driver.restart()

    (question,) = driver.starts()
    assert (question.table, question.run) == (0, start.run)
    driver.step(NotStarted(1, attempt_key(start.run, 1), NOON + 60, "stale", ""))
    assert driver.run(start).outcome is Outcome.STOPPED


def test_an_end_brings_a_mail_and_so_does_the_same_end_again() -> None:
    """The scheduler dies after it wrote the end down: the next one, told again, wishes the mail again."""
    driver = Driver(wall=NOON)
    driver.begin("* * * * * job\n")
    driver.go(60)
    key = driver.started(driver.starts()[0])
    driver.exited(key)
    assert [wish for wish in driver.wishes if isinstance(wish, Mail)] == [Mail(key)]
    driver.restart()
    driver.wishes.clear()
    driver.exited(key)
    assert driver.wishes == [Mail(key)]


def test_nobody_waits_for_a_minute_before_all_tables_are_known() -> None:
    driver = Driver(wall=NOON)
    driver.greet()
    assert driver.engine.deadline(driver.now) == 60.0


def test_people_are_told_when_a_job_lives() -> None:
    driver = Driver(wall=NOON)
    driver.begin("#: name=a jitter=10m expires_at=2026-03-02\n0 * * * * c\n")
    job, engine = driver.engine.jobs["me/a"], driver.engine
    began, ended = engine.window_of(job, NOON)
    assert began == float("-inf")
    assert [engine.is_within(job, at) for at in (ended - 1, ended + 1)] == [True, False]
    assert engine.jitter_of(job) == spread(600, "", "me/a")


def test_a_moment_that_an_outage_hid_is_answered() -> None:
    """It is left out with its reason, in the history as well."""
    driver = Driver(wall=NOON)
    driver.begin("#: name=a catchup=none\n@at 2026-03-01T12:10:00+00:00 c\n")
    driver.go(60)
    driver.pass_by(3600)
    driver.restart(life="second")
    assert driver.starts() == []
    assert (driver.last("a").outcome, driver.last("a").reason) == (
        Outcome.SKIPPED,
        "missed: the daemon was down",
    )


def test_an_end_that_is_told_again_while_another_attempt_is_due() -> None:
    """Neither the exit nor that the process vanished ends it twice; of one that nobody remembers, the
    launcher need not tell again.
    """
    driver = Driver(wall=NOON)
    driver.begin("#: name=a retries=1 retry_delay=10m\n* * * * * c\n")
    driver.go(60)
    (start,) = driver.starts()
    driver.end(start, 256)
    held = driver.run(start)
    driver.exited(attempt_key(start.run, 1), 256)
    driver.step(Vanished(9, attempt_key(start.run, 1), NOON))
    assert driver.run(start) == held
    assert held.state is State.WAITING
    driver.step(Vanished(9, "unknown.1", NOON))
    assert driver.asked(Forget)[-1] == Forget("unknown.1")
