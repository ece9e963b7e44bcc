"""The launcher's composition root: puts the parts together, starts them in order, runs the loop.

Owns the order of start and end, and which failure ends a start with which words. Everything else is
the parts'. Called by `crond.launcher.boot` with the Config as JSON; `run` is also what tests call,
with a scheduler of their own.
"""

from __future__ import annotations

import contextlib
import gc
import os
import resource
import signal
import sys
import time
from collections.abc import Sequence

from crond import __version__
from crond.launcher import become
from crond.launcher.accounts import Account, Accounts, own_account
from crond.launcher.cgroups import Groups
from crond.launcher.config import PRIVATE, Config
from crond.launcher.data import Data
from crond.launcher.descriptors import Opener
from crond.launcher.detach import Detached, detach
from crond.launcher.ends import Ends
from crond.launcher.folders import WrongFolder, make_folders
from crond.launcher.launcher import Launcher
from crond.launcher.listening import listen
from crond.launcher.lock import Lock
from crond.launcher.loop import Loop
from crond.launcher.notify import Supervisor
from crond.launcher.outputs import Outputs
from crond.launcher.parts import Parts
from crond.launcher.policies import Host
from crond.launcher.process import (
    prepare_process,
    raise_open_files,
    stay_in,
    take_roots_groups,
)
from crond.launcher.programs import Programs
from crond.launcher.reaper import reap
from crond.launcher.register import Register
from crond.launcher.rescan import Rescan
from crond.launcher.sessions import sessions_for
from crond.launcher.spawn import Spawner
from crond.launcher.spool import Spool
from crond.launcher.start import (
    StartFailed,
    about_reboot,
    draw_seed,
    in_words,
    make_hello,
    make_log,
    take_lock,
)
from crond.launcher.starting import Starting
from crond.launcher.survivors import Survivors
from crond.launcher.worker import (
    RECORDER,
    SCHEDULER,
    Worker,
    recorder_arguments,
    scheduler_arguments,
    worker_program,
)
from crond.model.entry import random_delay_factor
from crond.model.messages import TableRefused

#: Seconds that a slow reader of our last lines may keep us.
_LAST_WORDS = 2.0


def main(config_json: str) -> int:
    """Run the launcher that `config_json` describes; return its exit status."""
    try:
        config = Config.from_json(config_json, os.environ.pop(PRIVATE, "{}"))
    except (ValueError, TypeError, KeyError) as error:
        sys.stderr.write(f"crond: not a configuration: {error}\n")
        return 1
    return run(config)


def run(
    config: Config, *, scheduler: Sequence[str] | None = None, recorder: Sequence[str] | None = None
) -> int:
    """Run the launcher; `scheduler` and `recorder` are their command lines, if not our own."""
    try:
        return _Daemon(config, scheduler, recorder).run()
    except StartFailed as error:
        sys.stderr.write(f"crond: {error}\n")
        return 1


