"""The verbs about kept versions of a crontab: versions, diff, restore.

Owns how they are listed, compared and brought back. What the daemon keeps comes through crontabs. Loaded
by crond.cli.main.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import click

from crond.cli import crontabs
from crond.cli.answers import BadAnswer
from crond.cli.client import Place, find_place
from crond.cli.edit import USER, say, show_findings
from crond.cli.failure import Failure, Status
from crond.cli.format import Cell, Column, printable, show_table, wants_colour
from crond.cli.options import json_option, show_json
from crond.cli.times import shown, utc_text
from crond.model.edits import NO_TEXT


def _meant(context: click.Context, _parameter: click.Parameter, named: str | None) -> str:
    """Return whom -u names, after the verb or before it; empty: nobody."""
    return named or context.meta.get(USER) or ""


user_option = click.option(
    "-u", "--user", metavar="USER", callback=_meant, help="Whose crontab; only root may name others."
)


@dataclass(frozen=True, slots=True)
class VersionSeen:
    """A kept version. Texts are printable. `text_kept` is False for a removal."""

    number: int
    at: datetime
    by: str
    uid: int
    action: str
    origin: str
    digest: str
    size: int

    @property
    def text_kept(self) -> bool:
        return self.action != "remove"


@click.command(short_help="Show the kept versions of your crontab.")
@user_option
@json_option
@click.pass_obj
def versions(state: str | None, *, user: str, as_json: bool) -> None:
    """Show the kept versions of your crontab, newest first: when, by whom and from where each came."""
    name, current, found = versions_of(find_place(state), user)
    mark = next((version.number for version in found if version.digest == current), None)
    if as_json:
        show_json({"user": name, "versions": [_told(version, mark) for version in found]})
        return
    if not found:
        click.echo(f"No versions of {name}'s crontab are kept.", err=True)
    show_table(
        [
            Column("VERSION"),
            Column("WHEN"),
            Column("BY"),
            Column("WHAT"),
            Column("SIZE"),
            Column("FROM", True),
        ],
        [_row(version, mark) for version in found],
    )
    if mark is None and current != NO_TEXT:
        say("the crontab as it is now was put there by hand; it is kept when it is replaced")


def _row(version: VersionSeen, mark: int | None) -> list[Cell]:
    now = version.number == mark
    return [
        Cell(f"{version.number}{' *' if now else ''}", "green" if now else None),
        Cell(shown(version.at)),
        Cell(version.by),
        Cell(version.action),
        Cell(str(version.size) if version.text_kept else "-"),
        Cell(version.origin or "-"),
    ]


def _told(version: VersionSeen, mark: int | None) -> dict[str, Any]:
    return {
        "version": version.number,
        "at": utc_text(version.at),
        "by": version.by,
        "uid": version.uid,
        "action": version.action,
        "origin": version.origin,
        "digest": version.digest if version.text_kept else None,
        "size": version.size,
        "current": version.number == mark,
    }


@click.command(short_help="Compare versions of your crontab.")
@click.argument("old", metavar="[A]", type=click.IntRange(min=1), required=False)
@click.argument("new", metavar="[B]", type=click.IntRange(min=1), required=False)
@user_option
@json_option
@click.pass_obj
def diff(state: str | None, *, old: int | None, new: int | None, user: str, as_json: bool) -> None:
    """Show what changed from version A to version B; without B, to the crontab as it is now; without either,
    from the version before it.
    """
    place = find_place(state)
    if old is None:
        old = _version_before(place, user)
    before = crontabs.fetch(place, user, purpose="compare", version=old).text or b""
    after = crontabs.fetch(place, user, purpose="compare", version=new or 0).text or b""
    names = (f"version {old}", f"version {new}" if new else "the crontab as it is now")
    if as_json:
        show_json({"from": old, "to": new, "diff": _difference(before, after, names)})
    else:
        show_difference(before, after, names, err=False)


def _version_before(place: Place, user: str) -> int:
    name, current, found = versions_of(place, user)
    kept = [version for version in found if version.text_kept and version.digest != current]
    if not kept:
        raise Failure(f"no other version of {name}'s crontab is kept", Status.UNKNOWN)
    return kept[0].number


@click.command(short_help="Bring back a version of your crontab.")
@click.argument("version", type=click.IntRange(min=1))
@user_option
@json_option
@click.pass_obj
def restore(state: str | None, *, version: int, user: str, as_json: bool) -> None:
    """Make VERSION the crontab again. What it replaces stays a version, so this can be undone, too."""
    place = find_place(state)
    told = crontabs.restore(place, user, version)
    text = crontabs.fetch(place, user, purpose="compare").text or b""
    show_findings(f"version {version}", text, *crontabs.findings_of(told))
    if as_json:
        show_json({"user": told.get("user"), "restored": version, "version": told.get("version")})
    else:
        say(f"version {version} is the crontab again, as version {told.get('version')}")


def show_difference(before: bytes, after: bytes, names: tuple[str, str], *, err: bool) -> None:
    """Print how two texts differ; to anything but a terminal, with their very bytes."""
    stream = sys.stderr if err else sys.stdout
    colour = wants_colour(err=err)
    for line in _difference(before, after, names):
        if not stream.isatty():
            click.echo(line.encode("utf-8", "surrogateescape"), err=err)
            continue
        paint = {"+": "green", "-": "red", "@": "cyan"}.get(line[:1])
        click.echo(click.style(printable(line, keep="\t"), fg=paint), err=err, color=colour)


def _difference(before: bytes, after: bytes, names: tuple[str, str]) -> list[str]:
    import difflib

    # Split at line feeds alone, as cron does: other marks of a line's end are part of it.
    old, new = (_lines(text.decode("utf-8", "surrogateescape")) for text in (before, after))
    # A last line that has no end brings a second one along.
    return [line for each in difflib.unified_diff(old, new, *names, lineterm="") for line in each.split("\n")]


def _lines(text: str) -> list[str]:
    lines = text.split("\n")
    last = lines.pop()
    return [*lines, f"{last}\n\\ No newline at end of file"] if last else lines


def versions_of(place: Place, user: str) -> tuple[str, str, list[VersionSeen]]:
    """Return the name of whose they are, the digest of the crontab as it is, and the versions."""
    body = crontabs.kept_versions(place, user)
    held = body.get("versions")
    if not isinstance(held, list):
        raise BadAnswer("there are no versions in it")
    return printable(str(body.get("user"))), str(body.get("digest")), [_seen(item) for item in held]


def _seen(item: Any) -> VersionSeen:
    try:
        mark = item["mark"]
        return VersionSeen(
            number=int(item["number"]),
            at=datetime.fromtimestamp(float(mark["at"]), UTC),
            by=printable(str(mark["by"])),
            uid=int(mark["uid"]),
            action=printable(str(mark["action"])),
            origin=printable(str(mark["origin"])),
            digest=str(item["digest"]),
            size=int(item["size"]),
        )
    except (TypeError, KeyError, ValueError, OverflowError) as error:
        raise BadAnswer(f"a version cannot be read: {error}") from None
