"""What annotations of one crontab must be among themselves: names, parents, pools, keys that need others.

Judges what was read and changes nothing. What other crontabs of the same owner say is not known here, so that
a name that is not in this one is a warning. Pure; called by `crond.model.scope`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice

from crond.model.alert import Promise
from crond.model.cycles import rings_in
from crond.model.entry import Entry
from crond.model.keys import KEYS
from crond.model.policy import PLAIN, Layer, Said
from crond.model.problem import Problem, Report, did_you_mean
from crond.model.schedule import After, Cron, Schedule

_PATH_SHOWN = 8
#: Keys that say who, of the messages that alert_cooldown spaces out.
_TOLD = ("on_failure", "on_retry", "on_success", "on_recovery", "on_skip", "on_late")
#: Names that are not in the file; more of them is a file of names only, and each hint takes its time.
_ELSEWHERE__TOLD = 100


@dataclass(frozen=True, slots=True)
class Member:
    """An entry and what its own annotations say, `#: job` included. `number` counts from 0."""

    number: int
    entry: Entry
    said: Layer

    @property
    def name(self) -> str | None:
        return self.entry.name

    def place(self, key: str) -> tuple[int, int]:
        """Return line and column of `key`, of the entry itself where its annotations do not have it."""
        said = self.said.get(key, Said(None))
        return (said.line, said.column) if said.line else (self.entry.line, self.entry.column)


def check_relations(members: list[Member], pools: Mapping[str, int], report: Report) -> None:
    """Report what does not fit together."""
    first: dict[str, Member] = {}
    for member in members:
        if member.name is None:
            continue
        if member.name not in first:
            first[member.name] = member
        elif "name" in member.said:
            text = f"{member.name!r} is already the name of line {first[member.name].entry.line}"
            report(
                _found(member, "name", text, "a name belongs to one job", "annotation-name-twice", error=True)
            )
        elif "name" in first[member.name].said:
            # What a configuration manager writes is not refused; it cannot know of our names.
            text = f"{member.name!r} is already the name of line {first[member.name].entry.line}"
            hint = "this one is named by its command"
            report(_found(member, "name", text, hint, "annotation-name-lost"))
    for member in members:
        for problem in (*_needs(member), *_times(member), *_slots(member, pools), *_apart(member, first)):
            report(problem)
    elsewhere = (one for member in members for one in _elsewhere(member, first, pools))
    for problem in islice(elsewhere, _ELSEWHERE__TOLD):
        report(problem)
    _cycles(first, report)


def _needs(member: Member) -> Iterator[Problem]:
    """Keys that have no effect without another one, and one that makes no sense without."""
    policy = member.entry.policy
    for name in member.said:
        needed = KEYS[name].needs
        if (
            needed
            and getattr(policy, name) != getattr(PLAIN, name)
            and getattr(policy, needed) == getattr(PLAIN, needed)
        ):
            text = f"{name} has no effect without {needed}="
            yield _found(member, name, text, "", "annotation-idle")
    if "on_late" in member.said and policy.on_late and not any(getattr(policy, one) for one in Promise):
        hint = f"promise something with {', '.join(Promise)}"
        yield _found(member, "on_late", "on_late is never told: nothing is promised", hint, "annotation-idle")
    if (
        "alert_cooldown" in member.said
        and policy.alert_cooldown
        and not any(getattr(policy, key) for key in _TOLD)
    ):
        text = "alert_cooldown has no effect: nobody is told of anything"
        yield _found(member, "alert_cooldown", text, "say who, such as on_failure=", "annotation-idle")


def _times(member: Member) -> Iterator[Problem]:
    policy = member.entry.policy
    if isinstance(member.entry.schedule, After) and not policy.depends_on:
        text, hint = "@after needs depends_on=: after which jobs?", "it is never due"
        yield _found(member, "schedule", text, hint, "annotation-conflict", error=True)
    begin, end = policy.starts_at, policy.expires_at
    if begin and end and (begin.tzinfo is None) is (end.tzinfo is None) and end <= begin:
        text = "expires_at is not after starts_at"
        yield _found(member, "expires_at", text, "it is never due", "annotation-conflict", error=True)
    both = sorted(set(policy.success_codes) & set(policy.skip_codes))
    if both and "skip_codes" in member.said:
        text = f"exit status {both[0]} is in success_codes, too: it counts as success"
        yield _found(member, "skip_codes", text, "", "annotation-idle")


def _apart(member: Member, named: Mapping[str, Member]) -> Iterator[Problem]:
    """Parents of an `@after` that are never due together with the first, from which it has its instants."""
    if not isinstance(member.entry.schedule, After):
        return
    parents = [named[one.job].entry for one in member.entry.policy.depends_on if one.job in named]
    for parent in parents[1:]:
        if parent.zone == parents[0].zone and _never_together(parents[0].schedule, parent.schedule):
            text = f"{parents[0].name} and {parent.name} are never due at the same instant"
            hint = f"{parent.name} answers with its latest run before that of {parents[0].name}"
            yield _found(member, "depends_on", text, hint, "annotation-apart")


def _never_together(one: Schedule, other: Schedule) -> bool:
    """True if that is sure: their days may be apart as well, but which these are is hard to tell."""
    if not isinstance(one, Cron) or not isinstance(other, Cron):
        return False
    pairs = ((one.minute, other.minute), (one.hour, other.hour), (one.month, other.month))
    return any(ours.isdisjoint(theirs) for ours, theirs in pairs)


def _slots(member: Member, pools: Mapping[str, int]) -> Iterator[Problem]:
    policy = member.entry.policy
    size = pools.get(policy.pool) if policy.pool is not None else None
    if size is not None and policy.pool_slots > size and {"pool", "pool_slots"} & member.said.keys():
        text = f"{policy.pool_slots} slots of {policy.pool!r} are never free: the pool has {size}"
        yield _found(member, "pool_slots", text, "", "annotation-conflict", error=True)


def _elsewhere(member: Member, named: Mapping[str, Member], pools: Mapping[str, int]) -> Iterator[Problem]:
    """Jobs and pools that are not in this crontab."""
    policy = member.entry.policy
    if "pool" in member.said and policy.pool is not None and policy.pool not in pools:
        hint = did_you_mean(policy.pool, pools) or "#: pool NAME=SLOTS, or a pool of the host"
        text = f"no pool of this crontab is called {policy.pool!r}"
        yield _found(member, "pool", text, hint, "annotation-elsewhere")
    for parent in policy.depends_on:
        if parent.job not in named and "/" not in parent.job:
            hint = did_you_mean(parent.job, named) or "it may be in another crontab of yours"
            text = f"no entry of this crontab is called {parent.job!r}"
            yield _found(member, "depends_on", text, hint, "annotation-elsewhere")


def _cycles(named: Mapping[str, Member], report: Report) -> None:
    graph = {
        name: [parent.job for parent in member.entry.policy.depends_on] for name, member in named.items()
    }
    for _, path in rings_in(graph):
        shown = (
            path
            if len(path) <= _PATH_SHOWN
            else (*path[: _PATH_SHOWN - 1], f"({len(path) - _PATH_SHOWN + 1} more)")
        )
        text = f"these wait for each other: {' -> '.join((*shown, path[0]))}"
        hint = "take one of them out of a depends_on"
        report(_found(named[path[0]], "depends_on", text, hint, "annotation-cycle", error=True))


def _found(member: Member, key: str, text: str, hint: str, code: str, *, error: bool = False) -> Problem:
    line, column = member.place(key)
    return Problem(line, column, "error" if error else "warning", text, hint, code)
