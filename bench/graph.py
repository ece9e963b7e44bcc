"""What many jobs in one graph of dependencies cost: until they are planned, while nothing is due, to check.

Owns the course: crond alone, beside itself with as many plain lines. docs/benchmarks.md says what the columns
mean. Called by `python -m bench`.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Mapping
from contextlib import ExitStack

from bench import graphs
from bench.cage import Cage, CageError
from bench.graphs import Graph, Node, Work
from bench.ground import Choice, Ground, median, never, next_minute, sleep_until, wait_quiet
from bench.orchestrators import scheduler_of
from bench.peers import OF_CRONIE, crontabx
from bench.processes import Usage, parts
from bench.report import Findings, Sheet
from bench.tables import Tables
from crond.cli.client import SCHEDULER, Connection
from crond.cli.failure import Failure

JOBS, WIDTH = 10_000, 100
CYCLE = 1000
#: Seconds from giving the crontab until it is planned.
AIM = 2.0
_INSTALLS, _CHECKS = 3, 3
_COMING_UP, _PATIENCE = 60.0, 60.0
#: No part of a minute in which there is a look at the clock.
_AFTER = 5.0
_PARTS = ("launcher", "scheduler", "recorder")
_HEAD = ("what", "jobs", "dependencies", "s", "launcher CPU s", "scheduler CPU s", "recorder CPU s")


def seconds(choice: Choice) -> float:
    """Return how long `measure` takes, about."""
    return (choice.idle_minutes + 1.5) * 60.0 + 60.0


def measure(ground: Ground) -> Findings:
    """Install, list, leave alone and check."""
    sheet = Sheet(f"Graphs: {JOBS} jobs that depend on each other, and as many that do not", _HEAD)
    shapes: dict[str, Graph] = {
        "plain": [Node(number) for number in range(JOBS)],
        "graph": graphs.layers(JOBS, WIDTH),
    }
    with ExitStack() as opened:
        cages = {name: ground.cage_of(opened, OF_CRONIE, name, Tables("")) for name in shapes}
        for cage in cages.values():
            cage.wait_made()
            cage.release()
        wait_quiet(cages.values(), _COMING_UP)
        for name, graph in shapes.items():
            _until_planned(sheet, cages[name], name, graph)
        for name, graph in shapes.items():
            for verb in ("list", "graph"):
                _asked(sheet, cages[name], name, graph, verb)
        _idle(sheet, cages, ground.choice.idle_minutes)
        _cycle(sheet, cages["graph"])
    sheet.remarks.append(
        f"aim for the graph: {AIM:g} s until it is planned, and no more than plain while idle"
    )
    return sheet.findings()


def _text(graph: Graph, turn: int = 0) -> str:
    """Return a crontab of `graph`; where nothing depends on anything, of plain lines but for the last."""
    work = Work(graph, lambda number: f"/bin/true {number} {turn}", never(time.time()))
    if _arrows(graph):
        return graphs.crontab({f"t{turn}n": work}).crontab
    named = f"#: name={_last(graph, turn)}"
    lines = [f"{work.schedule} {work.command(node.number)}" for node in graph]
    return "\n".join(['MAILTO=""', *lines[:-1], named, lines[-1]]) + "\n"


def _last(graph: Graph, turn: int) -> str:
    return f"t{turn}n{graph[-1].number}"


def _arrows(graph: Graph) -> int:
    return sum(len(node.parents) for node in graph)


# --- until it is planned ---------------------------------------------------------------------------------


def _until_planned(sheet: Sheet, cage: Cage, name: str, graph: Graph) -> None:
    """Put the crontab in its place, changed each time, and wait until the scheduler has all of its jobs."""
    took: list[float] = []
    used: list[dict[str, float]] = []
    for turn in range(_INSTALLS):
        text = _text(graph, turn)
        wait_quiet([cage], _COMING_UP)
        before = _cpu(cage)
        began = time.monotonic()
        _install(cage, text)
        _wait_for(cage, graph, turn)
        took.append(time.monotonic() - began)
        wait_quiet([cage], _COMING_UP)
        used.append({part: cpu - before[part] for part, cpu in _cpu(cage).items()})
    cpu = [median([one[part] for one in used]) for part in _PARTS]
    sheet.add(f"{name}: file to planned", len(graph), _arrows(graph), median(took), *cpu)


def _install(cage: Cage, text: str) -> None:
    place = cage.path("/var/spool/cron/root")
    # A name that no cron takes for an account's.
    fresh = place.with_name(".fresh.tmp")
    fresh.write_text(text, encoding="ascii")
    fresh.chmod(0o600)
    fresh.rename(place)


def _wait_for(cage: Cage, graph: Graph, turn: int) -> None:
    """Wait until the scheduler has the last of the jobs. Raises CageError."""
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline:
        try:
            with Connection(scheduler_of(cage), SCHEDULER) as connection:
                connection.ask("job", job=f"root/{_last(graph, turn)}")
        except Failure:  # not known yet
            time.sleep(0.01)
        else:
            return
    cage.require_daemon()
    raise CageError(f"crond does not have all of {len(graph)} jobs after {_PATIENCE:g} s")


def _cpu(cage: Cage) -> dict[str, float]:
    """Return the CPU seconds of each part of crond."""
    return {part: usage.cpu / 1000 for part, usage in parts(cage.daemons()).items()}


# --- to look at it ---------------------------------------------------------------------------------------


def _asked(sheet: Sheet, cage: Cage, name: str, graph: Graph, verb: str) -> None:
    """Time how long the scheduler takes to answer `verb`; for as long it starts nothing."""
    before = _cpu(cage)
    began = time.monotonic()
    with Connection(scheduler_of(cage), SCHEDULER, patience=_PATIENCE) as connection:
        connection.ask(verb)
    took = time.monotonic() - began
    cpu = {part: used - before[part] for part, used in _cpu(cage).items()}
    sheet.add(f"{name}: {verb}", len(graph), _arrows(graph), took, *map(cpu.get, _PARTS))


# --- while nothing is due --------------------------------------------------------------------------------


def _idle(sheet: Sheet, cages: Mapping[str, Cage], minutes: int) -> None:
    """Leave both alone in the same minutes; what they used is told as a remark."""
    wait_quiet(cages.values(), _COMING_UP)
    sleep_until(next_minute() + _AFTER)
    before = {name: parts(cage.daemons()) for name, cage in cages.items()}
    sleep_until(time.time() + minutes * 60.0)
    for name, cage in cages.items():
        cage.require_daemon()
        told = [_used(part, usage, before[name], minutes) for part, usage in parts(cage.daemons()).items()]
        sheet.remarks.append(f"{name}, idle for {minutes} minutes: " + "; ".join(told))


def _used(part: str, usage: Usage, before: Mapping[str, Usage], minutes: int) -> str:
    was = before.get(part, Usage())
    cpu, wakes = (usage.cpu - was.cpu) / minutes, (usage.wakes - was.wakes) / minutes / 60.0
    return f"{part} {cpu:.2f} ms/min, {wakes:.3f} wake-ups/s, {usage.pss / 1024:.1f} MiB"


# --- jobs that wait for each other -----------------------------------------------------------------------


def _cycle(sheet: Sheet, cage: Cage) -> None:
    """Check a crontab whose jobs all wait for each other; the path must be told."""
    tab = cage.folder / "cycle"
    graph = graphs.circle(CYCLE)
    tab.write_text(_text(graph), encoding="ascii")
    took: list[float] = []
    told = ""
    for _ in range(_CHECKS):
        began = time.monotonic()
        done = subprocess.run(
            [*crontabx(cage.folder), "check", str(tab)], capture_output=True, text=True, check=False
        )
        took.append(time.monotonic() - began)
        told = path_told(done.stdout + done.stderr)
    sheet.add("cycle: crontabx check", CYCLE, _arrows(graph), median(took), None, None, None)
    sheet.remarks.append(f"the cycle, as check tells it: {told or 'NOT TOLD'}")


def path_told(text: str) -> str:
    """Return the way around that the output `text` of a check tells, "" if there is none."""
    lines = [line for line in text.splitlines() if " -> " in line]
    return lines[0].strip() if lines else ""
