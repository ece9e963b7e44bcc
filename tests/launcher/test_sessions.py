"""When PAM is asked again, and how many processes do it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, cast

import pytest

from crond.launcher import asking, sessions
from crond.launcher.asking import Asking, Denied, Failed, Session
from crond.launcher.assistants import Assistants
from crond.launcher.log import Log
from crond.launcher.loop import Loop
from crond.launcher.sessions import Sessions
from crond.launcher.spawn import UNBOUND, SpawnFailed, Stage, Trouble
from tests.launcher.daemon import until

MINUTE, HOUR = 60.0, 3600.0
GOOD = Session({"A": "b"}, UNBOUND)


class Asked:
    """In the place of Asking: what was asked for, answered at once if there is an `answer`."""

    def __init__(self) -> None:
        self.questions: list[tuple[str, bool]] = []
        self.answer: Session | Denied | Failed | None = GOOD
        self.errors: list[str] = []
        self.on_answer: Any = None

    def ask(self, user: str, *, session: bool) -> None:
        self.questions.append((user, session))
        self.on_answer(user, self.answer if session or not isinstance(self.answer, Session) else None)

    def error(self, text: str) -> None:
        self.errors.append(text)

    def taken(self) -> list[tuple[str, bool]]:
        found, self.questions = self.questions, []
        return sorted(found)


class Clock:
    now = 1000.0

    def monotonic(self) -> float:
        return self.now

    def time(self) -> float:
        return 1_700_000_000.0


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(sessions, "time", clock)
    return clock


@pytest.fixture
def etc(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The files that PAM reads: `shadow`, and the folder `pam.d`."""
    (tmp_path / "shadow").write_text("ann")
    (tmp_path / "pam.d").mkdir()
    (tmp_path / "pam.d" / "cron").write_text("session")
    monkeypatch.setattr(sessions, "_OF_ACCOUNTS", (str(tmp_path / "shadow"), "/no/such"))
    monkeypatch.setattr(sessions, "_OF_SESSIONS", (str(tmp_path / "pam.d"),))
    return tmp_path


@pytest.fixture
def asked() -> Asked:
    return Asked()


@pytest.fixture
def known(clock: Clock, etc: Path, asked: Asked) -> Sessions:
    """What is known of ann and ben, who are good."""
    made = Sessions(cast(Asking, asked), cast(Log, asked))
    made.look({"ann", "ben"})
    assert asked.taken() == [("ann", True), ("ben", True)]
    assert made.of("ann") == GOOD
    return made


def test_who_runs_jobs_is_asked_for_each_minute_and_others_each_hour(
    known: Sessions, asked: Asked, clock: Clock
) -> None:
    """Ann's jobs run, so a directory that locks her is heard within the minute; sessions stay as they are."""
    for _ in range(3):
        clock.now += MINUTE
        known.of("ann")
        known.look({"ann", "ben"})
        assert asked.taken() == [("ann", False)]
    clock.now += MINUTE
    known.look({"ann", "ben"})
    assert asked.taken() == []
    clock.now += HOUR
    known.look({"ann", "ben"})
    assert asked.taken() == [("ann", False), ("ben", False)]
    clock.now += 24 * HOUR
    known.look({"ann", "ben"})
    assert asked.taken() == [("ann", True), ("ben", True)]


def test_an_edit_of_a_crontab_asks_nothing_anew(known: Sessions, asked: Asked, clock: Clock) -> None:
    """Each edit is a look, and there may be many in a minute. A new account is asked for at once."""
    clock.now += 1
    known.of("ann")
    known.look({"ann", "ben", "cat"})
    assert asked.taken() == [("cat", True)]


def test_a_change_of_the_files_that_pam_reads_holds_from_the_next_minute(
    known: Sessions, asked: Asked, clock: Clock, etc: Path
) -> None:
    """`chage -E 0` for somebody whose job runs once a year; an edit of a service file; nothing; a HUP."""
    clock.now += MINUTE
    (etc / "shadow").write_text("ann is gone")
    known.look({"ann", "ben"})
    assert asked.taken() == [("ann", False), ("ben", False)]
    (etc / "pam.d" / "cron").write_text("another session")
    known.look({"ann", "ben"})
    assert asked.taken() == [("ann", True), ("ben", True)]
    known.look({"ann", "ben"})
    assert asked.taken() == []
    known.renew()
    known.look({"ann", "ben"})
    assert asked.taken() == [("ann", True), ("ben", True)]


def test_who_is_refused_is_told_so_until_pam_says_otherwise(
    known: Sessions, asked: Asked, clock: Clock
) -> None:
    """A refusal is not for ever, and takes all that was known; what comes after it is asked for in full."""
    changes: list[str] = []
    known.on_change = lambda: changes.append("changed")
    asked.answer = Denied("authorize", "no")
    clock.now += MINUTE
    known.look({"ann"})
    assert known.of("ann") == asked.answer
    asked.answer = GOOD
    clock.now += MINUTE
    known.look({"ann"})
    assert known.of("ann") == GOOD
    assert asked.taken() == [("ann", False), ("ann", True)]
    assert changes == ["changed", "changed"]


def test_without_an_answer_the_last_one_holds_and_the_log_has_one_line(
    known: Sessions, asked: Asked, clock: Clock
) -> None:
    """Asked again each minute, for nobody knows when it is over; said again if it comes again."""
    asked.answer = Failed("it hangs")
    for _ in range(3):
        clock.now += HOUR
        known.look({"ann", "new"})
    assert known.of("ann") == GOOD
    assert known.of("new") == Denied("authorize", "it hangs")
    assert len(asked.errors) == 1
    asked.taken()
    clock.now += MINUTE
    asked.answer = GOOD
    known.look({"ann", "new"})
    assert asked.taken() == [("ann", True), ("new", True)]
    assert known.of("new") == GOOD
    asked.answer = Failed("again")
    clock.now += HOUR
    known.look({"ann"})
    assert len(asked.errors) == 2


def test_many_accounts_are_few_processes() -> None:
    """2000 accounts at once: in turns, and each is answered for, whatever becomes of its process."""
    loop, alive, most = Loop(), [], []
    answered: list[tuple[str, Any]] = []

    class Processes:
        def start(self, _module: str, request: str, *, stdin: Any) -> int:
            if len(answered) > 1000:
                stdin.close()
                raise SpawnFailed(Trouble(Stage.RESOURCES, 11))
            alive.append(stdin)
            most.append(len(alive))
            return os.getpid()

    accounts = Asking(
        "cron", dialect="debian", assistants=cast(Assistants, Processes()), loop=loop, limit=30.0
    )
    accounts.on_answer = lambda user, answer: answered.append((user, answer))
    names = {f"user{number}" for number in range(2000)}
    for name in names:
        accounts.ask(name, session=True)

    def turn() -> bool:
        loop.after(0.01, lambda: None)
        loop.turn()
        if alive:
            alive.pop(0).close()
        return len(answered) == len(names)

    until(turn)
    assert {user for user, _ in answered} == names
    assert max(most) <= asking._MOST
    assert {answer.why for _, answer in answered} == {
        "the process that asks ended",
        "Resource temporarily unavailable",
    }
