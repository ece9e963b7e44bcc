"""What an entry's command is as a program: account, environment, shell, home, text for stdin.

Owns the step from (table, entry) to a Program, and a cache of it that is emptied every minute with
that of the accounts. Decides; makes no process. Called by the launcher for each Start.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from crond.launcher.accounts import Account, Accounts
from crond.launcher.asking import Denied, Session
from crond.launcher.environment import Habits, job_environment
from crond.launcher.policies import Host, NotAllowed, bounds_of, folder_of
from crond.launcher.spawn import UNBOUND, Bounds, Identity, Program
from crond.launcher.supplies import Supply, supply_for
from crond.launcher.tables import Tables
from crond.model.host import read_host
from crond.model.policy import PLAIN, Policy

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from crond.launcher.config import Config
    from crond.launcher.sessions import Sessions
    from crond.model.crontab import Problem
    from crond.model.entry import Entry
    from crond.model.messages import Pairs, TableText


#: cron's words for what PAM refuses.
_EVENTS = {"authorize": "FAILED to authorize user with PAM", "session": "FAILED to open PAM security session"}
_NO_SESSION = Session({}, UNBOUND)


class NotPossible(Exception):
    """The entry cannot be started; `reason` is one of REFUSALS, `detail` says it in words.

    `event` is what cron logs of it, as (user, event, detail), where it has words of its own.
    """

    def __init__(self, reason: str, detail: str, *, event: tuple[str, str, str] | None = None) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail
        self.event = event


class NotYet(NotPossible):
    """PAM has not yet answered for the account `user`; the entry can be tried again when it has."""

    def __init__(self, user: str) -> None:
        super().__init__("stale", f"PAM has not yet said whether {user} may run jobs")
        self.user = user


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A command of an entry, ready to start. `command` is its text as cron logs it.

    `supply`: its program begins with stage 2. `leaves_data`: it is told where it may leave some.
    """

    program: Program
    stdin: bytes
    user: str
    command: str
    logged: bool
    assigned: Mapping[str, str]  #: the assignments above its line
    mail_when_failed: bool
    of_pam: frozenset[bytes]  #: names of the variables that PAM alone sets
    policy: Policy = PLAIN
    supply: Supply | None = None
    leaves_data: bool = False


