"""Making a process and becoming the user in it (stage 1): numbers and system calls, nothing else.

Owns fork, what the new process does until exec, and how it tells what failed there. Whatever can be
decided is decided before, in a Program: between fork and exec nothing is looked up, so nothing can
hang there that does not hang that job alone. Must not know tables, attempts or messages.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import resource
import signal
import struct
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import IntEnum

from crond.launcher import become
from crond.launcher.kernel import set_disk_access
from crond.launcher.loop import HANDLED_SIGNALS


class Stage(IntEnum):
    """How far a new process came."""

    RESOURCES = 1
    USER = 2
    CHDIR = 3
    EXEC = 4


@dataclass(frozen=True, slots=True)
class Identity:
    """The numbers a process takes on."""

    uid: int
    gid: int
    groups: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a process may use: limits, each as (its number, soft, hard), -1 for none; nice and umask; and
    `ionice`, the kernel's number for its disk access.

    What is not named here, or None, is as ours.
    """

    limits: tuple[tuple[int, int, int], ...] = ()
    nice: int | None = None
    umask: int | None = None
    ionice: int | None = None


UNBOUND = Bounds()


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """What to execute and as whom. `identity` None: stay who we are, with what `bounds` say.

    `directory_required`: without its folder the program does not run, else it runs where we are.
    `execute` False: do everything, then end with status 0 instead.
    """

    path: bytes
    arguments: tuple[bytes, ...]
    environment: Mapping[bytes, bytes]
    identity: Identity | None
    directory: bytes
    directory_required: bool = True
    execute: bool = True
    bounds: Bounds = UNBOUND


@dataclass(frozen=True, slots=True)
class Trouble:
    """What kept a process from becoming its program: the stage it failed in and the errno."""

    stage: Stage
    errno: int


_RECORD = struct.Struct("iii")


class SpawnFailed(Exception):
    """There is no process: what failed is known at once."""

    def __init__(self, trouble: Trouble) -> None:
        super().__init__(os.strerror(trouble.errno))
        self.trouble = trouble


#: errno values of posix_spawn that blame the system and not the program.
_SHORTAGES = (errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE)
#: Those that blame what is to be passed on: too much, or a NUL in it.
_OF_PROGRAM = (errno.E2BIG, errno.EINVAL)


