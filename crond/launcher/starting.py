"""What a start needs before there is a process: environment, descriptors, a file for data, a group.

Owns one start from the wish to the process, and what is undone when there is none. Which entry is meant, and
whether it may start, was decided before. Called by the launcher.
"""

from __future__ import annotations

import os
import time
from collections.abc import Collection
from dataclasses import replace
from typing import TYPE_CHECKING

from crond.launcher.attempts import Attempt
from crond.launcher.data import VARIABLE
from crond.launcher.programs import NotPossible, Prepared, with_additions
from crond.launcher.register import Line
from crond.launcher.spawn import Program, Spawner, SpawnFailed, Trouble
from crond.launcher.survivors import line_of
from crond.launcher.trees import new_mark
from crond.model.messages import Pairs, Start, attempt_key, is_our_name
from crond.model.policy import PLAIN, Policy

if TYPE_CHECKING:
    from crond.launcher.cgroups import Group, Groups
    from crond.launcher.data import Data
    from crond.launcher.descriptors import Opened, Opener
    from crond.launcher.log import Log
    from crond.launcher.outputs import Outputs
    from crond.launcher.programs import Programs
    from crond.model.messages import TableText


class Starting:
    """Makes starts ready. `groups` None: no attempt gets one."""

    def __init__(
        self,
        *,
        programs: Programs,
        opener: Opener,
        outputs: Outputs,
        data: Data,
        groups: Groups | None,
        log: Log,
    ) -> None:
        self._programs = programs
        self._opener = opener
        self._outputs = outputs
        self._data = data
        self._groups = groups
        self._log = log
        self._told_of_quota = False

    def ready(self, key: str, wish: Start, table: TableText) -> Ready:
        """Return all that the process of `wish`, attempt `key`, needs. Raises NotPossible, NotYet."""
        if (wish.part == "command") is not (wish.attempt > 0):
            # It would take the place of an output of another kind.
            raise NotPossible("unknown", f"{key} is no attempt of a {wish.part}")
        prepared = self._programs.prepared(table, wish.entry, wish.part)
        additions = self._additions(key, wish, prepared)
        program = begins = with_additions(prepared.program, additions)
        if prepared.supply is not None:
            begins = prepared.supply.through(program, [name for name, _ in additions])
        # From here on there is something to undo. A command is started once, whatever happens; what only asks
        # may be asked again.
        opened = self._opener.open(prepared.stdin, uid=table.uid, key=key, anew=wish.part != "command")
        if wish.part == "wait_for" and wish.attempt < -1:
            # Of a sensor only the latest try is of interest.
            self._outputs.remove(table.uid, attempt_key(wish.run, wish.attempt + 1))
        ready = Ready(key, wish, table.uid, prepared, program, opened)
        ready.begins = begins
        try:
            self._furnish(ready, prepared)
        except OSError as error:
            ready.close()
            self.undo(ready)
            self._outputs.remove(table.uid, key)
            where = f"{error.filename}: " if error.filename else ""
            raise NotPossible("resources", f"no group or file for it: {where}{error.strerror}") from None
        if ready.group is None and prepared.policy is not PLAIN:
            ready.bear(new_mark())
        return ready

    def _additions(self, key: str, wish: Start, prepared: Prepared) -> Pairs:
        """Return what is added to its environment: of the scheduler's, our names and those in `params=`."""
        params = prepared.policy.params
        additions = tuple(pair for pair in wish.environment if is_our_name(pair[0]) or pair[0] in params)
        if len(additions) < len(wish.environment):
            refused = sorted({name for name, _ in wish.environment} - {name for name, _ in additions})
            self._log.error(f"{wish.job}: not given, since params= does not name it: {', '.join(refused)}")
        if prepared.leaves_data:
            additions += ((VARIABLE, self._data.path(key)),)
        return additions

    def _furnish(self, ready: Ready, prepared: Prepared) -> None:
        """Make what the process of `ready` is to find: a file for its data, a group. Raises OSError."""
        if prepared.leaves_data:
            identity = prepared.program.identity
            self._data.make(ready.key, None if identity is None else (identity.uid, identity.gid))
        policy = prepared.policy
        if self._groups is not None and policy is not PLAIN:
            self._group(self._groups, ready, policy)
        if policy.cpu_quota is not None and (self._groups is None or "cpu" not in self._groups.controllers):
            self._tell_of_quota(ready.job)

    def _group(self, groups: Groups, ready: Ready, policy: Policy) -> None:
        """Make a group for the process of `ready`. Raises OSError if it is to be limited by one."""
        memory, quota = policy.memory_max, policy.cpu_quota
        try:
            ready.group = groups.make(ready.key, memory_max=memory, cpu_quota=quota)
            ready.entrance = ready.group.entrance()
        except OSError as error:
            if memory is not None or quota is not None:
                raise
            # It would only make its end surer, and that is no reason not to begin.
            self._log.debug("proc", f"{ready.key}: no group for it: {error}")
            self._let_go(ready.group)
            ready.group = None

    def _tell_of_quota(self, job: str) -> None:
        if not self._told_of_quota:
            self._told_of_quota = True
            why = "crond has no cgroup of its own with the cpu controller"
            self._log.error(f"{job}: cpu_quota has no effect on this host: {why}")

    def data_of(self, attempt: Attempt) -> Pairs:
        """Return what `attempt`, which has ended, left for others, and let go of what was made for it."""
        left = self._data.take(attempt.key)
        if left.cut:
            self._log.error(f"{attempt.job}: {attempt.key} left more than {VARIABLE} holds: cut")
        self._let_go(attempt.group)
        return left.pairs

    def adopt(self, survivors: Collection[Attempt]) -> None:
        """Find again what an earlier life made for `survivors`, and let go of what it made for others."""
        if self._groups is not None:
            for attempt in survivors:
                attempt.group = self._groups.held(attempt.key)
        self._data.clear(keep={attempt.key for attempt in survivors})

    def vanished(self, attempt: Attempt) -> None:
        """Let go of what an earlier life made for `attempt`, which has ended. What it left, nobody knows."""
        self._data.drop(attempt.key)
        self._let_go(attempt.group)

    def undo(self, ready: Ready) -> None:
        """Let go of what was made for a process that is not."""
        self._data.take(ready.key)
        self._let_go(ready.group)

    def _let_go(self, group: Group | None) -> None:
        if group is not None and self._groups is not None:
            self._groups.let_go(group)


