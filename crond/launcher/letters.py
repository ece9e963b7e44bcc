"""Letters that wait to be sent, and whose turn it is: nobody waits for another user's mailer.

Owns the order and the bounds. A letter holds no text: that stays in its output file. Must not know how one is
sent. Called by post.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass

from crond.launcher.letter import Addressed, Written
from crond.launcher.spawn import Program
from crond.model.messages import Pairs

#: Letters on their way at once, of all users and of one.
AT_ONCE = 8
AT_ONCE_OF_USER = 2
#: One that takes this long (seconds) is slow: its mailer may hang, even on purpose. So many of these leave
#: their room to others.
SLOW = 10.0
MOST_SLOW = 32
#: Letters of one user that may wait.
MOST = 10_000


@dataclass(slots=True, kw_only=True)
class Letter:
    """One attempt's output on its way. `to` None: to syslog. `size` is the output's, in bytes, at its end.

    `uid` owns the output, `pid` was the job's process. `secrets` are masked in it. `tries` counts how often
    it failed for the moment. `slow`: it is on its way and leaves its room to another.

    Or a message, where `alert` is what `crond.launcher.lettering` writes it from; that is tried once, and
    `told` is called with the result, one of messages.DELIVERIES, and its detail.
    """

    key: str
    uid: int
    pid: int
    size: int
    written: Written
    program: Program
    to: Addressed | None
    secrets: Pairs = ()
    alert: bytes | None = None
    told: Callable[[str, str], None] | None = None
    tries: int = 0
    slow: bool = False

    @property
    def user(self) -> str:
        return self.written.user


class Letters:
    """Letters by user. Each that was added is `done` once, whatever becomes of it."""

    def __init__(self) -> None:
        self._queues: dict[str, deque[Letter]] = {}
        self._held: Counter[str] = Counter()
        self._sending: Counter[str] = Counter()
        self._slow = 0

    @property
    def waiting(self) -> int:
        """How many are neither sent nor on their way, those that are tried again later among them."""
        return self._held.total() - self._sending.total()

    @property
    def sending(self) -> int:
        return self._sending.total()

    def add(self, letter: Letter) -> bool:
        """Take `letter`; False if too many of its user wait."""
        if self._held[letter.user] >= MOST:
            return False
        self._held[letter.user] += 1
        self.again(letter)
        return True

    def again(self, letter: Letter) -> None:
        """Put `letter`, which was added before, at the end of its user's."""
        self._queues.setdefault(letter.user, deque()).append(letter)

    def take(self) -> Letter | None:
        """Return the letter whose turn it is, which is then on its way; None if none may go now."""
        if self.sending - self._slow >= AT_ONCE:
            return None
        for user, queue in self._queues.items():
            if self._sending[user] < AT_ONCE_OF_USER:
                letter = queue.popleft()
                # Behind the others: users take turns.
                del self._queues[user]
                if queue:
                    self._queues[user] = queue
                self._sending[user] += 1
                return letter
        return None

    def is_slow(self, letter: Letter) -> None:
        """Let another go while `letter` is on its way."""
        if self._slow < MOST_SLOW:
            letter.slow = True
            self._slow += 1

    def returned(self, letter: Letter) -> None:
        """`letter` is no longer on its way; it is done, or tried again later."""
        self._slow -= letter.slow
        letter.slow = False
        _less(self._sending, letter.user)

    def done(self, letter: Letter) -> None:
        _less(self._held, letter.user)


def _less(counter: Counter[str], user: str) -> None:
    counter[user] -= 1
    if not counter[user]:
        del counter[user]
