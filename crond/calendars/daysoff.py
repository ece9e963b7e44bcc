"""Days off: those in a file of dates, and the holidays of a country.

A file is read with the rights of whoever asks, which is the scheduler, and names may be said to whoever asked
for it, so that no line in error is ever repeated. Knows no entry. The engine is given `day_off` as its answer
to `skip_on`.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from functools import lru_cache

from crond.model.calendar import BadCalendar

#: A file is read while jobs may be due: larger ones would keep them waiting.
_LIMIT = 64 * 1024
_NAME = 80
_READ = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_DAY = r"(?:(\d{4})-)?(\d\d)-(\d\d)"
_LINE = re.compile(rf"{_DAY}(?:\.\.{_DAY})?(?:\s+(.*))?", re.ASCII | re.DOTALL)
_COMMENT = re.compile(r"(?:^|\s)#.*", re.DOTALL)
#: A year with a 29 February, in which days of every year are looked at.
_LEAP = 2000


def day_off(source: str, day: date) -> str | None:
    """Return how `day` is called if it is one of `source`'s, else None. Raises BadCalendar.

    `source` is the path of a file or a country: `KR`, `DE-BY`.
    """
    return _in_file(source, day) if "/" in source else _holidays(source, day.year).get(day)


# --- files -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Days:
    """What one line says: from a day to a day, both included, as (year, month, day), or without the year."""

    first: tuple[int, ...]
    last: tuple[int, ...]
    name: str

    def hold(self, day: date) -> bool:
        at = (day.year, day.month, day.day)[-len(self.first) :]
        if self.first <= self.last:
            return self.first <= at <= self.last
        return at >= self.first or at <= self.last  # over the end of a year


def _in_file(path: str, day: date) -> str | None:
    try:
        held = os.stat(path)
        _require_file(path, held)
        lines = _days_of(path, (held.st_dev, held.st_ino, held.st_mtime_ns, held.st_size))
    except (OSError, ValueError) as error:
        if isinstance(error, BadCalendar):
            raise
        raise BadCalendar(f"{path}: {getattr(error, 'strerror', None) or 'no path'}") from None
    return next((one.name or f"a day of {path}" for one in lines if one.hold(day)), None)


def _require_file(path: str, held: os.stat_result) -> None:
    """Refuse what might never end, or wait for somebody who writes."""
    if not stat.S_ISREG(held.st_mode):
        raise BadCalendar(f"{path}: not a regular file")


@lru_cache(maxsize=64)
def _days_of(path: str, _version: tuple[int, ...]) -> tuple[_Days, ...]:
    with open(os.open(path, _READ), "rb") as file:
        _require_file(path, os.fstat(file.fileno()))  # it may be another one by now
        data = file.read(_LIMIT + 1)
    if len(data) > _LIMIT:
        raise BadCalendar(f"{path}: larger than {_LIMIT // 1024} KiB")
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        number = data.count(b"\n", 0, error.start) + 1
        raise BadCalendar(f"{path}: line {number}: not UTF-8") from None
    return tuple(_lines(path, text))


def _lines(path: str, text: str) -> Iterator[_Days]:
    for number, line in enumerate(text.split("\n"), 1):
        said = _COMMENT.sub("", line).strip()
        if said:
            try:
                yield _read(said)
            except ValueError as error:
                raise BadCalendar(f"{path}: line {number}: {error}") from None


def _read(line: str) -> _Days:
    found = _LINE.fullmatch(line)
    if found is None:
        raise ValueError("a day is 2026-12-25 or 12-25, several are 12-24..12-26, and then its name")
    year, month, day, last_year, last_month, last_day, said = found.groups()
    first = last = _day(year, month, day)
    if last_month is not None:
        last = _day(last_year, last_month, last_day)
        if len(first) != len(last):
            raise ValueError("both ends of several days have a year, or none has")
        if year is not None and last < first:
            raise ValueError("the last of several days is before the first")
    name = "".join(c for c in said or "" if c.isprintable())
    return _Days(first, last, name[:_NAME])


def _day(year: str | None, month: str, day: str) -> tuple[int, ...]:
    try:
        found = date(int(year or _LEAP), int(month), int(day))
    except ValueError:
        raise ValueError("there is no such day") from None
    return (found.year, found.month, found.day)[0 if year is not None else 1 :]


# --- countries ---------------------------------------------------------------------------------------


@lru_cache(maxsize=256)
def _holidays(source: str, year: int) -> Mapping[date, str]:
    # Imported here: an extra, that few need, and with a country in use some 50 ms.
    try:
        from holidays import country_holidays
    except ModuleNotFoundError:
        text = f"skip_on={source} needs the library holidays: pip install 'crontabx[holidays]'"
        raise BadCalendar(text) from None
    country, _, part = source.partition("-")
    try:
        return dict(country_holidays(country, subdiv=part or None, years=year, language="en_US"))
    except NotImplementedError:
        text = f"no holidays are known of {country}" + (f" with a part {part}" if part else "")
        raise BadCalendar(text) from None
