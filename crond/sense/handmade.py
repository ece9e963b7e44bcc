"""What people build around a command because cron lacks it, and the annotation that says the same.

Takes one wrapper at a time off the outside of a command that was surely understood, from the left or from the
right; a form that is not exactly known stays. Pure; called by `crond.sense.fixes`.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from itertools import takewhile

from crond.sense.shell import Simple, Word, read_commands

_DURATION = re.compile(r"([0-9]+)([smhd]?)", re.ASCII)
_RANDOM = re.compile(r"\$\(\( *\$?RANDOM *% *([0-9]{1,5}) *\)\)", re.ASCII)
_FETCHERS = ("curl", "wget")
_FETCH_VALUES = frozenset(
    (
        "-m",
        "--max-time",
        "--retry",
        "-o",
        "--output",
        "-O",
        "-T",
        "-t",
        "--timeout",
        "--tries",
        "--connect-timeout",
    )
)
_LOCKING = frozenset(("-x", "-e", "--exclusive"))
_FAILING = frozenset(("-n", "--nb", "--nonblock", "-xn", "-nx", "-en", "-ne"))
_ADDRESS = re.compile(r"https?://([^/:?#\s'\"\\@]+)[^\s'\"\\@]*", re.ASCII)
_CHECK_HOSTS = ("hc-ping.com", "hchk.io")
#: Services whose own web addresses a sender of messages knows; others get a JSON document.
_KNOWN_HOOKS = ("hooks.slack.com", "discord.com", "discordapp.com")


@dataclass(frozen=True, slots=True)
class Peeled:
    """What is left of a command, and the annotation that stands for what was taken off: (key, value)."""

    rest: str
    annotations: tuple[tuple[str, str], ...]


def peel(command: str) -> Peeled | None:
    """Return `command` with one wrapper less, or None if it has none that is known."""
    parts = read_commands(command)
    if not parts or any(part.inside for part in parts) or any(p.after in ("&", "(", ")") for p in parts):
        return None
    for form in _FORMS:
        found = form(command, parts)
        if found is not None and found.rest and read_commands(found.rest):
            return found
    return None


# --- around a whole command -------------------------------------------------------------------------


def _directory(command: str, parts: tuple[Simple, ...]) -> Peeled | None:
    first = parts[0]
    texts = _texts(first)
    if len(parts) < 2 or parts[1].after != "&&" or _odd(first) or texts is None:
        return None
    if texts[0] != "cd" or len(texts) != 2 or not texts[1].startswith("/"):
        return None
    # After `||` or `;` what follows runs even where the folder is missing.
    if any(part.after not in ("&&", "|") for part in parts[1:]):
        return None
    return Peeled(_from(command, parts[1]), (("working_dir", texts[1]),))


def _sleep(command: str, parts: tuple[Simple, ...]) -> Peeled | None:
    first = parts[0]
    if len(parts) < 2 or parts[1].after not in ("&&", ";") or _odd(first) or len(first.words) != 2:
        return None
    if first.name != "sleep":
        return None
    raw = first.words[1].raw.strip('"')
    found = _RANDOM.fullmatch(raw.replace("\\%", "%"))
    if found is None and raw not in ("$RANDOM", "${RANDOM}"):
        return None
    return Peeled(_from(command, parts[1]), (("jitter", _span(int(found[1]) if found else 32768)),))


def _report(command: str, parts: tuple[Simple, ...]) -> Peeled | None:
    """`&& curl CHECK` and `|| curl HOOK` at the end."""
    last = parts[-1]
    url = _fetched(last)
    if len(parts) < 2 or url is None or any(part.after not in ("", "&&", "|") for part in parts[:-1]):
        return None
    host = _ADDRESS.sub(r"\1", url).lower()
    check = host in _CHECK_HOSTS
    if last.after == "&&" and check:
        annotation = ("ping", url)
    elif last.after == "||" and check and url.endswith("/fail"):
        annotation = ("ping", url.removesuffix("/fail"))
    elif last.after == "||" and not check:
        known = host in _KNOWN_HOOKS
        annotation = ("on_failure", url if known else re.sub("^http", "json", url))
    else:
        return None
    return Peeled(_upto(command, parts[-2]), (annotation,))


def _log(command: str, parts: tuple[Simple, ...]) -> Peeled | None:
    """`>> FILE 2>&1` after a single command: output is kept anyway."""
    only = parts[0]
    if len(parts) != 1 or len(only.redirections) != 2 or not only.words:
        return None
    file, errors = only.redirections
    whole = (
        (file.fd, file.sign) == (1, ">>")
        and (errors.fd, errors.sign, errors.target.text) == (2, ">&", "1")
        and file.start > only.words[-1].end
        and file.target.text is not None
        and not file.target.text.startswith("/dev/")
    )
    return Peeled(command[: file.start].rstrip(), (("mail", "never"),)) if whole else None


# --- around a single command ------------------------------------------------------------------------


def _lock(command: str, parts: tuple[Simple, ...]) -> Peeled | None:
    words = _wrapper(parts, "flock")
    if words is None:
        return None
    options = list(takewhile(lambda word: (word.text or "").startswith("-"), words[1:]))
    if any(option.text not in _LOCKING | _FAILING for option in options):
        return None
    lock, rest = words[1 + len(options) :][:1], words[2 + len(options) :]
    # A number is a descriptor that the shell has opened.
    if not rest or any(word.text is None or word.text.isdigit() for word in lock):
        return None
    after: str | None = command[rest[0].start :]
    if rest[0].text in ("-c", "--command"):
        after = rest[1].text if len(rest) == 2 and not parts[0].redirections else None
    elif (rest[0].text or "-").startswith("-"):
        after = None
    fails = any(option.text in _FAILING for option in options)
    return Peeled(after, (("concurrency", "forbid" if fails else "queue"),)) if after else None


def _timeout(command: str, parts: tuple[Simple, ...]) -> Peeled | None:
    words = _wrapper(parts, "timeout")
    if words is None:
        return None
    annotations: list[tuple[str, str]] = []
    at = 1
    while at + 1 < len(words) and (words[at].text or "").startswith("-"):
        option, value = words[at].text or "", words[at + 1].text or ""
        if option in ("-k", "--kill-after") and _DURATION.fullmatch(value):
            annotations.append(("kill_timeout", value))
        elif option in ("-s", "--signal") and value.isalpha():
            annotations.append(("stop_signal", value.removeprefix("SIG")))
        else:
            return None
        at += 2
    limit = words[at].text if at + 1 < len(words) else None
    if limit is None or not _DURATION.fullmatch(limit) or (words[at + 1].text or "-").startswith("-"):
        return None
    return Peeled(command[words[at + 1].start :], (("timeout", limit), *annotations))


_FORMS: tuple[Callable[[str, tuple[Simple, ...]], Peeled | None], ...] = (
    _report,
    _sleep,
    _directory,
    _log,
    _lock,
    _timeout,
)


# --- pieces -----------------------------------------------------------------------------------------


def _wrapper(parts: tuple[Simple, ...], name: str) -> list[Word] | None:
    """The words of the only command if it is `name ... COMMAND`, redirections not counted."""
    only = parts[0]
    if len(parts) != 1 or only.assignments or not only.words:
        return None
    program = only.name or ""
    if program not in (name, f"/usr/bin/{name}", f"/bin/{name}"):
        return None
    # A redirection in the middle of the words would be torn off or moved.
    return None if any(r.start < only.words[-1].start for r in only.redirections) else only.words


def _odd(part: Simple) -> bool:
    return bool(part.assignments or part.redirections)


def _texts(part: Simple) -> list[str] | None:
    texts = [word.text for word in part.words if word.text is not None]
    return texts if texts and len(texts) == len(part.words) else None


def _fetched(part: Simple) -> str | None:
    """The address that `part` fetches, if that is all it does."""
    texts = _texts(part)
    if texts is None or part.assignments or texts[0].rpartition("/")[2] not in _FETCHERS:
        return None
    if any(r.target.text not in ("/dev/null", "1") for r in part.redirections):
        return None
    urls, skip = [], False
    for text in texts[1:]:
        if skip:
            skip = False
        elif text.startswith("-"):
            if not re.fullmatch(r"-[fsSkLqnv]+|--[a-z-]+(=.*)?|-[a-zA-Z]+[mOo]|-[a-zA-Z]", text):
                return None
            skip = text in _FETCH_VALUES or bool(re.fullmatch(r"-[a-zA-Z]+[mo]", text))
        else:
            urls.append(text)
    return urls[0] if len(urls) == 1 and _ADDRESS.fullmatch(urls[0]) else None


def _from(command: str, part: Simple) -> str:
    return command[part.start :].lstrip()


def _upto(command: str, part: Simple) -> str:
    return command[: part.end].rstrip()


def _span(seconds: int) -> str:
    for size, unit in ((3600, "h"), (60, "m")):
        if seconds and seconds % size == 0:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


def written(annotations: tuple[tuple[str, str], ...]) -> str:
    """Return the annotation line that says `annotations`."""
    return "#: " + " ".join(f"{key}={shlex.quote(value)}" for key, value in annotations)
