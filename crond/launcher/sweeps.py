"""When outputs are pruned: at start, each hour, and when a client asks; and whose.

Owns the processes that do it, at most a few at a time. Never looks at a file (see `crond.launcher.pruning`).
Called by main, and by clients.
"""

from __future__ import annotations

import json
import os
import socket
from dataclasses import asdict, dataclass, replace
from typing import Any

from crond.launcher.assistants import Assistants
from crond.launcher.config import Config
from crond.launcher.log import Log
from crond.launcher.loop import READ, Loop
from crond.launcher.retention import Limits
from crond.launcher.spawn import SpawnFailed
from crond.link import Peer

#: After the start jobs go first: what is due then, and `@reboot`.
_FIRST, _PERIOD = 10.0, 3600.0
_MOST = 8


class NotNow(Exception):
    """A prune that is not done; `code` is one of the words that clients know."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code


@dataclass(slots=True)
class _Sweep:
    """One process that prunes. `uid` asked for it, None: the daemon itself."""

    sock: socket.socket
    uid: int | None
    words: bytes = b""


class Sweeps:
    """Prunes the outputs of a daemon."""

    def __init__(self, config: Config, *, loop: Loop, log: Log, assistants: Assistants) -> None:
        self._folder = os.path.join(config.state, "outputs")
        self._limits = Limits(
            max_size=config.max_size,
            keep_days=config.keep_days,
            keep_runs=config.keep_runs,
            total_size=config.total_size,
        )
        self._loop = loop
        self._log = log
        self._assistants = assistants
        self._running: dict[int, _Sweep] = {}
        loop.after(_FIRST, self._by_itself)

    def _by_itself(self) -> None:
        self._loop.after(_PERIOD, self._by_itself)
        # One that takes longer than its period is not joined by another.
        if not any(sweep.uid is None for sweep in self._running.values()):
            try:
                self._begin(uid=None, asked_by=None, limits=self._limits, dry_run=False, client=None)
            except SpawnFailed as failed:
                self._log.error(f"outputs cannot be pruned: {failed}")

    def serve(self, sock: socket.socket, peer: Peer, arguments: dict[str, str]) -> None:
        """Prune what `peer` may, and let that process answer on `sock`. Raises NotNow.

        Root and our own user prune everybody's, others what is theirs.
        """
        limits = _limits(self._limits, arguments)
        full = len(self._running) >= _MOST and peer.uid != 0
        if full or any(sweep.uid == peer.uid for sweep in self._running.values()):
            raise NotNow("busy", "outputs are being pruned already; try again in a moment")
        everything = peer.uid in (0, os.geteuid())
        try:
            self._begin(
                uid=None if everything else peer.uid,
                asked_by=peer.uid,
                limits=limits,
                dry_run=arguments.get("dry_run") == "yes",
                client=sock,
            )
        except (SpawnFailed, OSError) as error:
            raise NotNow("failed", f"no process can be made: {error}") from None

    def _begin(
        self,
        *,
        uid: int | None,
        asked_by: int | None,
        limits: Limits,
        dry_run: bool,
        client: socket.socket | None,
    ) -> None:
        told = {
            "folder": self._folder,
            "uid": uid,
            "dry_run": dry_run,
            "limits": asdict(limits),
            "client": client is not None,
        }
        more = None if client is None else client.dup()
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        try:
            self._assistants.start("pruning", json.dumps(told), stdin=theirs, more=more)
        except BaseException:
            ours.close()
            raise
        fd = ours.fileno()
        self._running[fd] = _Sweep(ours, asked_by)
        self._loop.watch(fd, READ, lambda _events: self._heard(fd))

    def _heard(self, fd: int) -> None:
        """Collect the summary; at its end the process is done."""
        sweep = self._running[fd]
        data = sweep.sock.recv(4096)
        sweep.words += data
        if data:
            return
        self._loop.forget(fd)
        del self._running[fd]
        sweep.sock.close()
        self._tell(sweep)

    def _tell(self, sweep: _Sweep) -> None:
        who = "outputs" if sweep.uid is None else f"outputs, for uid {sweep.uid}"
        if not sweep.words:
            self._log.error(f"{who}: the pruning ended before its end")
            return
        told: dict[str, Any] = json.loads(sweep.words)
        if not told["dry_run"] and (told["removed"] or told["trimmed"]):
            self._log.info(
                f"{who}: {told['removed']} removed, {told['trimmed']} cut to their size, "
                f"{told['freed']} bytes set free; {told['kept']} kept"
            )


def _limits(limits: Limits, arguments: dict[str, str]) -> Limits:
    """Return `limits` with what a client wants otherwise this once. Raises NotNow."""
    wanted: dict[str, Any] = {}
    for name, kind in (("keep_days", float), ("keep_runs", int), ("total_size", int)):
        if name in arguments:
            try:
                wanted[name] = kind(arguments[name])
            except ValueError:
                wanted[name] = -1
            if not 0 <= wanted[name] < 2**53:
                raise NotNow("bad_request", f"{name} must be a number from 0 on, not {arguments[name]!a}")
    # Who asks for a limit this once means it for all jobs.
    return replace(limits, firm=tuple(wanted), **wanted)
