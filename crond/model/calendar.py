"""Days off as the core asks for them, and what it is told where nobody can say.

Who knows them, files and a library, is `crond.calendars`' business. Pure.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

#: Says for a source of `skip_on` how a day is called, None if it is no day off. Raises BadCalendar.
DaysOff = Callable[[str, date], str | None]


class BadCalendar(ValueError):
    """A source of days off that cannot be asked; the text says which, and why."""
