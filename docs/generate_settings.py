"""Writes docs/reference/settings.md from the table in `crond.settings.table`.

`python docs/generate_settings.py` writes the page; a test compares the page with `page()`, so that the
two cannot drift apart.
"""

from __future__ import annotations

import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from crond.settings import SETTINGS, SETTINGS_FILE, Setting  # noqa: E402 - needs the line above

PAGE = ROOT / "docs" / "reference" / "settings.md"

HEAD = f"""\
# Settings

<!-- Written by docs/generate_settings.py from the table in crond/settings/table.py. -->

The daemon of a host reads `{SETTINGS_FILE}`, or the file given as `--settings FILE`. The file is
TOML. It need not exist, and every key has a default. A flag goes before the file.

`crond FILE...` reads no settings unless `--settings FILE` is given, and then obeys the keys that are
marked below.

An unknown section or key, a value of the wrong type or out of its range: the daemon does not start,
says everything that is wrong with the file and exits with status 1.

```toml
[daemon]
dialect = "cronie"
kill_timeout = 5

[paths]
spool = "/var/spool/cron"
```
"""


TAIL = """\
## `[defaults]`

What the host says of every entry of every crontab, also of those without any annotation. Its keys are
those that may stand in [`#: defaults`](annotations.md), and whatever a crontab says itself counts more.
A value is written as in an annotation, as a string;
numbers, `true` and `false`, lists and dates are taken where they mean the same.

```toml
[defaults]
on_failure = ["ops@example.com", "json://hooks.example/cron"]
retry_delay = "5m"
nice = 5
```

`name`, `depends_on`, `schedule`, `ping` and `condition` are refused, as there. Up to 64 values and 16 KiB.
Obeyed by `crond FILE`: yes. [How to use it](../how-to/set-rules-for-a-whole-host.md).

## `[pools]`

The pools of the host and their slots: every crontab may name them with `pool=`. A pool that a crontab
declares itself goes before one of the host's that has the same name. Up to 256.

```toml
[pools]
gpu = 2
```

Obeyed by `crond FILE`: yes.
"""


def _lines(setting: Setting) -> str:
    obeyed = "yes" if setting.files else "no"
    return (
        f"### `{setting.key}`\n\n{setting.text}\n\n"
        f"- Value: {setting.kind}\n- Default: {setting.default}\n- Obeyed by `crond FILE`: {obeyed}\n"
    )


def page() -> str:
    """Return the text of the page."""
    parts = [HEAD]
    for section in dict.fromkeys(setting.section for setting in SETTINGS):
        parts.append(f"## `[{section}]`\n")
        parts.extend(_lines(setting) for setting in SETTINGS if setting.section == section)
    parts.append(TAIL)
    return "\n".join(parts)


if __name__ == "__main__":
    PAGE.parent.mkdir(parents=True, exist_ok=True)
    PAGE.write_text(page())
    print(f"wrote {PAGE.relative_to(ROOT)}")
