"""What may be wrong with a calendar of days off. Pure; raised by `crond.calendars`, told by the engine."""

from __future__ import annotations


class BadCalendar(ValueError):
    """A calendar cannot say whether a day is off; the text says why, and what to do."""
