"""`python -m tests.fuzz`: a million random lines and a hundred thousand harmed crontabs against the parser.

Two minutes on two cores, so a command of its own; tests/model/test_fuzz.py has a slice of it. Exits with 1,
and shows the text, if the parser raised, hung, or said what cannot be.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from multiprocessing import Pool
from pathlib import Path
from random import Random

from tests.fuzz.reading import Wrong, read_all
from tests.fuzz.texts import mutations, random_lines, real_crontabs
from tests.system.packages import Unavailable, fetch

#: Texts are parsed by as many processes; each has its share of the seeds.
SHARES = 8


def share(work: tuple[int, int, int, list[bytes]]) -> tuple[int, int, int, float] | str:
    """Parse one share of the texts; return crontabs, entries, problems and the longest parse in seconds."""
    seed, lines, harmed, crontabs = work
    random = Random(seed)
    texts = [random_lines(random, lines), mutations(random, crontabs, harmed)]
    try:
        return read_all(text for group in texts for text in group)
    except Wrong as wrong:
        return f"seed {seed}: {wrong}"


def main() -> int:
    """Parse all of them; return 1 if anything was wrong."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--lines", type=int, default=1_000_000)
    options.add_argument("--mutations", type=int, default=100_000)
    options.add_argument("--seed", type=int, default=1)
    given = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        try:
            packages = fetch(Path(folder))
        except Unavailable as error:
            print(f"without the crontabs of Debian's packages: {error}", file=sys.stderr)
            packages = []
        crontabs = real_crontabs(packages)
    print(f"{len(crontabs)} crontabs to harm, {len(packages)} Debian packages among them; seed {given.seed}")
    began = time.monotonic()
    work = [
        (given.seed * SHARES + number, given.lines // SHARES, given.mutations // SHARES, crontabs)
        for number in range(SHARES)
    ]
    with Pool(2) as pool:
        results = pool.map(share, work, chunksize=1)
    wrong = [result for result in results if isinstance(result, str)]
    for text in wrong:
        print(text)
    if wrong:
        return 1
    read, entries, problems, longest = zip(
        *(each for each in results if not isinstance(each, str)), strict=True
    )
    print(
        f"{given.lines} lines and {given.mutations} mutations: {sum(read)} parses in"
        f" {time.monotonic() - began:.0f} s, {sum(entries)} entries, {sum(problems)} problems told;"
        f" the longest took {max(longest) * 1000:.0f} ms; nothing was wrong"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
