"""The parts that nearly all others are made of, as one value: each exists once in a daemon.

Made by main; handed to what puts further parts together.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from crond.launcher.accounts import Account, Accounts
    from crond.launcher.config import Config
    from crond.launcher.log import Log
    from crond.launcher.loop import Loop
    from crond.launcher.outputs import Outputs
    from crond.launcher.programs import Programs
    from crond.launcher.spawn import Spawner
    from crond.launcher.spool import Spool


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """`own` is who we are, `open_files` the limit for descriptors that jobs get."""

    config: Config
    own: Account
    accounts: Accounts
    loop: Loop
    log: Log
    spawner: Spawner
    outputs: Outputs
    spool: Spool
    programs: Programs
    open_files: tuple[int, int]
