"""Worlds of faults for as long as one likes: `python -m tests.simulation --seed N --years Y`."""

from __future__ import annotations

import argparse
import time

from tests.simulation.world import World

_DAY = 86400


def main() -> None:
    parser = argparse.ArgumentParser(prog="tests.simulation", description=__doc__)
    parser.add_argument("--seed", type=int, default=None, help="the first seed (default: by the clock)")
    parser.add_argument("--worlds", type=int, default=1, help="how many seeds, one after the other")
    parser.add_argument("--years", type=float, default=0.1, help="how long each world lives")
    given = parser.parse_args()
    first = int(time.time()) if given.seed is None else given.seed
    for seed in range(first, first + given.worlds):
        print(f"seed {seed}", flush=True)
        world = World(seed)
        for _ in range(max(1, int(given.years * 365))):
            world.live(_DAY)
        world.rest()
        print(f"  {len(world.planned)} dues, {len(world.ever_started)} starts, {world.lives} launchers")


if __name__ == "__main__":
    main()
