"""The settings file: what it may say, and how a wrong one is refused.

`crond.settings.table` is the one table of keys. Knows nothing of flags and of the host; called by the `crond`
command, which lays flags over what is read here, by the recorder, and by the client to find its daemon.
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterable, Iterator
from typing import Any

from crond.model.host import pairs_of, problems_of_defaults, problems_of_pools
from crond.settings.checks import DIALECTS, bytes_of
from crond.settings.table import SETTINGS, Setting, Settings

__all__ = (
    "DIALECTS",
    "RULES",
    "SETTINGS",
    "SETTINGS_FILE",
    "Setting",
    "Settings",
    "SettingsError",
    "bytes_of",
    "parse_settings",
    "read_settings",
)

#: The sections that say something of every crontab, with what finds their problems.
RULES = {"defaults": problems_of_defaults, "pools": problems_of_pools}
#: Where the settings of the host's cron are looked for. It need not exist.
SETTINGS_FILE = "/etc/crontabx/crontabx.toml"


class SettingsError(ValueError):
    """A settings file that cannot be obeyed. `problems` has one line for each thing that is wrong."""

    def __init__(self, problems: tuple[str, ...]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


def read_settings(path: str, *, required: bool) -> Settings:
    """Return what the file at `path` says; defaults if it is missing and not `required`.

    Raises SettingsError with everything that is wrong with the file.
    """
    try:
        with open(path, "rb") as file:
            text = file.read()
    except FileNotFoundError as error:
        if not required:
            return Settings()
        raise SettingsError((f"{path}: {error.strerror}",)) from error
    except OSError as error:
        raise SettingsError((f"{path}: cannot be read: {error.strerror}",)) from error
    return parse_settings(text, path)


def parse_settings(text: bytes, path: str) -> Settings:
    """Return what `text` says; `path` is only named in errors. Raises SettingsError."""
    try:
        document = tomllib.loads(text.decode())
    except UnicodeDecodeError as error:
        raise SettingsError((f"{path}: not UTF-8 at byte {error.start}",)) from error
    except tomllib.TOMLDecodeError as error:
        raise SettingsError((f"{path}: not TOML: {error}",)) from error
    problems = tuple(f"{path}: {problem}" for problem in _problems(document))
    if problems:
        raise SettingsError(problems)
    said: dict[str, Any] = {name: pairs_of(document.pop(name)) for name in RULES if name in document}
    for name, section in document.items():
        said.update(
            (key, _many(value) if _setting(name, key).many else value) for key, value in section.items()
        )
    return Settings(**said)


def _setting(section: str, key: str) -> Setting:
    return next(one for one in SETTINGS if (one.section, one.key) == (section, key))


def _many(value: Any) -> tuple[Any, ...]:
    return tuple(value) if isinstance(value, list) else (value,)


def _problems(document: dict[str, Any]) -> Iterator[str]:
    sections = (*dict.fromkeys(setting.section for setting in SETTINGS), *RULES)
    for name, section in document.items():
        if name not in sections:
            yield _unknown_section(name, section, sections)
        elif not isinstance(section, dict):
            yield f"{name}: must be a section: write [{name}] on a line of its own"
        elif name in RULES:
            yield from (f"[{name}] {problem}" for problem in RULES[name](section))
        else:
            yield from _section_problems(name, section)


def _unknown_section(name: str, section: object, sections: tuple[str, ...]) -> str:
    if isinstance(section, dict):
        return f"[{name}]: unknown section{_did_you_mean(name, sections)}"
    homes = [f"[{setting.section}]" for setting in SETTINGS if setting.key == name]
    if homes:
        return f"{name}: belongs in section {homes[0]}"
    return f"{name}: unknown key{_did_you_mean(name, (setting.key for setting in SETTINGS))}"


def _section_problems(name: str, section: dict[str, Any]) -> Iterator[str]:
    known = {setting.key: setting for setting in SETTINGS if setting.section == name}
    for key, value in section.items():
        if key in known:
            reason = known[key].check(value)
            if reason is not None:
                said = "" if known[key].secret else f", not {_shown(value)}"
                yield f"[{name}] {key}: {reason}{said}"
            continue
        homes = [f"[{setting.section}]" for setting in SETTINGS if setting.key == key]
        if homes:
            yield f"[{name}] {key}: belongs in section {homes[0]}"
        else:
            yield f"[{name}] {key}: unknown key{_did_you_mean(key, known)}"


def _did_you_mean(word: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(word, list(known), n=1)
    return f"; did you mean {close[0]}?" if close else ""


def _shown(value: object) -> str:
    if isinstance(value, dict):
        return "a section"
    if isinstance(value, bool):
        return str(value).lower()
    return ascii(value)[:60]
