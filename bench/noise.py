"""`python -m bench.noise`: how late jobs start, and what memory and disk are used, while others make noise.

Owns the course: a real `crond FILE` that starts jobs each second, beside one that writes gigabytes, 200 that
chatter, a full disk of outputs, and mailers that hang. Only root can have a small disk to fill.
docs/benchmarks.md says what the columns mean.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.subject import Daemon, SubjectError, quantile, wait_until

#: Jobs that are started each second and measured.
JOBS = 20
CHATTY = 200
_PERIOD = 0.1
_SMALL = "64m"
_NEVER = "0 0 31 2 *"
_ENDS = 600.0
_HUGE = f"#: name=huge\n{_NEVER} yes 'a line of a job that says too much' | head -c %d\n"
_CHATTER = '$|=1; for (1..{}) {{ print "x" x 999, "\\n"; select(undef, undef, undef, 0.1) }}'


@dataclass(frozen=True, slots=True)
class Limits:
    """How much noise."""

    seconds: float  #: that each row lasts at least
    gigabytes: float


@dataclass(slots=True)
class Watch:
    """The most that was seen: KiB of our own memory by program, bytes of outputs on the disk."""

    memory: dict[str, int]
    disk: int = 0


@dataclass(frozen=True, slots=True)
class Row:
    """What was seen beside one noise. Lateness in ms, sorted."""

    noise: str
    lateness: list[float]
    missing: int
    watch: Watch
    seconds: float


def silence(_daemon: Daemon, limits: Limits) -> None:
    """Make none."""
    time.sleep(limits.seconds)


def huge(daemon: Daemon, limits: Limits) -> None:
    """Run one job that writes as fast as it can."""
    time.sleep(limits.seconds / 4)
    daemon.run("huge")
    time.sleep(limits.seconds / 2)
    wait_until(lambda: daemon.running() <= JOBS, "the huge job has ended", seconds=_ENDS)
    time.sleep(limits.seconds / 4)


def chatter(daemon: Daemon, limits: Limits) -> None:
    """Run CHATTY jobs that write ten lines of a kilobyte a second."""
    for number in range(CHATTY):
        daemon.run(f"chatty{number}")
    time.sleep(limits.seconds)


def fill(daemon: Daemon, limits: Limits) -> None:
    """Leave no byte free on the disk of the outputs."""
    ballast = daemon.outputs / "ballast"
    with open(ballast, "wb", buffering=0) as file:
        for size in (1 << 20, 1 << 12):
            with contextlib.suppress(OSError):
                while True:
                    file.write(bytes(size))
    time.sleep(limits.seconds)
    ballast.unlink()


Noise = Callable[[Daemon, Limits], None]
NOISES: dict[str, Noise] = {"huge": huge, "chatter": chatter}
ON_SMALL_DISK: dict[str, Noise] = {"full": fill}
#: With a mailer that never ends; the silence is that of the jobs whose letters wait for it.
WITH_MAILER: dict[str, Noise] = {"mailer": silence}


def entries(name: str, limits: Limits) -> str:
    """Return the entries of noisy jobs: most are due never, those that mail beside the noise `name`."""
    program = _CHATTER.format(int(limits.seconds * 10))
    chatty = (f"#: name=chatty{number}\n{_NEVER} perl -e '{program}'\n" for number in range(CHATTY))
    # As many as are measured, each of which leaves a letter every second.
    mailing = (f"#: name=mails{number}\n@every 1s echo {number}\n" for number in range(JOBS))
    letters = ["MAILTO=nobody@localhost\n", *mailing] if name in WITH_MAILER else []
    return _HUGE % int(limits.gigabytes * 1e9) + "".join([*chatty, *letters])


def beside(daemon: Daemon, name: str, noise: Noise, limits: Limits) -> Row:
    """Start jobs, make `noise`, stop them; return what was seen."""
    before, began = daemon.tally(), time.time()
    daemon.start_jobs(JOBS, entries(name, limits))
    daemon.wait_for_starts(1)
    with watching(daemon) as watch:
        noise(daemon, limits)
    upto = time.time()
    daemon.stop_jobs()
    daemon.wait_caught_up(_ENDS)
    found = daemon.tally()
    lateness = found.lateness(began, upto, prefix="j")
    return Row(name, sorted(lateness), found.missing() - before.missing(), watch, upto - began)


@contextlib.contextmanager
def watching(daemon: Daemon) -> Iterator[Watch]:
    """Look at memory and disk again and again while the context lasts."""
    watch, over = Watch({}), threading.Event()

    def look() -> None:
        while not over.wait(_PERIOD):
            for name, used in daemon.memory().items():
                watch.memory[name] = max(watch.memory.get(name, 0), used)
            watch.disk = max(watch.disk, _blocks(daemon.outputs))

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield watch
    finally:
        over.set()
        thread.join()


def _blocks(folder: Path) -> int:
    used = 0
    for parent, _folders, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):
                used += os.lstat(os.path.join(parent, name)).st_blocks * 512
    return used


def course(noises: dict[str, Noise], limits: Limits) -> Iterator[Row]:
    """Yield what was seen without noise, beside each of `noises`, and without again."""
    with (
        tempfile.TemporaryDirectory(prefix="crontabx-noise-", dir="/var/tmp") as folder,
        tempfile.TemporaryDirectory(prefix="crontabx-noise-", dir="/dev/shm") as memory,
        contextlib.ExitStack() as ends,
    ):
        if noises.keys() & ON_SMALL_DISK.keys():
            outputs = Path(folder) / "state" / "outputs"
            outputs.mkdir(mode=0o700, parents=True)
            Path(folder, "state").chmod(0o700)
            options = f"size={_SMALL},mode=0700"
            subprocess.check_call(["mount", "-t", "tmpfs", "-o", options, "outputs", outputs])
            ends.callback(subprocess.check_call, ["umount", outputs])
        flags = ("-m", "/bin/sleep 1000") if noises.keys() & WITH_MAILER.keys() else ("-m", "off")
        daemon = Daemon(Path(folder), Path(memory, "proofs"), *flags)
        ends.callback(daemon.close)
        try:
            for name, noise in [("none", silence), *noises.items(), ("none", silence)]:
                yield beside(daemon, name, noise, limits)
        except SubjectError as error:
            raise SubjectError(f"{error}\n{daemon.said()}") from None


_HEAD = (
    f"{'noise':<10}{'starts':>7}{'median':>9}{'p99':>9}{'max':>9}{'missing':>9}"
    f"{'launcher':>10}{'scheduler':>11}{'recorder':>10}{'outputs':>10}{'seconds':>9}"
)


def line(row: Row) -> str:
    """Return `row` as text to read: ms, and MiB."""
    shown = "".join(f"{quantile(row.lateness, part):9.1f}" for part in (0.5, 0.99, 1.0))
    memory = row.watch.memory
    used = [memory.get(name, 0) / 1024 for name in ("launcher", "scheduler", "recorder")]
    return (
        f"{row.noise:<10}{len(row.lateness):>7}{shown}{row.missing:>9}"
        f"{used[0]:10.1f}{used[1]:11.1f}{used[2]:10.1f}{row.watch.disk / (1 << 20):10.1f}{row.seconds:9.0f}"
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the course; return 1 if a start is missing in the history."""
    options = argparse.ArgumentParser(prog="bench.noise", description=__doc__)
    options.add_argument("--seconds", type=float, default=30.0, help="that each row lasts at least")
    options.add_argument("--gigabytes", type=float, default=5.0, help="that the huge job writes")
    options.add_argument("noises", nargs="*", help="huge, chatter, full, mailer; else all")
    given = options.parse_args(arguments)
    every = [*NOISES, *ON_SMALL_DISK, *WITH_MAILER]
    chosen = given.noises or every
    unknown = set(chosen) - set(every)
    if unknown:
        options.error(f"no noise {', '.join(sorted(unknown))}")
    limits = Limits(given.seconds, given.gigabytes)
    missing = 0
    print(_HEAD, flush=True)
    for group in (NOISES, ON_SMALL_DISK, WITH_MAILER):
        wanted = {name: noise for name, noise in group.items() if name in chosen}
        if wanted and group is ON_SMALL_DISK and os.geteuid() != 0:
            print(f"{', '.join(wanted)}: only root can make a small disk; left out")
            continue
        for row in course(wanted, limits) if wanted else ():
            print(line(row), flush=True)
            missing += row.missing
    return 1 if missing else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except SubjectError as failed:
        sys.exit(f"bench.noise: {failed}")
