"""Letters that wait: users take turns, and nobody takes all places."""

from __future__ import annotations

import pytest

from crond.launcher import letters
from crond.launcher.letter import Written
from crond.launcher.letters import AT_ONCE, AT_ONCE_OF_USER, Letter, Letters
from crond.launcher.spawn import Program

PROGRAM = Program(path=b"/", arguments=(), environment={}, identity=None, directory=b"/")


def letter(user: str, key: str = "a.1") -> Letter:
    written = Written(user=user, command="x", status=0, assigned={}, environment={})
    return Letter(key=key, uid=0, pid=1, size=1, written=written, program=PROGRAM, to=None)


def taken(waiting: Letters) -> list[str]:
    """The users of all that may go now, in order."""
    found = []
    while (one := waiting.take()) is not None:
        found.append(one.user)
    return found


def test_users_take_turns() -> None:
    """However many one has, the next one's is not behind them."""
    waiting = Letters()
    for user in ("ann",) * 5 + ("ben",) * 3:
        waiting.add(letter(user))
    assert taken(waiting) == ["ann", "ben", "ann", "ben"]
    assert (waiting.sending, waiting.waiting) == (2 * AT_ONCE_OF_USER, 4)


def test_all_together_are_bounded() -> None:
    """No more at once than AT_ONCE; one that comes back makes room."""
    waiting = Letters()
    for number in range(20):
        waiting.add(letter(f"u{number}"))
    assert len(taken(waiting)) == AT_ONCE
    back = letter("u0")
    waiting.returned(back)
    waiting.done(back)
    assert taken(waiting) == [f"u{AT_ONCE}"]


def test_hanging_mailers_of_some_hold_up_nobody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    """Four users who stopped their mailers had all places, until the time limit, and then again."""
    monkeypatch.setattr(letters, "MOST_SLOW", AT_ONCE + 1)
    waiting = Letters()
    for number in range(2 * AT_ONCE):
        waiting.add(letter(f"u{number}"))
    hanging = [waiting.take() for _ in range(AT_ONCE)]
    assert waiting.take() is None
    for one in hanging:
        assert one is not None
        waiting.is_slow(one)
    others = [waiting.take() for _ in range(AT_ONCE)]
    assert waiting.take() is None
    waiting.add(letter("ann"))
    for one in others:
        assert one is not None
        waiting.is_slow(one)  # for one of them there is room: even those that hang are bounded
    assert taken(waiting) == ["ann"]
    for one in [*hanging, *others]:
        assert one is not None
        waiting.returned(one)
        waiting.done(one)
    for number in range(2 * AT_ONCE):
        waiting.add(letter(f"u{number}"))
    assert len(taken(waiting)) == AT_ONCE - 1


def test_a_user_has_so_many_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is too much is refused; others are not concerned. One that is tried again is still held."""
    monkeypatch.setattr(letters, "MOST", 2)
    waiting = Letters()
    assert [waiting.add(letter("ann")) for _ in range(3)] == [True, True, False]
    assert waiting.add(letter("ben"))
    one = waiting.take()
    assert one is not None
    waiting.returned(one)
    assert not waiting.add(letter("ann"))
    waiting.again(one)
    assert waiting.waiting == 3
