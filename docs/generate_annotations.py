"""Writes what documents and editors know of annotations, from the table in `crond.model.keys`.

`python docs/generate_annotations.py` writes the reference page, the list of keys in crontab(5) and the words
of the Vim syntax file; a test compares all three, so that they cannot drift apart.
"""

from __future__ import annotations

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from crond.model.keys import SECTIONS, Key  # noqa: E402 - needs the line above

PAGE = ROOT / "docs" / "reference" / "annotations.md"
MANUAL = ROOT / "docs" / "man" / "crontab.5"
SYNTAX = ROOT / "contrib" / "vim" / "syntax" / "crontab.vim"

HEAD = """\
# Annotations

<!-- Written by docs/generate_annotations.py from the table in crond/model/keys.py. -->

A comment that begins with `#:` is an annotation: it says about an entry what cron has no words for. Every
other cron takes it for a comment, so the file stays a crontab.

    #: defaults retries=2 retry_delay=5m on_failure=ops@example.com

    #: name=features
    0 6 * * *   build-features
    #: name=train depends_on=features timeout=2h concurrency=forbid
    0 6 * * *   train.py

How to write one, with examples: [Annotate a crontab](../how-to/annotate-a-crontab.md).

## Syntax

- The annotation lines directly above an entry are a block, and belong to that entry. A block above anything
  else, such as an empty line, a setting or an entry that is commented out, belongs to nothing: that is
  reported, and no later entry gets it.
- Words are split as a shell splits them, quotes included: `key=value`. A yes/no key may stand alone. Lists
  are separated by commas; keys that take URLs are repeated instead.
- Names are `[A-Za-z0-9][A-Za-z0-9._-]{0,63}`. Durations are `90`, `90s`, `15m`, `2h`, `1d`, `1h30m`. Sizes
  are `64K`, `10M`, `2G`. Times are ISO 8601, in the entry's zone if they have no offset.
- `key=none` clears what is inherited: it is as if nobody had said it.

Three forms stand alone and belong to no entry:

| form | says |
|---|---|
| `#: defaults key=value ...` | for all entries below it, until the next `defaults` says otherwise |
| `#: pool NAME=SLOTS ...` | a limit that entries share with `pool=NAME` |
| `#: job NAME key=value ...` | for the entry of that name, wherever it stands |

The NAME of `#: job` is the entry's `name=`, or that of a configuration manager's marker (`#Ansible: NAME`,
`# Puppet Name: NAME`, `# SALT_CRON_IDENTIFIER:NAME`). They write the line below their marker anew and would
lose a block between the two.

Of several places the entry's own block counts most, then `#: job`, then the latest `#: defaults`, then
earlier ones, each key by itself.

## What is wrong with one

`crontabx FILE`, `crontabx -e` and `crontabx -T FILE` refuse a crontab with an error in an annotation, and
show line, column, reason and, for a slip of the finger, what was meant. A daemon that finds such a file
leaves out what is wrong, obeys the rest, **runs the entry** as cron would, and reports the error in its log
and in `crontabx status`. No error of an annotation makes Debian's rules ignore the file. The codes are in
[Checks](checks.md).

An entry with `@after`, in its line or in `schedule=`, has no time of its own: it has the instants of the
first job in its `depends_on`, and starts when all of them have ended.

## In the line itself

`@after`, `@every 15s` and `@at 2026-11-29T07:00` may also stand in the place of the five fields, and the
fields may have `L`, `L-3`, `LW`, `15W`, `fri#2` and `friL`. Then no other cron reads the line; `crontabx -T
--portable FILE` and `crontabx check --portable` name it.
"""

MAN_BEGIN, MAN_END = '.\\" keys, written by docs/generate_annotations.py\n', '.\\" end of keys\n'
VIM_BEGIN, VIM_END = '" keys, written by docs/generate_annotations.py\n', '" end of keys\n'


def _key(key: Key) -> str:
    default = f"`{key.default}`" if key.default else "nothing"
    lines = [f"- Value: {key.form.words}", f"- Default: {default}"]
    if "defaults" not in key.places:
        lines.append("- Not in `#: defaults`" + ("" if "job" in key.places else " and `#: job`"))
    if key.needs:
        lines.append(f"- Has no effect without [`{key.needs}`](#{key.needs})")
    return f"### `{key.name}`\n\n{key.meaning}\n\n" + "\n".join(lines) + "\n"


def page() -> str:
    """Return the reference page."""
    parts = [HEAD]
    for section in SECTIONS:
        parts.append(f"## {section.title}\n")
        parts.extend(_key(key) for key in section.keys)
    return "\n".join(parts)


def _between(text: str, begin: str, end: str, middle: str) -> str:
    return text[: text.index(begin) + len(begin)] + middle + text[text.index(end) :]


def manual(text: str) -> str:
    """Return `text`, the manual page, with the keys of today."""
    lines: list[str] = []
    for section in SECTIONS:
        lines += [f".Ss {section.title}", ".Bl -tag -width Ds"]
        for key in section.keys:
            default = f" ({key.default})" if key.default else ""
            lines += [f".It Cm {key.name} Ns ={default}", *_roff(key)]
        lines.append(".El")
    return _between(text, MAN_BEGIN, MAN_END, "\n".join(lines) + "\n")


def _roff(key: Key) -> list[str]:
    """One sentence a line, without Markdown's marks; a line must not begin with a control character."""
    text = key.meaning.replace("`", "").replace("\\", "\\e")
    said = [*re.split(r"(?<=\.) (?=[A-Z])", text), f"Takes {key.form.words.replace(chr(92), '')}."]
    return [f"\\&{line}" if line[:1] in ".'" else line for line in said]


def syntax(text: str) -> str:
    """Return `text`, the syntax file, with the keys of today."""
    names = (" ".join(key.name for key in section.keys) for section in SECTIONS)
    words = [f"syn keyword crontabxKey contained {joined}" for joined in names]
    return _between(text, VIM_BEGIN, VIM_END, "\n".join(words) + "\n")


if __name__ == "__main__":
    PAGE.write_text(page())
    MANUAL.write_text(manual(MANUAL.read_text()))
    SYNTAX.write_text(syntax(SYNTAX.read_text()))
    for path in (PAGE, MANUAL, SYNTAX):
        print(f"wrote {path.relative_to(ROOT)}")