class _Daemon:
    """All parts, and the order in which they begin and end."""

    def __init__(
        self, config: Config, scheduler: Sequence[str] | None, recorder: Sequence[str] | None
    ) -> None:
        self._config = config
        self._scheduler_arguments = scheduler or scheduler_arguments(config)
        self._recorder_arguments = recorder or recorder_arguments(config)
        self._on_terminal = config.foreground and os.isatty(2)

    def run(self) -> int:
        """Start, serve, end. Raises StartFailed."""
        config = self._config
        prepare_process()
        if not config.foreground:
            status = detach()
            if status is not None:
                return status
        self._accounts = Accounts()
        if config.mode == "host" and os.geteuid() == 0:
            take_roots_groups()
        self._own = own_account()
        account = self._scheduler_account()
        try:
            lock = take_lock(config)
            make_folders(config, account)
            if config.mode == "host":
                stay_in(config.spool)
            self._make_parts(account)
            self._announce(lock)
            self._launcher.rescan()
            self._require_given_files()
        except (WrongFolder, OSError) as error:
            raise StartFailed(in_words(error)) from None
        # Before the scheduler is started, which would else keep the terminal open.
        Detached.up()
        self._begin()
        self._loop.run()
        self._end(lock)
        return 0

    def _scheduler_account(self) -> Account | None:
        name = self._config.account
        if name is None or self._own.uid != 0:
            return None
        account = self._accounts.named(name)
        if account is None:
            raise StartFailed(f"there is no account {name}, which the scheduler runs as")
        return account

    def _make_parts(self, account: Account | None) -> None:
        config = self._config
        seed = self._seed = draw_seed()
        self._loop = Loop()
        self._errors, self._lines, self._log = make_log(config, self._loop)
        self._loop.complain = self._log.error
        self._outputs = Outputs(os.path.join(config.state, "outputs"))
        open_files = raise_open_files()
        self._spawner = Spawner(open_files=open_files, helper=become.trusted())
        self._supervisor = Supervisor(os.environ, self._loop)
        self._groups = Groups.find(config.state)
        spool = Spool(config, accounts=self._accounts, own=self._own, log=self._log, seed=seed)
        self._spool = spool
        self._sessions = sessions_for(config, loop=self._loop, log=self._log, spawner=self._spawner)
        programs = Programs(
            config,
            accounts=self._accounts,
            own=self._own,
            daemon=dict(os.environ),
            host=Host(
                nice=os.getpriority(os.PRIO_PROCESS, 0),
                open_files=open_files,
                controllers=frozenset() if self._groups is None else self._groups.controllers,
            ),
            sessions=self._sessions,
        )
        self._hello = make_hello(config, seed)
        self._starting = self._make_starting(programs)
        self._launcher = Launcher(
            hello=self._hello,
            spool=spool,
            programs=programs,
            starting=self._starting,
            spawner=self._spawner,
            outputs=self._outputs,
            log=self._log,
            guard=self._loop.guard,
        )
        if self._sessions is not None:
            self._sessions.on_change = programs.prepare_anew
            self._sessions.on_answer = self._launcher.go_on
        self._scheduler = Worker(
            SCHEDULER,
            worker_program(self._scheduler_arguments, account),
            loop=self._loop,
            spawner=self._spawner,
            log=self._log,
            listening=listen(config.run, "scheduler.sock"),
            silence=config.heartbeat_timeout,
        )
        self._scheduler.greet = self._launcher.greet
        self._scheduler.handle = self._launcher.handle
        self._recorder = self._make_recorder(account) if config.recorder else None
        self._survivors = Survivors(
            Register(os.path.join(config.state, "processes"), self._hello.boot),
            loop=self._loop,
            log=self._log,
            attempts=self._launcher.attempts,
        )
        self._survivors.on_gone = self._launcher.vanished
        self._launcher.on_made = self._survivors.keep
        self._ends = Ends(
            Parts(
                config=config,
                own=self._own,
                accounts=self._accounts,
                loop=self._loop,
                log=self._log,
                spawner=self._spawner,
                outputs=self._outputs,
                spool=spool,
                programs=programs,
                open_files=open_files,
            ),
            account=account,
            launcher=self._launcher,
            workers=(self._scheduler, self._recorder),
            supervisor=self._supervisor,
            lines=self._lines,
            look=self._look,
        )

    def _make_starting(self, programs: Programs) -> Starting:
        return Starting(
            programs=programs,
            opener=Opener(self._outputs),
            outputs=self._outputs,
            data=Data(os.path.join(self._config.state, "data")),
            groups=self._groups,
            log=self._log,
        )

    def _make_recorder(self, account: Account | None) -> Worker:
        return Worker(
            RECORDER,
            worker_program(self._recorder_arguments, account),
            loop=self._loop,
            spawner=self._spawner,
            log=self._log,
            listening=listen(self._config.run, "recorder.sock"),
            silence=self._config.heartbeat_timeout,
        )

    def _require_given_files(self) -> None:
        """A file that somebody named and that is not there, or cannot be read, is a mistake of theirs."""
        if self._config.mode != "files":
            return
        found = {fact.origin: fact for fact in self._spool.current()}
        for origin in self._config.files:
            fact = found.get(origin)
            if fact is None:
                raise StartFailed(f"{origin}: {os.strerror(2)}")
            if isinstance(fact, TableRefused):
                raise StartFailed(f"{origin}: {fact.reason}")

    def _begin(self) -> None:
        """Start to serve: from here on nothing is to fail."""
        config = self._config
        self._loop.on_signals(
            {
                signal.SIGCHLD: self._reap,
                signal.SIGHUP: self._hung_up,
                signal.SIGURG: self._reload,
                signal.SIGINT: self._ends.closing.asked,
                signal.SIGTERM: self._ends.closing.asked,
            }
        )
        rescan = Rescan(
            loop=self._loop,
            folders=self._spool.folders(),
            watch=config.watch and not config.cluster,
            look=self._look,
            each_minute=self._each_minute,
        )
        if config.dialect == "cronie":
            if rescan.watching:
                self._log.event("CRON", "INFO", "running with inotify support")
            else:
                self._log.event("CRON", "No inotify - daemon runs with -i or -c option", "")
        reboot = about_reboot(config.dialect, first=self._hello.reboot)
        if config.reboot_marker is not None and reboot:
            self._log.event("CRON", "INFO", reboot)
        survivors = self._survivors.find()
        self._starting.adopt(survivors)
        for survivor in survivors:
            self._ends.bounding.started(survivor)
        self._launcher.scheduler = self._scheduler
        # What lives now lives for good: the collector must not touch its pages, which a fork shares.
        gc.collect()
        gc.freeze()
        # Entries hold no cycles: looking for some at each 700 of them is a tenth of what reading them takes.
        gc.set_threshold(50_000)
        self._scheduler.start()
        if self._recorder is not None:
            self._recorder.start()
        self._supervisor.ready()
        self._loop.after(0.0, self._parse)

    def _each_minute(self) -> None:
        self._accounts.forget()
        if self._groups is not None:
            self._groups.tidy()

    def _announce(self, lock: Lock) -> None:
        """Log the start, in cron's words."""
        config = self._config
        if config.dialect == "debian":
            if config.pid_file is not None:
                self._log.event("CRON", "INFO", f"pidfile fd = {lock.fileno()}")
            self._log.event("CRON", "STARTUP", __version__ if config.foreground else "fork ok")
        else:
            self._log.event("CRON", "STARTUP", __version__)
            if self._ends.post.instead_of_mail:
                self._log.event("CRON", "INFO", "Syslog will be used instead of sendmail.")
            percent = int(random_delay_factor(self._seed) * 100)
            self._log.event("CRON", "INFO", f"RANDOM_DELAY will be scaled with factor {percent}% if used.")

    def _end(self, lock: Lock) -> None:
        outlets = [outlet for outlet in (self._lines, self._errors) if outlet is not None]
        self._loop.run_until(
            lambda: not self._ends.echoes and not any(outlet.busy for outlet in outlets),
            time.monotonic() + _LAST_WORDS,
        )
        self._ends.send_last_letters()
        self._survivors.close()
        if self._groups is not None:
            self._groups.close()
        for name in ("scheduler.sock", "recorder.sock", "launcher.sock"):
            with contextlib.suppress(OSError):
                os.unlink(os.path.join(self._config.run, name))
        lock.remove()

    def _reap(self) -> None:
        if reap(lambda *ended: self._loop.guard(self._ended, *ended)):
            self._loop.after(0.0, self._reap)

    def _ended(self, pid: int, status: int, usage: resource.struct_rusage) -> None:
        if self._recorder is not None and self._recorder.reaped(pid, status):
            return
        if not self._ends.reaped(pid, status):
            self._launcher.reaped(pid, status, usage)

    def _hung_up(self) -> None:
        # HUP means "read again", but also that the terminal we were started on is gone.
        if self._on_terminal and not os.isatty(2):
            self._ends.closing.asked()
        else:
            self._reload()

    def _reload(self) -> None:
        self._accounts.forget()
        if self._sessions is not None:
            self._sessions.renew()
        self._look(force=True)

    def _look(self, *, force: bool = False) -> None:
        self._launcher.rescan(force=force)
        self._loop.after(0.0, self._parse)

    def _parse(self) -> None:
        """Parse one table, then see to what else there is to do."""
        if self._launcher.parse_one():
            self._loop.after(0.0, self._parse)
        elif self._sessions is not None:
            self._sessions.look(self._launcher.users())
