"""`python -m tests.beside`: Debian's cron and ours side by side through the same virtual hours.

Exits with 1 if anything differs that is not known, with 2 if it cannot be compared here. Needs root.
"""

from __future__ import annotations

import argparse
import sys

from tests.beside.compare import compare
from tests.beside.course import WINDOWS, NotHere, run
from tests.beside.report import report, unexplained
from tests.system.ground import made_ground


def main() -> int:
    options = _parser().parse_args()
    wrong = False
    try:
        for name in options.windows:
            window = WINDOWS[name]
            with made_ground() as ground:
                outcome = run(ground, window, factor=options.factor)
            comparison = compare(outcome.theirs, outcome.ours, begin=window.begin, end=window.end)
            print(*report(name, comparison), sep="\n")
            print(f"  the machine stood still for up to {outcome.stall:.0f} virtual seconds", flush=True)
            wrong = wrong or bool(unexplained(comparison))
    except NotHere as why:
        print(f"beside: {why}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    return int(wrong)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.beside",
        description="Compare crond with Debian's cron, minute by minute and byte by byte. Needs root.",
    )
    parser.add_argument(
        "windows",
        nargs="*",
        default=["spring", "autumn", "day"],
        choices=list(WINDOWS),
        help="default: spring autumn day",
    )
    parser.add_argument(
        "--factor",
        type=float,
        default=60.0,
        metavar="N",
        help="virtual seconds in one real second; less for a busy machine, on which jobs are late and"
        " minutes are missed; default: 60",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