class Spawner:
    """Starts programs. `open_files` is the limit (soft, hard) that they get for descriptors.

    `helper` is the path of the compiled `become`, None where there is none to be trusted.
    """

    def __init__(self, *, open_files: tuple[int, int], helper: str | None = None) -> None:
        self._open_files = open_files
        self._helper = helper
        # One pipe for all children, since a pipe each would cost more than the fork's own work.
        # Records are far below PIPE_BUF, so they are never torn; exec closes the child's end.
        self._troubles, trouble = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        # Above those that a program gets, which are put in their places first.
        self._trouble = fcntl.fcntl(trouble, fcntl.F_DUPFD_CLOEXEC, 16)
        os.close(trouble)
        # Python ignores SIGPIPE; whoever started us may ignore more, and a job would inherit all of it.
        ignored = {each for each in signal.valid_signals() if signal.getsignal(each) is signal.SIG_IGN}
        self._reset_signals = HANDLED_SIGNALS | ignored
        self._told: dict[int, Trouble] = {}
        self._here = os.open(".", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        self._limit_differs = resource.getrlimit(resource.RLIMIT_NOFILE) != open_files

    def start(self, program: Program, descriptors: Sequence[int], *, entrance: int | None = None) -> int:
        """Start `program` with `descriptors` as its 0, 1, 2, …; return its pid. Raises SpawnFailed.

        A descriptor must not be one of these numbers itself, unless for its own place or a later one.
        `entrance` is that of the cgroup which the process is to be in (see Group.entrance).
        """
        # What spawns for us knows limits and groups, which every annotated job has; the rest is rare, and it
        # is to stay small.
        bounds = program.bounds
        simple = program.execute and bounds.nice is bounds.umask is bounds.ionice is None
        try:
            if simple and program.identity is None and not bounds.limits and entrance is None:
                return self._spawn(program, descriptors)
            if simple and self._helper is not None:
                return self._spawn_helper(self._helper, program, descriptors, entrance)
            return self._fork(program, descriptors, entrance)
        except (OSError, ValueError) as error:
            code = (error.errno if isinstance(error, OSError) else None) or errno.EINVAL
            raise SpawnFailed(Trouble(Stage.RESOURCES, code)) from None

    def _spawn(self, program: Program, descriptors: Sequence[int]) -> int:
        """Start without becoming anybody: the kernel need not copy our memory, a fifth of the time.

        The folder and the limit are ours for a moment, since posix_spawn cannot set them in the child.
        """
        try:
            os.chdir(program.directory)
        except OSError as error:
            if program.directory_required:
                raise SpawnFailed(Trouble(Stage.CHDIR, error.errno or 0)) from None
        ours = resource.getrlimit(resource.RLIMIT_NOFILE)
        try:
            if self._limit_differs:
                resource.setrlimit(resource.RLIMIT_NOFILE, self._open_files)
            return self._posix_spawn(program.path, program.arguments, program.environment, descriptors)
        except (OSError, ValueError) as error:
            raise _failed(error) from None
        finally:
            if self._limit_differs:
                resource.setrlimit(resource.RLIMIT_NOFILE, ours)
            os.fchdir(self._here)

    def _spawn_helper(
        self,
        helper: str,
        program: Program,
        descriptors: Sequence[int],
        entrance: int | None,
    ) -> int:
        """Start through the program that becomes the user, or takes on limits: nothing is copied either."""
        identity = program.identity
        passed = [*descriptors, self._trouble]
        if entrance is not None:
            passed.append(entrance)
        told = become.command_line(
            trouble=len(descriptors),
            limits=((resource.RLIMIT_NOFILE, *self._open_files), *program.bounds.limits),
            entrance=None if entrance is None else len(descriptors) + 1,
            numbers=None if identity is None else (identity.uid, identity.gid, identity.groups),
            folder=program.directory,
            folder_required=program.directory_required,
        )
        words = [*told, program.path, *program.arguments]
        try:
            return self._posix_spawn(helper, words, program.environment, passed)
        except (OSError, ValueError) as error:
            failed = _failed(error)
            if failed.trouble.stage is Stage.RESOURCES:
                raise failed from None
            if failed.trouble.errno not in _OF_PROGRAM:
                # It cannot be executed here: made for another machine, say, or on a disk without programs.
                self._helper = None
        return self._fork(program, descriptors, entrance)

    def _posix_spawn(
        self,
        path: bytes | str,
        arguments: tuple[bytes, ...] | list[bytes],
        environment: Mapping[bytes, bytes],
        descriptors: Sequence[int],
    ) -> int:
        return os.posix_spawn(
            path,
            arguments,
            environment,
            file_actions=_placing(descriptors),
            setsid=True,
            setsigdef=self._reset_signals,
            setsigmask=(),
        )

    def _fork(self, program: Program, descriptors: Sequence[int], entrance: int | None = None) -> int:
        """Start through a fork, in which the child can become somebody else."""
        pid = os.fork()
        if pid == 0:
            self._become(program, descriptors, entrance)
        return pid

    @contextmanager
    def unhandled(self) -> Iterator[None]:
        """Hold back the signals that we handle: to be held around calls of `start`, one or many.

        Our handlers exist in a forked child until exec: a signal meant for the job would end in them.
        """
        signal.pthread_sigmask(signal.SIG_BLOCK, HANDLED_SIGNALS)
        try:
            yield
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, HANDLED_SIGNALS)

    def trouble_of(self, pid: int) -> Trouble | None:
        """Return why the child `pid`, which has ended, did not become its program; None if it did."""
        try:
            while records := os.read(self._troubles, _RECORD.size * 512):
                for number, stage, code in _RECORD.iter_unpack(records):
                    self._told[number] = Trouble(Stage(stage), code)
        except BlockingIOError:
            pass
        return self._told.pop(pid, None)

    def _become(self, program: Program, descriptors: Sequence[int], entrance: int | None) -> None:
        """Be the child: never returns. What fails is told by stage and errno, in one record."""
        stage = Stage.RESOURCES
        try:
            os.setsid()
            if entrance is not None:
                os.write(entrance, b"0")
            _place(descriptors)
            resource.setrlimit(resource.RLIMIT_NOFILE, self._open_files)
            _bind(program.bounds)
            stage = Stage.USER
            if program.identity is not None:
                _take_on(program.identity)
            stage = Stage.CHDIR
            try:
                os.chdir(program.directory)
            except OSError:
                if program.directory_required:
                    raise
            stage = Stage.EXEC
            for number in self._reset_signals:
                signal.signal(number, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_SETMASK, ())
            if not program.execute:
                os._exit(0)
            os.execve(program.path, program.arguments, program.environment)
        except OSError as error:
            self._tell(stage, error.errno or 0)
        except BaseException:  # noqa: BLE001 - a NUL in an argument, say; this process must never return
            self._tell(stage, errno.EINVAL)
        finally:
            os._exit(127)

    def _tell(self, stage: Stage, code: int) -> None:
        os.write(self._trouble, _RECORD.pack(os.getpid(), stage, code))


