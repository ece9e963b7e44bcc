"""The forms in which values of annotations are written: how each is read, named and said.

A form knows text only: which key uses it is `crond.model.keys`'s business. What is wrong with a text is a
BadValue that says what would be right. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from crond.model.alert import target_label
from crond.model.dependency import Dependency
from crond.model.fields import Dialect, Draw
from crond.model.messages import is_environment_name
from crond.model.schedule import Schedule
from crond.model.specials import BadSpecial, parse_duration, parse_schedule
from crond.model.wording import joined, span

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)
_VARIABLE = re.compile(r"[A-Za-z_]\w*", re.ASCII)
_ZONE = re.compile(r"[A-Za-z0-9][\w+-]*(?:/[A-Za-z0-9][\w+-]*)*", re.ASCII)
_COUNTRY = re.compile(r"[A-Z]{2}(?:-[A-Z0-9]{1,3})?", re.ASCII)
_DECIMAL = re.compile(r"\d{1,9}(?:\.\d{1,6})?", re.ASCII)
_SIZE = re.compile(r"(\d{1,15})([KMGT]?)", re.ASCII)
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^\s]+", re.ASCII)
_ADDRESS = re.compile(r"[A-Za-z0-9._+-]+@[A-Za-z0-9._-]+", re.ASCII)
_SECRET_SOURCE = re.compile(r"file:/.+|env:[A-Za-z_]\w*", re.ASCII | re.DOTALL)
_IONICE = re.compile(r"idle|(?:best-effort|realtime)(?::[0-7])?", re.ASCII)
_SIGNALS = frozenset((
    "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2", "PIPE", "ALRM",
    "TERM", "STKFLT", "CHLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG", "XCPU", "XFSZ", "VTALRM", "PROF",
    "WINCH", "IO", "PWR", "SYS",
))  # fmt: skip
_YES = {"yes": True, "true": True, "on": True, "no": False, "false": False, "off": False}
#: More items than this are no list that a person meant, and many of them would keep others waiting.
_ITEMS = 256


class BadValue(ValueError):
    """A text that is no value of its form. The text of the error may say why; the form says what would be."""


@dataclass(frozen=True, slots=True)
class Rules:
    """By whose rules a crontab is read. `root`: it is root's, and may name other users' jobs."""

    dialect: Dialect
    draw: Draw
    root: bool = False


@dataclass(frozen=True, slots=True)
class Form:
    """How a value is written. `words` completes "takes ..."; `read` raises BadValue; `said` is for people."""

    words: str
    read: Callable[[str, Rules], Hashable]
    said: Callable[[Any], str] = str
    many: bool = False  #: a tuple; a key that is said again adds to it
    apart: bool = False  #: with `many`: commas belong to the values
    secret: bool = False  #: never shown in a message


def is_name(text: str) -> bool:
    """True if `text` may name a job, a pool or a tag."""
    return _NAME.fullmatch(text) is not None


def has_form(words: str, pattern: re.Pattern[str], *, secret: bool = False) -> Form:
    """Return a form of texts that are taken as they are."""

    def read(text: str, _rules: Rules) -> str:
        if not pattern.fullmatch(text):
            raise BadValue
        return text

    return Form(words, read, secret=secret)


def one_of(*choices: str) -> Form:
    """Return a form that is one of some words."""

    def read(text: str, _rules: Rules) -> str:
        if text not in choices:
            raise BadValue
        return text

    return Form(f"one of {', '.join(choices)}", read)


def whole(words: str, least: int, most: int = 10**9) -> Form:
    """Return a form of whole numbers within two bounds, both included."""

    def read(text: str, _rules: Rules) -> int:
        if not re.fullmatch(r"[+-]?\d{1,10}", text, re.ASCII) or not least <= int(text) <= most:
            raise BadValue
        return int(text)

    return Form(words, read)


def decimal(words: str, least: float, suffix: str = "") -> Form:
    """Return a form of numbers that are at least `least` and end in `suffix`."""

    def read(text: str, _rules: Rules) -> float:
        number = text.removesuffix(suffix)
        if not _DECIMAL.fullmatch(number) or not text.endswith(suffix) or float(number) < least:
            raise BadValue
        return float(number)

    return Form(words, read, lambda value: f"{value:g}{suffix}")


def several(words: str, item: Form, *, apart: bool = False) -> Form:
    """Return a form of several values. `apart`: the key is repeated, since commas belong to the values."""

    def read(text: str, rules: Rules) -> tuple[Hashable, ...]:
        texts = [text] if apart else [one.strip() for one in text.split(",")]
        if len(texts) > _ITEMS:
            raise BadValue(f"more than {_ITEMS} of them")
        return tuple(item.read(one, rules) for one in texts)

    def said(values: tuple[Any, ...]) -> str:
        return joined([item.said(value) for value in values])

    return Form(words, read, said, many=True, apart=apart, secret=item.secret)


def either(*forms: Form) -> Form:
    """Return a form that is any of `forms`, the first that fits."""

    def read(text: str, rules: Rules) -> Hashable:
        for form in forms:
            try:
                return form.read(text, rules)
            except BadValue:
                continue
        raise BadValue

    return Form(" or ".join(form.words for form in forms), read, secret=any(form.secret for form in forms))


# --- the readers of what is more than a pattern ------------------------------------------------------


def _yes_no(text: str, _rules: Rules) -> bool:
    if text not in _YES:
        raise BadValue
    return _YES[text]


def _duration(least: int) -> Callable[[str, Rules], int]:
    def read(text: str, _rules: Rules) -> int:
        seconds = parse_duration(text)
        if seconds is None or seconds < least:
            raise BadValue
        return seconds

    return read


def _size(text: str, _rules: Rules) -> int:
    found = _SIZE.fullmatch(text)
    if found is None:
        raise BadValue
    return int(found[1]) << 10 * " KMGT".index(found[2] or " ")


def _size_said(size: int) -> str:
    unit = next((n for n in (4, 3, 2, 1) if size and size % (1 << 10 * n) == 0), 0)
    return f"{size >> 10 * unit} {('bytes', 'KiB', 'MiB', 'GiB', 'TiB')[unit]}"


def _moment(text: str, _rules: Rules) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise BadValue from None


def _moment_said(moment: datetime) -> str:
    return moment.isoformat(" ", "minutes")


def _signal(text: str, _rules: Rules) -> str:
    word = text.upper().removeprefix("SIG")
    if word not in _SIGNALS and not (word.isascii() and word.isdigit() and 1 <= int(word[:3]) <= 64):
        raise BadValue
    return word


def _umask(text: str, _rules: Rules) -> int:
    if not re.fullmatch(r"0?[0-7]{3}", text):
        raise BadValue
    return int(text, 8)


def _text(text: str, _rules: Rules) -> str:
    if not text.strip() or "\0" in text:
        raise BadValue
    return text


def _target(text: str, _rules: Rules) -> str:
    forms = (_URL,) if "://" in text else (_ADDRESS,) if "@" in text else (_NAME,)
    if not any(form.fullmatch(text) for form in forms):
        raise BadValue
    return text


def _given(text: str, _rules: Rules) -> str:
    if not is_environment_name(text):
        raise BadValue
    return text


def _secret(text: str, _rules: Rules) -> tuple[str, str]:
    name, _, source = text.partition("=")
    if not _VARIABLE.fullmatch(name) or not _SECRET_SOURCE.fullmatch(source):
        raise BadValue
    return name, source


def _schedule(text: str, rules: Rules) -> Schedule:
    try:
        return parse_schedule(text, dialect=rules.dialect, draw=rules.draw)
    except BadSpecial as error:
        raise BadValue(str(error)) from None


def _dependency(text: str, rules: Rules) -> Dependency:
    if is_name(text):
        return Dependency(text)
    job, _, want = text.partition(":")
    owner, slash, name = job.rpartition("/")
    if slash and not rules.root:
        raise BadValue("only root may depend on jobs of others")
    if not is_name(name) or (slash and not is_name(owner)):
        raise BadValue
    if text == job:
        return Dependency(job)
    if want in ("success", "failed", "done"):
        return Dependency(job, want)
    code = want.removeprefix("exit=")
    if code == want or not re.fullmatch(r"\d{1,3}", code, re.ASCII) or int(code) > 255:
        raise BadValue
    return Dependency(job, "exit", int(code))


# --- the forms ---------------------------------------------------------------------------------------

NAME = has_form(
    "a name: letters, digits, '.', '_' and '-', at most 64, beginning with a letter or digit", _NAME
)
YES_NO = Form("yes or no", _yes_no, lambda value: "yes" if value else "no")
DURATION = Form("a duration, such as 90, 90s, 15m, 2h, 1d or 1h30m", _duration(0), span)
PERIOD = Form("a duration of at least 1s, such as 90s, 15m, 2h, 1d or 1h30m", _duration(1), span)
SIZE = Form("a size in bytes, such as 64K, 10M or 2G", _size, _size_said)
MOMENT = Form("a time in ISO 8601, such as 2026-11-29T07:00", _moment, _moment_said)
ZONE = has_form("a time zone, such as Asia/Seoul", _ZONE)
COUNT = whole("a whole number, such as 3", 0)
NUMBER = whole("a whole number of at least 1", 1)
INTEGER = whole("a whole number, which may be negative", -(10**9))
NICE = whole("a whole number from -20 to 19", -20, 19)
CODE = whole("an exit status from 0 to 255", 0, 255)
FACTOR = decimal("a number of at least 1, such as 2 or 1.5", 1.0)
LOAD = decimal("a load, such as 4 or 2.5", 0.0)
DAYS = decimal("a number of days, such as 30 or 0.5", 0.0)
PERCENT = decimal("a part of one processor, such as 50% or 200%", 1.0, "%")
CODES = several("exit statuses from 0 to 255, separated by commas", CODE)
RETRY_ON = several(
    "exit, timeout, signal, lost or exit statuses, separated by commas",
    either(one_of("exit", "timeout", "signal", "lost"), CODE),
)
SIGNAL = Form(
    "a signal, such as TERM, INT or 15", _signal, lambda word: word if word.isdigit() else f"SIG{word}"
)
UMASK = Form("three octal digits, such as 027", _umask, lambda value: f"{value:03o}")
IONICE = has_form("idle, best-effort or realtime, the last two also with a level: best-effort:7", _IONICE)
TEXT = Form("a text, in quotes where it has blanks", _text)
COMMAND = Form("a command, in quotes where it has blanks", _text)
PATH = Form("a path", _text)
NAMES = several("names, separated by commas", NAME)
VARIABLES = several(
    "names of variables, separated by commas, but PATH, LD_* and others that decide what runs",
    Form("a variable", _given),
)
DAYS_OFF = several(
    "files of dates (/etc/holidays) or countries (KR, DE-BY), separated by commas",
    either(has_form("a path", re.compile(r"/[^\0]+")), has_form("a country", _COUNTRY)),
)
TARGETS = several(
    "a URL, a mail address or a tag; for several the key is repeated",
    Form("a target", _target, target_label, secret=True),
    apart=True,
)
PINGS = several(
    "a URL; for several the key is repeated",
    Form("a URL", has_form("a URL", re.compile(r"https?://[^\s]+")).read, target_label, secret=True),
    apart=True,
)
SECRETS = several(
    "NAME=file:/PATH or NAME=env:NAME; for several the key is repeated",
    Form("a secret", _secret, lambda value: value[0], secret=True),
    apart=True,
)
DEPENDENCIES = several(
    "names of jobs, separated by commas, each with :failed, :done or :exit=N if you like",
    Form("a dependency", _dependency, Dependency.words),
)
SCHEDULE = Form("@after, '@every 15s', '@at 2026-11-29T07:00' or cron's five fields, in quotes", _schedule)
