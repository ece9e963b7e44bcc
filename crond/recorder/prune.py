"""Pruning: deletes what is too old or too much, in small transactions between which recording goes on.

Runs that have not ended stay. Knows the tables, not the settings; called by the writer, a batch at a time.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, delete, exists, func, select

from crond.recorder.schema import attempts, crontabs, intervals, jobs, parents, runs, variables
from crond.recorder.store import Store

#: Rows deleted in one transaction: some ten milliseconds on each database.
BATCH = 500


@dataclass(frozen=True, slots=True)
class Keep:
    """What stays: runs that began at `since` (microseconds) or later, and of each job the newest `count`."""

    since: int | None = None
    count: int | None = None


def prune(store: Store, keep: Keep) -> Iterator[int]:
    """Delete what `keep` does not keep; yield after each transaction how many runs it took."""
    if keep.since is not None:
        yield from _delete(store, _older(store.feed, keep.since))
        with store.transaction() as connection:
            _delete_rest(connection, store.feed, keep.since)
    if keep.count is not None:
        for job, since in _limits(store, keep.count):
            yield from _delete(store, [*_older(store.feed, since), runs.c.job == job])
    with store.transaction() as connection:
        without = ~exists().where(runs.c.feed == store.feed, runs.c.job == jobs.c.id)
        connection.execute(delete(jobs).where(jobs.c.feed == store.feed, without))
    store.forget_jobs()


def prunable(connection: Connection, feed: int, keep: Keep) -> int:
    """Return how many runs `prune` would delete. Where both limits are set, those of age come first."""
    old = 0
    if keep.since is not None:
        chosen = select(func.count()).select_from(runs).where(*_older(feed, keep.since))
        old = int(connection.scalar(chosen) or 0)
    if keep.count is None:
        return old
    left = [runs.c.feed == feed, runs.c.state == "finished"]
    if keep.since is not None:
        left.append(runs.c.began >= keep.since)
    counts = connection.scalars(select(func.count()).select_from(runs).where(*left).group_by(runs.c.job))
    return old + sum(max(0, count - keep.count) for count in counts)


def _older(feed: int, since: int) -> list[Any]:
    return [runs.c.feed == feed, runs.c.began < since, runs.c.state == "finished"]


def _limits(store: Store, count: int) -> list[tuple[int, int]]:
    """Return, for each job with more than `count` runs, its number and the begin of the oldest to be kept."""
    with store.transaction() as connection:
        of_feed = runs.c.feed == store.feed
        many = select(runs.c.job).where(of_feed).group_by(runs.c.job).having(func.count() > count)
        found = []
        for job in connection.scalars(many).all():
            newest = select(runs.c.began).where(of_feed, runs.c.job == job).order_by(runs.c.began.desc())
            since = connection.scalar(newest.offset(count - 1).limit(1))
            if since is not None:
                found.append((job, since))
    return found


def _delete(store: Store, conditions: list[Any]) -> Iterator[int]:
    """Delete runs that meet `conditions`, the oldest first, with all that belongs to them."""
    while True:
        with store.transaction() as connection:
            oldest = select(runs.c.id).where(*conditions).order_by(runs.c.began).limit(BATCH)
            chosen = list(connection.scalars(oldest))
            if not chosen:
                return
            for table in (attempts, parents, variables):
                of_feed = table.c.feed == store.feed
                connection.execute(delete(table).where(of_feed, table.c.run.in_(chosen)))
            connection.execute(delete(runs).where(runs.c.feed == store.feed, runs.c.id.in_(chosen)))
        yield len(chosen)
        if len(chosen) < BATCH:
            return


def _delete_rest(connection: Connection, feed: int, since: int) -> None:
    """Delete intervals and versions of crontabs from before `since`; the newest of each crontab stays."""
    connection.execute(delete(intervals).where(intervals.c.feed == feed, intervals.c.ended < since))
    newest = select(func.max(crontabs.c.id)).where(crontabs.c.feed == feed).group_by(crontabs.c.origin)
    # MariaDB does not delete from a table that it reads in the same statement.
    kept = list(connection.scalars(newest))
    connection.execute(
        delete(crontabs).where(crontabs.c.feed == feed, crontabs.c.at < since, crontabs.c.id.not_in(kept))
    )
