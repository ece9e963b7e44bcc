"""crontabx: a cron that keeps your crontab and tells you what became of it.

The public API: `parse_crontab` reads a crontab as cron does, `simulate` says what would start when.
Everything else is the daemon's and the client's own. Names are loaded when they are first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from crond.api import Start, simulate
    from crond.model.crontab import Problem, Table, parse_crontab
    from crond.model.entry import Entry

#: The version of all of it; the build takes it from here.
__version__ = "0.1.0.dev0"

__all__ = ["Entry", "Problem", "Start", "Table", "parse_crontab", "simulate"]

_HOMES = {
    "Entry": "crond.model.entry",
    "Problem": "crond.model.crontab",
    "Start": "crond.api",
    "Table": "crond.model.crontab",
    "parse_crontab": "crond.model.crontab",
    "simulate": "crond.api",
}


def __getattr__(name: str) -> Any:
    # The launcher imports this package too: what it does not use must not be loaded into it.
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(_HOMES[name]), name)
