"""Grouping: which pieces of news may go now, and which of them become one message.

Owns patience before a message, not after it (`crond.alerts.patience`): that news which comes together is told
together, that a job with a cooldown is quiet in between, and that pings keep their order. Pure; time is an
argument. Called by the outbox.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from crond.model.alert import Event

#: News waits for news that follows it, so many times `settle` at most.
LONGEST = 10
#: More messages for one target than these become a digest.
MOST = 3

#: A target and a job.
Pair: TypeAlias = tuple[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """A piece of news for one target that is in no message yet.

    `id` grows with its place in the journal; `channel` stands for the target, as one owner's crontab names
    it. `kept` is when it came here, epoch seconds; `cooldown` is in seconds.
    """

    id: int
    channel: str
    event: Event
    kept: float
    job: str = ""
    pipeline: str = ""
    instant: float | None = None
    cooldown: float = 0.0


class Plan(NamedTuple):
    """The messages of now, each the ids of its news, and when the next may be due, None: on news only."""

    messages: tuple[tuple[int, ...], ...]
    wake: float | None


def plan(
    waiting: Sequence[Waiting],
    *,
    now: float,
    settle: float,
    busy: AbstractSet[Pair] = frozenset(),
    told: Mapping[Pair, float] | None = None,
) -> Plan:
    """Return what becomes of `waiting`, which are in the order of their ids.

    `busy` are those of whose pings one is on its way: the next one waits for its end. `told` says when the
    latest message about a job was made for a channel.
    """
    messages: list[tuple[int, ...]] = [(ping.id,) for ping in _pings(waiting, busy)]
    wakes: list[float] = []
    for news in _by_channel(waiting):
        free = []
        for one in news:
            quiet = _quiet_until(one, now, told or {})
            if quiet is None:
                free.append(one)
            else:
                wakes.append(quiet)
        if not free:
            continue
        ready = _ready_at(free, now, settle)
        if ready > now:
            wakes.append(ready)
            continue
        messages += _messages(free)
    return Plan(tuple(sorted(messages)), min(wakes, default=None))


def _pings(waiting: Iterable[Waiting], busy: AbstractSet[Pair]) -> Iterable[Waiting]:
    """Return of each job and target the oldest ping, if none is on its way."""
    first: dict[Pair, Waiting] = {}
    for one in waiting:
        if one.event.is_ping and (one.channel, one.job) not in busy:
            first.setdefault((one.channel, one.job), one)
    return first.values()


def _by_channel(waiting: Iterable[Waiting]) -> Iterable[list[Waiting]]:
    found: dict[str, list[Waiting]] = {}
    for one in waiting:
        if not one.event.is_ping:
            found.setdefault(one.channel, []).append(one)
    return found.values()


def _quiet_until(one: Waiting, now: float, told: Mapping[Pair, float]) -> float | None:
    """Return until when its job's cooldown keeps `one` back, None if it does not."""
    last = told.get((one.channel, one.job))
    # One that lies ahead of the clock was made before that was set back, and holds nothing up.
    if last is None or last > now or last + one.cooldown <= now:
        return None
    return last + one.cooldown


def _ready_at(news: Sequence[Waiting], now: float, settle: float) -> float:
    """Return when `news` of one target may go: nothing came for `settle`, or the oldest waited ten times
    that. What came after `now` did so before the clock was set back, and has waited enough.
    """
    kept = [one.kept if one.kept <= now else now - LONGEST * settle for one in news]
    return min(max(kept) + settle, min(kept) + LONGEST * settle)


def _messages(news: Sequence[Waiting]) -> list[tuple[int, ...]]:
    """Put together what shares a key with others, and with whom these share one."""
    leader: dict[Hashable, Hashable] = {}

    def lead(key: Hashable) -> Hashable:
        while leader.setdefault(key, key) != key:
            leader[key] = key = leader[leader[key]]
        return key

    keys = [_keys(one) for one in news]
    for first, *others in keys:
        for other in others:
            leader[lead(other)] = lead(first)
    groups: dict[Hashable, list[int]] = {}
    for one, (first, *_) in zip(news, keys, strict=True):
        groups.setdefault(lead(first), []).append(one.id)
    if len(groups) > MOST:
        return [tuple(one.id for one in news)]
    return [tuple(ids) for ids in groups.values()]


def _keys(one: Waiting) -> list[Hashable]:
    """Return what `one` shares with others of the same message, at least its id."""
    keys: list[Hashable] = [one.job] if one.cooldown else []
    if one.pipeline and one.event is Event.FAILURE:
        keys.append((one.pipeline, one.instant))
    return keys or [one.id]
