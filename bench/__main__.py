"""`python -m bench`: crond beside Debian's cron, busybox crond, yacron and cronstable, in one run.

Owns the choice of sections, peers and sizes, and where the figures go. Needs root, for the namespaces in
which the daemons live. docs/benchmarks.md says what is measured.
"""

from __future__ import annotations

import argparse
import compileall
import json
import os
import pathlib
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from bench import edit, graph, idle, pipelines, starts, startup, verbs
from bench.cage import USER, CageError
from bench.fetched import Missing
from bench.ground import Choice, Ground
from bench.peers import PEERS, ROOT, Peer
from bench.report import Findings
from crond.cli.failure import Failure


@dataclass(frozen=True, slots=True)
class Section:
    """What can be measured by itself: `seconds` says how long `measure` takes, about."""

    measure: Callable[[Ground], Findings]
    seconds: Callable[[Choice], float]


SECTIONS = {
    "startup": Section(startup.measure, startup.seconds),
    "list": Section(verbs.measure_list, verbs.seconds_of_list),
    "listed": Section(edit.measure_listed, edit.seconds_until_listed),
    "edit": Section(edit.measure, edit.seconds),
    "memory": Section(idle.measure_running, idle.seconds_of_running),
    "idle": Section(idle.measure, idle.seconds),
    "starts": Section(starts.measure, starts.seconds),
    "recording": Section(starts.measure_with_history, starts.seconds_with_history),
    "pipelines": Section(pipelines.measure, pipelines.seconds),
    "graph": Section(graph.measure, graph.seconds),
    "verbs": Section(verbs.measure, verbs.seconds),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; 1 if a peer lost a job or ran one twice, 2 if something could not be measured."""
    options = parser().parse_args(arguments)
    if os.geteuid() != 0:
        print("bench: needs root: each daemon runs in namespaces of its own", file=sys.stderr)
        return 2
    try:
        return _run(options)
    except KeyboardInterrupt:
        return 130


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    made = argparse.ArgumentParser(
        prog="bench/run",
        description="crond beside other crons: starts, start-up, memory, edits, commands. Needs root.",
    )
    add = made.add_argument
    add("--only", type=_sections, default=tuple(SECTIONS), metavar="SECTION,...", help=", ".join(SECTIONS))
    add("--peers", type=_peers, default=PEERS, metavar="PEER,...", help=", ".join(p.name for p in PEERS))
    add(
        "--json",
        type=pathlib.Path,
        metavar="FILE",
        help="write the figures into FILE, which keeps other sections'",
    )
    add("--user", action="store_true", help="jobs are those of a user, not root's; without the peers of YAML")
    add("--keep", action="store_true", help="keep the folders of the daemons, with their logs")
    add("--dry-run", action="store_true", help="only say how long it takes")
    add("--jobs", type=_jobs, default=(1, 100, 1000, 3000), metavar="N,...", help="starts: due at once")
    add("--minutes", type=_count, default=2, metavar="N", help="starts: minutes for each; default: 2")
    add("--turns", type=_count, default=5, metavar="N", help="recording, pipelines: how often; default: 5")
    add("--airflow", action="store_true", help="pipelines: beside Airflow too, which is fetched (300 MB)")
    add("--idle-minutes", type=_count, default=3, metavar="N", help="idle: minutes; default: 3")
    add(
        "--entries",
        type=_numbers,
        default=(1, 1000, 10_000, 100_000),
        metavar="N,...",
        help="startup: of crontabs",
    )
    add("--runs", type=int, default=1_000_000, metavar="N", help="verbs: runs of the long history; 0: none")
    return made


def _sections(text: str) -> tuple[str, ...]:
    return _known(text, SECTIONS)


def _peers(text: str) -> tuple[Peer, ...]:
    known = {peer.name: peer for peer in PEERS}
    return tuple(known[name] for name in _known(text, known))


def _known(text: str, known: Mapping[str, object]) -> tuple[str, ...]:
    names = tuple(text.split(","))
    for name in names:
        if name not in known:
            raise argparse.ArgumentTypeError(f"there is no {name!r}; there are {', '.join(known)}")
    return names


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(map(_count, text.split(",")))


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1 on")
    return int(text)


def _jobs(text: str) -> tuple[int, ...]:
    found = _numbers(text)
    if max(found) > 5000:
        raise argparse.ArgumentTypeError("from 1 to 5000 jobs can be measured")
    return found


def _run(options: argparse.Namespace) -> int:
    choice = Choice(
        peers=_available(options),
        owner=USER if options.user else "root",
        jobs=options.jobs,
        minutes=options.minutes,
        idle_minutes=options.idle_minutes,
        turns=options.turns,
        runs=options.runs,
        startups=options.entries,
        airflow=options.airflow,
    )
    lasts = {name: SECTIONS[name].seconds(choice) / 60 for name in options.only}
    for name, minutes in lasts.items():
        print(f"{name:10} {minutes:5.1f} minutes")
    print(f"about {sum(lasts.values()):.0f} minutes in all", flush=True)
    if options.dry_run:
        return 0
    # An installed package is compiled; a checkout may not be, and the scheduler's account cannot write there.
    compileall.compile_dir(ROOT / "crond", quiet=1)
    found: dict[str, Findings] = {}
    failed = False
    with ExitStack() as opened:
        ground = Ground(opened, choice, keep=options.keep)
        for name in options.only:
            print(f"\n{name}, {time.strftime('%H:%M')}", flush=True)
            try:
                found[name] = SECTIONS[name].measure(ground)
            except (CageError, Failure, OSError, subprocess.CalledProcessError) as error:
                # The rest is worth having; --only makes up for it.
                print(f"bench: {name}: {error}", file=sys.stderr, flush=True)
                failed = True
                continue
            if options.json is not None:
                _keep(options.json, name, found[name], _machine(ground))
        print(
            "\n{cpu}, {cores} cores, Linux {kernel}, {when}; {owner}'s jobs ({job})".format(
                **_machine(ground)
            )
        )
    for one in found.values():
        print(f"\n{one.title}\n\n{one.text}")
    return 2 if failed else int(any(one.lost for one in found.values()))


def _available(options: argparse.Namespace) -> list[Peer]:
    """Return the peers that can be started here; say of the others why not."""
    peers = []
    for peer in options.peers:
        if options.user and not peer.users:
            continue
        with tempfile.TemporaryDirectory() as folder:
            try:
                peer.command(pathlib.Path(folder), "root")
            except Missing as error:
                print(f"without {peer.title}: {error}", file=sys.stderr)
            else:
                peers.append(peer)
    return peers


def _keep(path: pathlib.Path, name: str, findings: Findings, machine: dict[str, Any]) -> None:
    """Put one section's figures into the file `path`, beside what is there."""
    held = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    held[name] = {"title": findings.title, "machine": machine, **findings.data}
    fresh = path.with_name(path.name + ".new")
    fresh.write_text(json.dumps(held, indent=1) + "\n", encoding="utf-8")
    fresh.rename(path)


def _machine(ground: Ground) -> dict[str, Any]:
    model = "unknown CPU"
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        for line in file:
            if line.startswith("model name"):
                model = line.partition(":")[2].strip()
                break
    return {
        "cpu": model,
        "cores": os.cpu_count(),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "job": ground.job.kind,
        "owner": ground.choice.owner,
        "when": time.strftime("%Y-%m-%d %H:%M"),
    }


if __name__ == "__main__":
    sys.exit(main())
