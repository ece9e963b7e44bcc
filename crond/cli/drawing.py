"""Pictures of pipelines: a tree of text, and the languages of Graphviz and Mermaid.

Owns how a job that has several parents is placed, and what must be escaped where. Pure: the moment that
counts as now is an argument. Called by graph.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime

from crond.cli.describe import brief, pause_words, short
from crond.cli.format import Cell, Column
from crond.cli.pipelines import Link, Net, Node

#: What every pipeline waits by where nothing else is said.
_USUAL = "all_success"
_COLOURS = {"green": "palegreen", "red": "lightpink", "yellow": "khaki", "cyan": "lightcyan"}
COLUMNS = [Column("JOB"), Column("SCHEDULE", True), Column("LAST", True, 17), Column("REMARKS", True, 20)]


def rows(net: Net, now: datetime, *, plain: bool) -> list[list[Cell]]:
    """Return a row of COLUMNS for each job: a tree, each job below the last of its parents to be reached.

    `plain`: draw with ASCII alone.
    """
    nodes = {node.job: node for node in net.nodes}
    above = _places(net)
    below: dict[str, list[str]] = {job: [] for job in nodes}
    for job, link in above.items():
        if link is not None:
            below[link.parent].append(job)
    told = []
    for job, lead in _walk([job for job, link in above.items() if link is None], below, plain):
        node = nodes[job]
        told.append(
            [Cell(lead + job), Cell(node.schedule), _last(node, now), _remarks(net, node, above[job])]
        )
    return told


def _places(net: Net) -> dict[str, Link | None]:
    """The link under which each job is drawn; None for the first ones, and where no parent is among them."""
    levels = net.levels()
    above: dict[str, Link | None] = {}
    for node in net.nodes:
        near = [one for one in net.parents_of(node.job) if levels.get(one.parent, -1) >= 0]
        # Members of a cycle are all at level 0, so that none of them comes below another.
        near = [one for one in near if levels[one.parent] < levels[node.job]]
        # Of several the last, so that all of them stand above it.
        above[node.job] = max(reversed(near), key=lambda link: levels[link.parent], default=None)
    return above


def _last(node: Node, now: datetime) -> Cell:
    """How its newest run stands. What its parents did to it, the picture shows."""
    if node.last is None:
        return Cell("-")
    inherited = node.last.outcome in ("skipped", "upstream_failed")
    return brief(replace(node.last, reason=None) if inherited else node.last, now)


def _walk(tops: list[str], below: dict[str, list[str]], plain: bool) -> Iterator[tuple[str, str]]:
    """Yield each job with what stands before it. Without recursion: a chain may be long."""
    branch, last, bar = ("|- ", "`- ", "|  ") if plain else ("├─ ", "└─ ", "│  ")
    stack = [(job, "", "") for job in reversed(tops)]
    while stack:
        job, lead, indent = stack.pop()
        yield job, lead
        children = below[job]
        for number, child in reversed(list(enumerate(children))):
            is_last = number == len(children) - 1
            stack.append(
                (child, indent + (last if is_last else branch), indent + ("   " if is_last else bar))
            )


def _remarks(net: Net, node: Node, drawn: Link | None) -> Cell:
    """What the tree does not show: its other parents, what it wants of them, and what keeps it."""
    remarks = []
    if node.held:
        remarks.append(f"held: {node.held}")
    if node.paused is not None:
        remarks.append(f"paused {pause_words(node.paused)}")
    if not node.enabled:
        remarks.append("not enabled")
    kept = bool(remarks)
    links = [link for link in net.parents_of(node.job) if link is not drawn or link.want != "success"]
    if links:
        names = [_wanted(link) for link in links]
        remarks.append(
            ("also after " if any(link is not drawn for link in links) and drawn else "after ")
            + ", ".join(names)
        )
    if node.rule not in ("", _USUAL):
        remarks.append(node.rule)
    return Cell("; ".join(remarks), "red" if node.held else "yellow" if kept else None)


def _wanted(link: Link) -> str:
    name = short(link.parent, link.child)
    return name if link.want == "success" else f"{name}:{link.want}"


def dot(net: Net, now: datetime) -> list[str]:
    """Return the lines of a Graphviz graph."""
    lines = [
        "digraph crontabx {",
        "  rankdir=LR;",
        '  node [shape=box, style="rounded,filled", fillcolor=white];',
    ]
    for number, (name, part) in enumerate(net.pipelines().items()):
        if name:
            lines += [f"  subgraph cluster_{number} {{", f"    label={_quoted(name)};"]
        for node in part.nodes:
            colour = _COLOURS.get(_colour(node, now) or "", "white")
            label = "\\n".join(_quoted(text)[1:-1] for text in _label(node, now))
            lines.append(f'    {_quoted(node.job)} [label="{label}", fillcolor={colour}];')
        lines += ["  }"] if name else []
    for link in net.links:
        label = "" if link.want == "success" else f" [label={_quoted(link.want)}]"
        lines.append(f"  {_quoted(link.parent)} -> {_quoted(link.child)}{label};")
    return [*lines, "}"]


def mermaid(net: Net, now: datetime) -> list[str]:
    """Return the lines of a Mermaid flowchart."""
    number = {node.job: f"n{count}" for count, node in enumerate(net.nodes)}
    lines = ["flowchart LR"]
    for count, (name, part) in enumerate(net.pipelines().items()):
        if name:
            lines.append(f'  subgraph p{count}["{_entity(name)}"]')
        for node in part.nodes:
            text = "<br/>".join(_entity(text) for text in _label(node, now))
            lines.append(f'    {number[node.job]}["{text}"]')
        lines += ["  end"] if name else []
    for link in net.links:
        label = "" if link.want == "success" else f'|"{_entity(link.want)}"|'
        lines.append(f"  {number[link.parent]} -->{label} {number[link.child]}")
    return lines


def _label(node: Node, now: datetime) -> list[str]:
    """The job's name, and how it stands."""
    if node.held:
        return [node.job, "held"]
    text = "no run yet" if node.last is None else _last(node, now).text
    return [node.job, text, *(["paused"] if node.paused else []), *([] if node.enabled else ["not enabled"])]


def _colour(node: Node, now: datetime) -> str | None:
    if node.held:
        return "red"
    return _last(node, now).colour


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _entity(text: str) -> str:
    return "".join(c if c.isalnum() or c in " /._-:()+,=" else f"#{ord(c)};" for c in text)
