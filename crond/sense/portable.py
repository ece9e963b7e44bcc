"""What keeps a crontab from being read by other crons: both are asked, without anything that only we have.

Annotations are comments to them, so it is lines that are found: `@after`, `@every`, `L` and the like. Pure;
asked for with `--portable`.
"""

from __future__ import annotations

from collections.abc import Iterator

from crond.model.crontab import Problem, Table, parse_crontab
from crond.model.fields import Dialect
from crond.sense.rules import finding
from crond.sense.scene import CALLED


def portable_findings(table: Table, *, system: bool, root: bool) -> Iterator[Problem]:
    """Yield each line that cronie or Debian's cron would refuse, though it is no error here."""
    known = {problem.line for problem in table.syntax_errors}
    refused: dict[int, dict[Dialect, Problem]] = {}
    for dialect in Dialect:
        theirs = parse_crontab(table.text, system=system, privileged=root, dialect=dialect)
        for problem in theirs.syntax_errors:
            if problem.line not in known:
                refused.setdefault(problem.line, {})[dialect] = problem
    for line, by_dialect in sorted(refused.items()):
        first = next(iter(by_dialect.values()))
        if len(by_dialect) == len(Dialect):
            text = f"no other cron reads this line ({first.message})"
            hint = "keep cron's five fields here, and say the rest above it: #: schedule=..."
        else:
            text = f"{CALLED[next(iter(by_dialect))]} does not read this line ({first.message})"
            hint = first.hint
        yield finding("not-portable", line, first.column, text, hint)
