"""Our own daemon on a virtual clock: `daemon.py SITE FAKETIME START BEGAN FACTOR [FLAG...]`.

It is the real one: flags and settings become a Config, the launcher runs it and starts the scheduler. Two
things are added, for the scheduler is a process of its own without our environment: faketime before its
command line, and the one wait that libfaketime does not know, setitimer.
"""

from __future__ import annotations

import dataclasses
import sys

_SCHEDULER = """
import signal, sys
ring = signal.setitimer
signal.setitimer = lambda which, seconds, interval=0.0: ring(which, seconds / {factor}, interval / {factor})
sys.path.insert(0, sys.argv[1])
from crond.scheduler.main import main
sys.exit(main(sys.argv[2]))
"""


def main() -> int:
    site, faketime, start, began, factor, *flags = sys.argv[1:]
    sys.path.insert(0, site)
    from crond.cli.daemon import config_for, parser
    from crond.launcher.config import SYSLOG
    from crond.launcher.main import run
    from crond.launcher.worker import scheduler_arguments
    from crond.settings import read_settings

    options = parser().parse_args(flags)
    config = config_for(options, read_settings(options.settings, required=True))
    config = dataclasses.replace(config, syslog=SYSLOG)
    python, isolated, code, _boot, *told = scheduler_arguments(config)
    clocked = [python, "-I", "-S", faketime, start, began, factor]
    return run(config, scheduler=[*clocked, python, isolated, code, _SCHEDULER.format(factor=factor), *told])


if __name__ == "__main__":
    sys.exit(main())