class Ready:
    """One start, ready for its process. `program` is what is recorded of it, `begins` what it begins with."""

    __slots__ = (
        "_opened",
        "_part",
        "_prepared",
        "_uid",
        "at",
        "began",
        "begins",
        "entrance",
        "group",
        "job",
        "key",
        "mark",
        "pid",
        "program",
        "trouble",
    )

    def __init__(
        self, key: str, wish: Start, uid: int, prepared: Prepared, program: Program, opened: Opened
    ) -> None:
        self.key = key
        self.job = wish.job
        self._part = wish.part
        self._uid = uid
        self._prepared = prepared
        self.program = self.begins = program
        self._opened = opened
        self.group: Group | None = None
        self.mark: tuple[int, int, int] | None = None
        self.entrance: int | None = None
        self.at = self.began = 0.0
        self.pid = 0
        self.trouble: Trouble | None = None

    def bear(self, mark: tuple[int, int, int] | None) -> None:
        """Have its processes bear `mark`, unless that is None or PAM bounds what it would be."""
        bounds = self.program.bounds
        if mark is not None and all(number != mark[0] for number, _, _ in bounds.limits):
            self.mark = mark
            marked = replace(bounds, limits=(*bounds.limits, mark))
            self.begins = replace(self.begins, bounds=marked)

    def spawn(self, spawner: Spawner) -> None:
        """Make the process; `pid` or `trouble` says what came of it."""
        opened = self._opened
        self.at = time.time()
        self.began = time.monotonic()
        descriptors = (opened.stdin, opened.output, opened.output)
        try:
            self.pid = spawner.start(self.begins, descriptors, entrance=self.entrance)
        except SpawnFailed as failed:
            self.trouble = failed.trouble
        finally:
            self.close()

    def close(self) -> None:
        """Close what the process has by now, or will never have."""
        self._opened.close()
        if self.entrance is not None:
            os.close(self.entrance)

    def line(self) -> Line | None:
        """Return what a later life has to know of the process; None if there is none any more."""
        if self.trouble is not None:
            return None
        mark = 0 if self.mark is None else self.mark[2]
        return line_of(self.key, self.pid, self.job, self._uid, self._prepared.user, self.at, mark)

    def attempt(self) -> Attempt:
        """Return the record of this start."""
        return Attempt(
            key=self.key,
            job=self.job,
            uid=self._uid,
            user=self._prepared.user,
            pid=self.pid,
            started_at=self.at,
            began=self.began,
            command=self._prepared.command,
            program=self.program,
            captured=self._opened.captured,
            logged=self._prepared.logged,
            assigned=self._prepared.assigned,
            mail_when_failed=self._prepared.mail_when_failed,
            of_pam=self._prepared.of_pam,
            part=self._part,
            policy=self._prepared.policy,
            group=self.group,
            mark=self.mark,
        )
