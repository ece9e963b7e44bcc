"""What our own process must be before it serves: its name, descriptors, groups, limits and folder.

Owns nothing that lasts; each is done once, at the start. Called by main.
"""

from __future__ import annotations

import contextlib
import locale
import os
import pwd
import resource

from crond.launcher.kernel import adopt_orphans, name_process


def prepare_process() -> None:
    """Be a process that a root daemon can be: named, with 0, 1, 2 and no other descriptor to leak."""
    name_process("crond")
    adopt_orphans()
    while (fd := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(fd, True)
    os.close(fd)
    try:
        numbers = [int(name) for name in os.listdir("/proc/self/fd")]
    except OSError:  # a cage without /proc
        numbers = list(range(1024))
    for number in numbers:
        if number > 2:
            with contextlib.suppress(OSError):
                os.set_inheritable(number, False)


def take_roots_groups() -> None:
    """Have the groups that root's jobs get, which a service manager gives to nobody.

    Then there is nothing to become for these jobs, and they start without a fork.
    """
    root = pwd.getpwuid(0)
    os.setgroups(os.getgrouplist(root.pw_name, root.pw_gid))


def charset_of_locale() -> str:
    """Return the character set of the locale that we were started in, as mail names it.

    Python itself may live in another one, which it takes in the C locale.
    """
    ours = locale.setlocale(locale.LC_CTYPE)
    try:
        locale.setlocale(locale.LC_CTYPE, "")
        return locale.nl_langinfo(locale.CODESET)
    except locale.Error:  # none of this host: it is the C locale then
        locale.setlocale(locale.LC_CTYPE, "C")
        return locale.nl_langinfo(locale.CODESET)
    finally:
        locale.setlocale(locale.LC_CTYPE, ours)


def raise_open_files() -> tuple[int, int]:
    """Allow ourselves as many descriptors as we may have; return the limit that jobs get back."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = before[1] if os.geteuid() else max(before[1], 65536)
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, wanted))
    return before


def stay_in(folder: str) -> None:
    """Live where cron lives: a job whose home cannot be entered stays there under Debian's rules."""
    for place in (folder, "/"):
        with contextlib.suppress(OSError):
            os.chdir(place)
            return