def lifted(stack: contextlib.ExitStack, fd: int) -> int:
    """Return `fd` under a number that no process gets it as; closed with `stack`."""
    try:
        higher = fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 10)
    finally:
        os.close(fd)
    stack.callback(os.close, higher)
    return higher


def holding(stack: contextlib.ExitStack, data: bytes) -> int:
    """Return a descriptor, as `lifted` does, from which a process reads `data`: no argument shows it."""
    fd = lifted(stack, os.memfd_create("crontabx"))
    with open(fd, "wb", closefd=False) as file:
        file.write(data)
    os.lseek(fd, 0, os.SEEK_SET)
    return fd


def kill_tree(pid: int) -> None:
    """End a process that we started and that is not reaped, and all of its group, as far as we may."""
    for end in (os.kill, os.killpg):
        # Without privilege we may not end a setuid mailer, but the letter's other process.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            end(pid, signal.SIGKILL)


def _failed(error: OSError | ValueError) -> SpawnFailed:
    """Return what an error of posix_spawn says about its program."""
    code = (error.errno if isinstance(error, OSError) else None) or errno.EINVAL
    return SpawnFailed(Trouble(Stage.RESOURCES if code in _SHORTAGES else Stage.EXEC, code))


def _placing(descriptors: Sequence[int]) -> list[tuple[int, int, int]]:
    """Return what makes `descriptors` the numbers 0, 1, 2, …; they lie above those."""
    return [(os.POSIX_SPAWN_DUP2, fd, target) for target, fd in enumerate(descriptors)]


def _bind(bounds: Bounds) -> None:
    """Take on `bounds`, while we may still raise what is below them."""
    for number, soft, hard in bounds.limits:
        resource.setrlimit(number, (soft, hard))
    if bounds.nice is not None:
        os.setpriority(os.PRIO_PROCESS, 0, bounds.nice)
    if bounds.ionice is not None:
        set_disk_access(bounds.ionice)
    if bounds.umask is not None:
        os.umask(bounds.umask)


def _take_on(identity: Identity) -> None:
    """Become `identity` for good: groups first, while we still may; all three of each number."""
    os.setgroups(identity.groups)
    os.setresgid(identity.gid, identity.gid, identity.gid)
    os.setresuid(identity.uid, identity.uid, identity.uid)


def _place(descriptors: Sequence[int]) -> None:
    """Make `descriptors` the numbers 0, 1, 2, …; all others close by themselves at exec."""
    for target, fd in enumerate(descriptors):
        os.dup2(fd, target)
