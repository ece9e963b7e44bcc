"""Calendars: which days of a month a rule means. Loaded only where an entry needs one."""
