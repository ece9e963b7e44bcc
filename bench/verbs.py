"""How long a client command takes, from its start to its end: `-l` beside other crontabs, and each verb.

Owns the course: a daemon with a history in a cage, the same with a million runs more, and the commands.
docs/benchmarks.md says what the columns mean. Called by `python -m bench`.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from bench.cage import Cage, CageError
from bench.ground import Choice, Ground, idle_entries, median, never, wait_quiet
from bench.history import fill, job_of
from bench.peers import CROND, crontabx
from bench.report import Findings, Sheet
from bench.tables import Tables
from bench.timing import within
from crond.recorder.database import database_url
from crond.recorder.feed import token_of
from crond.recorder.store import Store

COUNT = 20
#: Lines of the crontab that is shown.
LINES = 100
#: What a command may take, ms: one that shows a crontab, and any other.
LIST_AIM, AIM = 60.0, 120.0
_HEAD = ("command", "median ms", "min ms", "max ms")
_JOBS, _RUNS_EACH, _PATIENCE = 20, 15, 60.0
_COMING_UP = 30.0
#: Seconds for a thousand runs that are written into the history beforehand.
_FILLING = 0.25


# --- a crontab that is shown -----------------------------------------------------------------------------


def seconds_of_list(choice: Choice) -> float:
    """Return how long `measure_list` takes, about."""
    return 15.0 + 5.0 * len(choice.peers)


def measure_list(ground: Ground) -> Findings:
    """Time the commands that show root's crontab, in turn."""
    sheet = Sheet(f"Showing a crontab of {LINES} lines: {3 * COUNT} times, in turn", ("peer", *_HEAD))
    with ExitStack() as opened:
        shown: dict[str, tuple[Cage, list[str]]] = {}
        for peer in ground.choice.peers:
            if peer.crontab is not None:
                cage = ground.cage(opened, peer, "list", idle_entries(LINES))
                cage.wait_made()
                cage.release()
                shown[peer.title] = cage, [*peer.crontab(cage.folder), "-l"]
        cages = [cage for cage, _command in shown.values()]
        wait_quiet(cages, _COMING_UP)
        found: dict[str, list[float]] = {title: [] for title in shown}
        for _turn in range(3):
            for title, (cage, command) in shown.items():
                cage.require_daemon()
                found[title] += within(cage.inside(), COUNT, command)
        for title, (_cage, command) in shown.items():
            sheet.add(title, _words(command), *_of(found[title]))
    sheet.remarks.append(f"aim for crontabx -l: {LIST_AIM:g} ms")
    return sheet.findings()


# --- verbs -----------------------------------------------------------------------------------------------


def seconds(choice: Choice) -> float:
    """Return how long `measure` takes, about."""
    return 90.0 + choice.runs / 1000 * _FILLING


def measure(ground: Ground) -> Findings:
    """Time each verb with a short history, and those that ask it with a long one."""
    sheet = Sheet(f"Client commands, {COUNT} times each", ("runs", *_HEAD))
    with ExitStack() as opened:
        cage = ground.cage_of(opened, CROND, "verbs", _busy_tables())
        cage.wait_made()
        cage.release()
        runs = _wait_for_runs(cage)
        # What ran stays in the history; nothing may run beside what is timed.
        _install(cage, _quiet_tables())
        wait_quiet([cage], _COMING_UP)
        run = _ask(cage, "history", "-n", "1")["runs"][0]["id"]
        tab = cage.folder / "tab"
        tab.write_text(_quiet_tables().crontab, encoding="ascii")
        sheet.add(
            str(runs), "(python -c pass)", *_of(within(cage.inside(), COUNT, [sys.executable, "-c", ""]))
        )
        for words in _verbs("job1", run, tab):
            _time(sheet, cage, str(runs), words)
        if ground.choice.runs:
            _fill(cage, ground.choice.runs)
            job = job_of(3)
            run = _ask(cage, "history", job, "-n", "1")["runs"][0]["id"]
            for words in _questions(job, run):
                _time(sheet, cage, str(ground.choice.runs), words)
    sheet.remarks.append(f"aim: {AIM:g} ms; for -l: {LIST_AIM:g} ms")
    return sheet.findings()


