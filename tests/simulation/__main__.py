"""Worlds of faults for as long as one likes: `python -m tests.simulation --seed N --years Y`."""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter

from tests.simulation.launcher import Broken
from tests.simulation.mutants import present
from tests.simulation.world import DENSE, LONG, seeded

_DAY = 86400.0


def main() -> int:
    parser = argparse.ArgumentParser(prog="tests.simulation", description=__doc__)
    parser.add_argument("--seed", type=int, default=None, help="the first seed (default: by the clock)")
    parser.add_argument("--worlds", type=int, default=1, help="how many seeds, one after the other")
    parser.add_argument("--years", type=float, default=1.0, help="how long each world lives")
    parser.add_argument(
        "--dense", action="store_true", help="due every few minutes instead of a few times a day"
    )
    parser.add_argument("--mutants", action="store_true", help="put bugs into the engine; each must be found")
    given = parser.parse_args()
    if given.mutants:
        return find_mutants()
    first = int(time.time()) if given.seed is None else given.seed
    return live(first, given.worlds, given.years, dense=given.dense)


def live(first: int, worlds: int, years: float, *, dense: bool) -> int:
    """Let worlds live, print what there was; return the exit status."""
    figures: Counter[str] = Counter()
    faults: Counter[str] = Counter()
    broken, began = 0, time.monotonic()
    for seed in range(first, first + worlds):
        with seeded(seed, DENSE if dense else LONG) as world:
            try:
                world.live(years * 365 * _DAY)
                world.rest()
            except Broken as error:
                broken += 1
                print(f"seed {seed}: {error}")
                print(f"again: {replay(seed, years, dense=dense)}")
        figures += world.figures
        faults += world.faults
    print(f"{worlds * years:g} years in {time.monotonic() - began:.0f} s, {broken} violations")
    for title, counted in (("figures", figures), ("faults", faults)):
        print(f"{title} ({counted.total()}):")
        for name, number in sorted(counted.items()):
            print(f"  {number:9} {name}")
    return 1 if broken else 0


def replay(seed: int, years: float, *, dense: bool) -> str:
    """The command that makes the same world again."""
    return f"python -m tests.simulation --seed {seed} --years {years:.6g}{' --dense' if dense else ''}"


def find_mutants() -> int:
    """Look for each bug for a minute; return the exit status."""
    missed = 0
    for mutant in present():
        began = time.monotonic()
        told = mutant.found(60.0)
        missed += not told
        print(f"{mutant.title}: {told or 'NOT FOUND'} ({time.monotonic() - began:.1f} s)", flush=True)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
