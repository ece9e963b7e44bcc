"""The ends of outputs that messages show: which file may be read, and that no secret is in what is read.

Owns the processes that mask, their time limit and what is believed of their answers. Called by notifying.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from crond.launcher.deliveries import Tail
from crond.launcher.loop import READ
from crond.launcher.masking import order_of
from crond.launcher.spawn import Identity, SpawnFailed, holding, kill_tree, lifted
from crond.launcher.tailing import last_lines, read_end

if TYPE_CHECKING:
    from crond.launcher.assistants import Assistants
    from crond.launcher.loop import Timer
    from crond.launcher.parts import Parts
    from crond.launcher.targets import Owner
    from crond.model.messages import Pairs

#: A process that masks may take so long (seconds): a secret may lie on a disk that hangs.
_PATIENCE = 5.0
#: Such processes at once, one of each user: what hangs on purpose holds up nobody else's. Users take turns.
_MOST = 4
_HEADER = 4096

Done = Callable[[Tail], None]
#: Whose crontab it is, which attempt, where its secrets lie, and who wants the end.
_Wanted: TypeAlias = "tuple[Owner, str, Pairs, Done]"


@dataclass(slots=True)
class _Masking:
    """One process."""

    uid: int
    pid: int
    answers: int
    done: Done
    timer: Timer
    said: bytes = b""


class Tails:
    """Reads as much of them as the settings say."""

    def __init__(self, parts: Parts, assistants: Assistants) -> None:
        self._most = parts.config.tail
        self._changes = parts.config.mode == "host" and parts.own.uid == 0
        self._accounts = parts.accounts
        self._assistants = assistants
        self._loop = parts.loop
        self._outputs = parts.outputs
        self._running: dict[int, _Masking] = {}
        self._waiting: dict[int, deque[_Wanted]] = {}

    def take(self, owner: Owner, key: str, secrets: Pairs, done: Done) -> None:
        """Call `done`, perhaps later, with the end of the output of attempt `key` of a crontab of `owner`.

        An output lies under the uid that its crontab had: of somebody else's nothing is ever found.
        """
        if not key or not self._most:
            done(Tail())
        elif secrets:
            self._waiting.setdefault(owner.uid, deque()).append((owner, key, secrets, done))
            self._go()
        else:
            self._begin(owner, key, secrets, done)

    def _go(self) -> None:
        """Begin with those whose turn it is, until enough are under way."""
        while len(self._running) < _MOST:
            busy = {masking.uid for masking in self._running.values()}
            uid = next((uid for uid in self._waiting if uid not in busy), None)
            if uid is None:
                return
            queue = self._waiting.pop(uid)
            wanted = queue.popleft()
            if queue:
                self._waiting[uid] = queue
            self._begin(*wanted)

    def _begin(self, owner: Owner, key: str, secrets: Pairs, done: Done) -> None:
        output = self._outputs.open(owner.uid, key)
        if output is None:
            done(Tail())
            return
        with contextlib.ExitStack() as stack:
            given = lifted(stack, output)
            if secrets:
                self._mask(stack, owner, given, secrets, done)
                return
            size = os.fstat(given).st_size
            data = read_end(given, size, self._most + 1)
            end = last_lines(data, self._most, whole=len(data) >= size)
            done(Tail(end, size - len(end)))

    def _mask(
        self, stack: contextlib.ExitStack, owner: Owner, output: int, secrets: Pairs, done: Done
    ) -> None:
        try:
            order = holding(stack, order_of(secrets, os.environ if self._may_know(owner) else {}))
            answers, writing = os.pipe2(os.O_CLOEXEC)
            stack.callback(os.close, answers)
            pid = self._assistants.run(
                "tailing",
                str(self._most),
                descriptors=(output, order, lifted(stack, writing)),
                identity=self._identity(owner),
                heard=False,
            )
            answers = os.dup(answers)
        except (OSError, SpawnFailed) as error:
            done(_left_out(f"no process can be made to mask secrets: {error}"))
            return
        os.set_blocking(answers, False)
        timer = self._loop.after(_PATIENCE, lambda: self._give_up(masking))
        masking = self._running[answers] = _Masking(owner.uid, pid, answers, done, timer)
        self._loop.watch(answers, READ, lambda _events: self._heard(masking))

    def _may_know(self, owner: Owner) -> bool:
        """True if our own environment is theirs, too."""
        return owner.privileged or not self._changes

    def _identity(self, owner: Owner) -> Identity | None:
        """Return who reads the secrets. Raises OSError: that account is gone."""
        if not self._changes or owner.uid == 0:
            return None
        account = self._accounts.named(owner.name)
        if account is None:
            raise OSError(2, f"no account {owner.name}")
        return Identity(account.uid, account.gid, tuple(sorted(account.groups)))

    def _heard(self, masking: _Masking) -> None:
        data = os.read(masking.answers, 65536)
        masking.said += data
        if data and len(masking.said) <= _HEADER + self._most:
            return
        self._end(masking, _tail(masking.said, self._most))

    def _give_up(self, masking: _Masking) -> None:
        self._end(masking, _left_out("its secrets could not be read in time"))

    def _end(self, masking: _Masking, tail: Tail) -> None:
        masking.timer.cancel()
        del self._running[masking.answers]
        self._loop.forget(masking.answers)
        os.close(masking.answers)
        # It holds a file of ours, and has nothing more to say.
        if masking.pid:
            kill_tree(masking.pid)
        try:
            masking.done(tail)
        finally:
            self._go()

    def reaped(self, pid: int) -> bool:
        """Take note of the end of process `pid`; True if it was one of these."""
        for masking in self._running.values():
            if masking.pid == pid:
                masking.pid = 0
                return True
        return False


def _tail(said: bytes, most: int) -> Tail:
    """Return what a process answered, which a user may have had a hand in."""
    head, _, data = said.partition(b"\n")
    try:
        told: Mapping[str, object] = json.loads(head)
        if "error" in told:
            return _left_out(str(told["error"]))
        left_out = told["left_out"]
        if not isinstance(left_out, int) or not 0 <= left_out < 2**53 or len(data) > most:
            raise ValueError
    except (ValueError, TypeError, KeyError, RecursionError):
        return _left_out("its secrets could not be masked")
    return Tail(data, left_out)


def _left_out(why: str) -> Tail:
    return Tail(f"[the output is left out: {why}]".encode("utf-8", "replace")[:1000], 0)