class Programs:
    """Prepared entries. `own` is who we are, `daemon` our environment, `sessions` None: PAM is not used.

    `host` is what holds for jobs whose policy says nothing.
    """

    def __init__(
        self,
        config: Config,
        *,
        accounts: Accounts,
        own: Account,
        daemon: Mapping[str, str],
        host: Host,
        sessions: Sessions | None = None,
    ) -> None:
        files = config.mode == "files"
        self._accounts = accounts
        self._own = own
        self._daemon = daemon
        self._sessions = sessions
        self._host = host
        self._package = config.package
        self._debian = config.dialect == "debian"
        self.tables = Tables(config.dialect, read_host(config.defaults, config.pools))
        self._habits = Habits(
            dialect=config.dialect,
            inherit=files and not config.clean_env,
            inherit_path=config.inherit_path,
        )
        self._change_user = not files and own.uid == 0
        # What we are already needs no change, and makes a start five times as fast.
        self._own_identity = _identity(own)
        self._keep_numbers = files
        self._must_enter_home = config.dialect != "debian"
        self._execute = config.execute
        self._cache: dict[tuple[int, int, str], Prepared] = {}
        # Entries below the same settings share one mapping, and so one environment per account. The key
        # is that mapping's id: it lives as long as its table is parsed, and this is emptied before.
        self._environments: dict[tuple[int, str], tuple[dict[bytes, bytes], frozenset[bytes]]] = {}

    def prepared(self, table: TableText, number: int, part: str = "command") -> Prepared:
        """Return `part` of entry `number` of `table`, ready to start. Raises NotPossible, NotYet."""
        found = self._cache.get((table.version, number, part))
        if found is None:
            entry = self.tables.entry(table, number)
            if entry is None:
                raise NotPossible("unknown", f"{table.origin} has no entry number {number}")
            if part == "command":
                found = self._prepare(table, entry)
            else:
                found = _part_of(self.prepared(table, number), part)
            self._cache[table.version, number, part] = found
        return found

    def parse_one(self, tables: Iterable[TableText]) -> tuple[TableText, tuple[Problem, ...]] | None:
        """Parse one of `tables` that is not parsed yet; return it and its errors, None if there is none."""
        for table in tables:
            if not self.tables.holds(table):
                return table, self.tables.parse(table)
        return None

    def users(self, tables: Iterable[TableText]) -> set[str]:
        """Return the names that entries of `tables`, as far as they are parsed, run as."""
        return {name for table in tables for name in self.tables.users(table.version)}

    def forget(self, versions: set[int]) -> None:
        """Prepare anew from now on; of tables, keep only `versions`."""
        self.prepare_anew()
        self.tables.keep_only(versions)

    def prepare_anew(self) -> None:
        """Look everything up again from now on."""
        self._cache.clear()
        self._environments.clear()

    def _prepare(self, table: TableText, entry: Entry) -> Prepared:
        name = table.owner if entry.user is None else entry.user
        account = self._account(name)
        if not self._change_user and account.uid != self._own.uid:
            raise NotPossible("permission", f"only root can run a job as {name}")
        session = self._session(table, account)
        environment, of_pam = self._environment(entry, account, session)
        shell, policy = environment[b"SHELL"], entry.policy
        try:
            bounds = self._bounds(table, policy, session)
            supply = self._supply(table, policy, environment[b"HOME"])
        except NotAllowed as asked:
            raise NotPossible("permission", str(asked)) from None
        program = Program(
            path=shell,
            arguments=(shell, b"-c", os.fsencode(entry.command)),
            environment=environment,
            identity=self._identity_for(account, session),
            directory=folder_of(policy, environment[b"HOME"]),
            directory_required=self._must_enter_home or policy.working_dir is not None,
            execute=self._execute,
            bounds=bounds,
        )
        return Prepared(
            program=program,
            stdin=os.fsencode(entry.stdin),
            user=account.name,
            command=entry.command,
            logged=entry.log_start,
            assigned=entry.environment,
            mail_when_failed=entry.mail_when_failed,
            of_pam=of_pam,
            policy=policy,
            supply=supply,
            # A marker's name is a configuration manager's: such a line gets plain cron's environment.
            leaves_data=entry.name is not None and bool(entry.annotations),
        )

    def _bounds(self, table: TableText, policy: Policy, session: Session) -> Bounds:
        """Raises NotAllowed."""
        if policy is PLAIN:
            return session.bounds
        # Whoever we are, we give nobody more than we may.
        privileged = table.privileged and self._own.uid == 0
        return bounds_of(policy, session.bounds, self._host, privileged=privileged)

    def _supply(self, table: TableText, policy: Policy, home: bytes) -> Supply | None:
        """Raises NotAllowed."""
        return supply_for(
            policy,
            package=self._package,
            home=home,
            daemon=self._daemon,
            # `crond FILE` has no jobs but those of the user who started it.
            trusted=table.privileged or self._keep_numbers,
        )

    def _session(self, table: TableText, account: Account) -> Session:
        """Return what PAM gives to `account`. Raises NotPossible, NotYet."""
        if self._sessions is None or self._is_trusted(table, account):
            return _NO_SESSION
        answer = self._sessions.of(account.name)
        if answer is None:
            raise NotYet(account.name)
        if isinstance(answer, Denied):
            event = (account.name, _EVENTS[answer.doing], answer.reason)
            raise NotPossible("permission", f"PAM refuses {account.name}: {answer.reason}", event=event)
        return answer

    def _is_trusted(self, table: TableText, account: Account) -> bool:
        """True for root in crontabs of the system, whom cronie does not ask about."""
        return table.system and account.uid == 0 and not self._debian

    def _environment(
        self, entry: Entry, account: Account, session: Session
    ) -> tuple[dict[bytes, bytes], frozenset[bytes]]:
        """Return the variables of `entry`, and the names of those that PAM alone sets: cron's own win."""
        key = (id(entry.environment), account.name)
        found = self._environments.get(key)
        if found is None:
            settings = job_environment(
                entry.environment, account=account, daemon=self._daemon, habits=self._habits
            )
            ours, theirs = _encoded(settings), _encoded(session.variables)
            found = self._environments[key] = theirs | ours, frozenset(theirs.keys() - ours.keys())
        return found

    def _identity_for(self, account: Account, session: Session) -> Identity | None:
        identity = _identity(account)
        stays = identity == self._own_identity and session.bounds == UNBOUND
        return identity if self._change_user and not stays else None

    def _account(self, name: str) -> Account:
        if self._keep_numbers:
            return self._own
        account = self._accounts.named(name)
        if account is None:
            event = (name, "ERROR", "getpwnam() failed - user unknown")
            raise NotPossible("user", f"no account {name}", event=event)
        return account


def _identity(account: Account) -> Identity:
    return Identity(account.uid, account.gid, tuple(sorted(account.groups)))


def _part_of(whole: Prepared, part: str) -> Prepared:
    """Return the `condition` or the `wait_for` of an entry, whose command is `whole`. Raises NotPossible."""
    command = whole.policy.condition if part == "condition" else whole.policy.wait_for
    if command is None:
        raise NotPossible("unknown", f"this entry has no {part}")
    shell = whole.program.path
    return replace(
        whole,
        program=replace(whole.program, arguments=(shell, b"-c", os.fsencode(command))),
        stdin=b"",
        command=command,
        logged=False,
        leaves_data=False,
    )


def with_additions(program: Program, additions: Pairs) -> Program:
    """Return `program` with the scheduler's variables laid over its environment."""
    if not additions:
        return program
    return replace(program, environment={**program.environment, **_encoded(dict(additions))})


def _encoded(settings: Mapping[str, str]) -> dict[bytes, bytes]:
    return {os.fsencode(name): os.fsencode(value) for name, value in settings.items()}
