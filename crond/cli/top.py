"""The verb `top`: what runs and what it uses, what comes next, what failed lately; again and again.

Owns the keys and the screen (curses, which gives the terminal back whatever happens). What a screen holds is
`crond.cli.screen`. Where there is no terminal it prints one look. Loaded by crond.cli.main.
"""

from __future__ import annotations

import contextlib
import curses
import locale
import os
import signal
import subprocess
import sys
import time
from dataclasses import asdict
from typing import Any

import click

from crond.cli.answers import list_of, moment_of, read_next, read_run
from crond.cli.client import Place, ask_once, find_place
from crond.cli.dashboard import kept_rows
from crond.cli.failure import Failure
from crond.cli.format import printable, screen_width
from crond.cli.options import json_option, show_json
from crond.cli.screen import KEYS, Line, Look, Style, rows_of, screen
from crond.cli.trees import Trees

#: Seconds over which the first look measures.
_FIRST = 0.3
_ATTRIBUTES = {
    Style.PLAIN: curses.A_NORMAL,
    Style.TITLE: curses.A_BOLD,
    Style.FAINT: curses.A_DIM,
    Style.CHOSEN: curses.A_REVERSE,
}
_CLIENT = "from crond.cli.main import main; main()"


@click.command(short_help="Watch what runs, live.")
@click.option(
    "-d",
    "--delay",
    type=click.FloatRange(min=0.2, max=3600),
    default=1.0,
    show_default=True,
    metavar="SECONDS",
    help="How often to look.",
)
@json_option
@click.pass_obj
def top(state: str | None, *, delay: float, as_json: bool) -> None:
    """Watch your running jobs (root: everybody's) with the processor and memory of all their processes, what
    is due next, and the last failures.

    Keys: arrows or j and k choose, l follows the log, s stops, r runs the job now, q quits. Without a
    terminal, or with --json, one look is printed.
    """
    place = find_place(state)
    trees = Trees()
    if as_json or not (sys.stdin.isatty() and sys.stdout.isatty()):
        _print_one(place, trees, as_json=as_json)
        return
    locale.setlocale(locale.LC_ALL, "")
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        # The first question before the screen is taken: a daemon that is absent is one plain line.
        look = _look(place, trees)
        curses.wrapper(lambda window: _Top(window, place, state, trees, look, delay).run())
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)
    except curses.error as error:
        raise Failure(f"this terminal cannot be used: {error}") from None
    finally:
        signal.signal(signal.SIGINT, before)


def _ask(place: Place) -> dict[str, Any]:
    return ask_once(place, "status")


def _look(place: Place, trees: Trees) -> Look:
    """Ask the daemon, and the system about the processes of what runs."""
    body = _ask(place)
    running = list_of(body, "running", read_run)
    return Look(
        place=printable(place.run),
        now=moment_of(body, "now"),
        began=moment_of(body, "started_at"),
        running=running,
        coming=list_of(body, "next", read_next),
        failed=list_of(body, "failed", read_run),
        usage=trees.look(run.pid for run in running if run.pid is not None),
        kept=[(job.text, why.text) for job, why in kept_rows(body)],
    )


def _print_one(place: Place, trees: Trees, *, as_json: bool) -> None:
    _look(place, trees)
    time.sleep(_FIRST)
    if as_json:
        body = _ask(place)
        pids = [run["pid"] for run in body["running"] if isinstance(run.get("pid"), int)]
        usage = trees.look(pids)
        for run in body["running"]:
            used = usage.get(run.get("pid"))
            run["usage"] = None if used is None else asdict(used)
        show_json({key: body.get(key) for key in ("now", "running", "next", "paused", "held", "failed")})
        return
    for line in screen(_look(place, trees), width=screen_width() or 200, height=None, chosen=-1):
        click.echo(line.text)