def _verbs(job: str, run: str, tab: Path) -> list[list[str]]:
    """Return the commands that are timed with a short history."""
    return [
        ["-l"], ["-T", str(tab)], ["list"], ["status"], ["next"], ["next", str(tab)], ["check", str(tab)],
        ["explain", "*/5 * * * *"], ["logs", job], ["env", job], ["versions"], ["metrics"],
        ["--version"], ["--help"], *_questions(job, run),
    ]  # fmt: skip


def _questions(job: str, run: str) -> list[list[str]]:
    """Return the commands that ask the history."""
    return [
        ["history"], ["history", job], ["history", "--failed"], ["history", "--slowest"], ["show", run],
        ["why", job], ["stats"], ["stats", job],
    ]  # fmt: skip


def _time(sheet: Sheet, cage: Cage, runs: str, words: list[str]) -> None:
    shown = [Path(word).name if word.startswith("/") else word for word in words]
    command = [*crontabx(cage.folder), *words]
    try:
        sheet.add(runs, " ".join(["crontabx", *shown]), *_of(within(cage.inside(), COUNT, command)))
    except subprocess.CalledProcessError:
        sheet.add(runs, " ".join(["crontabx", *shown]), None, None, None)


def _of(times: list[float]) -> tuple[float | None, float, float]:
    return median(times), min(times), max(times)


def _words(command: list[str]) -> str:
    return " ".join(Path(word).name if word.startswith("/") else word for word in command)


# --- the history -----------------------------------------------------------------------------------------


def _busy_tables() -> Tables:
    return _tables(["@every 1s"] * _JOBS)


def _quiet_tables() -> Tables:
    return _tables([never(time.time())] * _JOBS)


def _tables(schedules: list[str]) -> Tables:
    lines = [f"#: name=job{n}\n{schedule} echo job {n}\n" for n, schedule in enumerate(schedules)]
    return Tables("".join(lines))


def _install(cage: Cage, tables: Tables) -> None:
    tab = cage.folder / "tab"
    tab.write_text(tables.crontab, encoding="ascii")
    _run(cage, str(tab))


def _run(cage: Cage, *words: str) -> str:
    """Return what a command of the client prints. Raises CageError."""
    command = [*cage.inside(), *crontabx(cage.folder), *words]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode:
        raise CageError(f"crontabx {' '.join(words)}: {done.stderr.strip()}")
    return done.stdout


def _ask(cage: Cage, *words: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(_run(cage, *words, "--json"))
    return found


def _wait_for_runs(cage: Cage) -> int:
    """Wait until there are some runs of each job; return how many there are."""
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline:
        time.sleep(2.0)
        try:
            count = len(_ask(cage, "history", "-n", "99999")["runs"])
        except CageError:  # it comes up
            continue
        if count >= _JOBS * _RUNS_EACH:
            return count
    cage.require_daemon()
    raise CageError(f"no {_JOBS * _RUNS_EACH} runs within {_PATIENCE:g} s")


def _fill(cage: Cage, count: int) -> None:
    """Write `count` runs into the history of the daemon in `cage`, beside its recorder."""
    state = cage.folder / "state"
    journal = str(state / "scheduler")
    store = Store(database_url(None, str(state / "history")))
    position = store.begin(token_of(journal), socket.gethostname(), journal)
    try:
        took = fill(store, count, position)
    finally:
        store.close()
    owner = (state / "history").stat()
    for file in (state / "history").iterdir():
        os.chown(file, owner.st_uid, owner.st_gid)
    print(f"{count} runs written in {took:.0f} s", flush=True)
