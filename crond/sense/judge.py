"""All that can be said about one crontab: what the parser found, then what the rules find.

The one door of this room; the client comes in here with a Scene. Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator

from crond.model.crontab import Problem
from crond.sense.clocks import clock_findings
from crond.sense.commands import command_findings
from crond.sense.dialects import dialect_findings
from crond.sense.portable import portable_findings
from crond.sense.scene import Scene
from crond.sense.schedules import schedule_findings
from crond.sense.settings import setting_findings
from crond.sense.table import table_findings

_CHECKS: tuple[Callable[[Scene], Iterator[Problem]], ...] = (
    table_findings,
    schedule_findings,
    clock_findings,
    command_findings,
    setting_findings,
    dialect_findings,
)


def judge(scene: Scene, *, ignore: Collection[str] = (), portable: bool = False) -> tuple[Problem, ...]:
    """Return every finding about `scene` by line and column, without those of the rules in `ignore`.

    `portable`: other crons shall read it, too.
    """
    found = [*scene.table.problems, *(one for check in _CHECKS for one in check(scene))]
    if portable:
        found += portable_findings(scene.table, system=scene.system, root=scene.root)
    kept = (one for one in found if one.code not in ignore)
    return tuple(sorted(kept, key=lambda one: (one.line, one.column)))