class _Top:
    """The screen while it is shown."""

    def __init__(
        self, window: curses.window, place: Place, state: str | None, trees: Trees, look: Look, delay: float
    ) -> None:
        self._window = window
        self._place = place
        self._state = state
        self._trees = trees
        self._look = look
        self._delay = delay
        self._chosen = 0
        self._message = ""

    def run(self) -> None:
        """Show, wait for a key or the time to look again, until q."""
        curses.use_default_colors()
        with contextlib.suppress(curses.error):  # a terminal that cannot hide its cursor
            curses.curs_set(0)
        due = time.monotonic() + min(_FIRST, self._delay)
        while True:
            self._show()
            self._window.timeout(max(0, int((due - time.monotonic()) * 1000)))
            key = self._window.getch()
            if key in (ord("q"), ord("Q")):
                return
            if key != -1:
                self._pressed(key)
            if time.monotonic() >= due:
                self._look_again()
                due = time.monotonic() + self._delay

    def _look_again(self) -> None:
        try:
            self._look = _look(self._place, self._trees)
        except Failure as failure:  # a daemon that is being replaced comes back
            self._message = failure.message.splitlines()[0]

    def _pressed(self, key: int) -> None:
        self._message = ""
        last = len(rows_of(self._look)) - 1
        if key in (curses.KEY_DOWN, ord("j")):
            self._chosen = min(self._chosen + 1, last)
        elif key in (curses.KEY_UP, ord("k")):
            self._chosen = max(self._chosen - 1, 0)
        elif key in (ord("l"), ord("s"), ord("r")) and 0 <= self._chosen <= last:
            row = rows_of(self._look)[self._chosen]
            try:
                if key == ord("l"):
                    self._follow(row.attempt or row.job)
                elif key == ord("r"):
                    self._run(row.job)
                elif row.running and row.run is not None:
                    self._stop(row.job, row.run)
                else:
                    self._message = f"{row.job} does not run"
            except Failure as failure:
                self._message = failure.message.splitlines()[0]

    def _run(self, job: str) -> None:
        body = ask_once(self._place, "run", job=job, wait="no")
        self._message = f"{job}: run {printable(str(body['run']['id']))} started"

    def _stop(self, job: str, run: str) -> None:
        self._message = f"stop {job}, run {run}? (y/n)"
        self._show()
        self._window.timeout(-1)
        self._message = ""
        if self._window.getch() in (ord("y"), ord("Y")):
            ask_once(self._place, "stop", target=run)
            self._message = f"{job}: stopping run {run}"

    def _follow(self, target: str) -> None:
        """Show a log below the screen that was, until its end or Ctrl-C; then come back."""
        curses.endwin()
        state = () if self._state is None else ("--state", self._state)
        command = (sys.executable, "-c", _CLIENT, *state, "logs", "-f", target)
        # Ctrl-C goes to all of the terminal; it is meant for the log.
        before = signal.signal(signal.SIGINT, lambda _number, _frame: None)
        try:
            subprocess.run(command, check=False)
            sys.stderr.write("\n[Enter: back to top] ")
            sys.stderr.flush()
            os.read(0, 4096)
        finally:
            signal.signal(signal.SIGINT, before)
        self._window.clear()
        self._window.refresh()

    def _show(self) -> None:
        height, width = self._window.getmaxyx()
        width -= 1  # writing into the last corner would move the cursor off the screen
        self._chosen = max(0, min(self._chosen, len(rows_of(self._look)) - 1))
        lines = screen(self._look, width=width, height=height - 1, chosen=self._chosen)
        self._window.erase()
        for number, line in enumerate([*lines, *[Line("")] * height][: height - 1]):
            self._put(number, line, width)
        self._put(
            height - 1, Line(self._message or KEYS, Style.TITLE if self._message else Style.FAINT), width
        )
        self._window.refresh()

    def _put(self, number: int, line: Line, width: int) -> None:
        # A screen may have become smaller than we were told.
        with contextlib.suppress(curses.error):
            self._window.addnstr(number, 0, line.text, width, _ATTRIBUTES[line.style])
