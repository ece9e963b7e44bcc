"""Queries: what the history is asked, for the eyes of one uid. Reads, and changes nothing.

Users see runs that are theirs; root and the daemon's own account see all of this daemon's. Each query is
served by an index and bounded, whatever the size of the history. Called by the server's threads.
"""

from __future__ import annotations

import pwd
from collections.abc import Iterable
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any

from sqlalchemy import Connection, Select, Table, and_, or_, select

from crond.model.run import Outcome
from crond.recorder import views
from crond.recorder.records import clean
from crond.recorder.schema import (
    NAME,
    TOKEN,
    attempts,
    crontabs,
    feeds,
    intervals,
    jobs,
    parents,
    runs,
    variables,
)

#: A run failed itself; and those that `--failed` means: one that never started for a parent's sake, too.
FAILURES = ("failed", "timed_out", "could_not_start", "lost")
UNSUCCESSFUL = (*FAILURES, "upstream_failed")
OUTCOMES = tuple(outcome.value for outcome in Outcome)
MINUTE = 60_000_000
_CANDIDATES = 20
#: Runs that are looked up by their ids in one statement.
_TOGETHER = 500
_MOST = 1_000_000
_LEAST = 4
_HEX = frozenset("0123456789abcdef")


class Refusal(Exception):
    """A question that cannot be answered; `code` is one of the words that clients know."""

    def __init__(self, code: str, text: str, candidates: list[str] | None = None) -> None:
        super().__init__(text)
        self.code = code
        self.candidates = candidates or []


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Which runs are meant. Times are microseconds; a run is in if it began in [since, until)."""

    job: str | None = None
    outcomes: tuple[str, ...] = ()
    since: int | None = None
    until: int | None = None
    slowest: bool = False
    count: int = 20


@dataclass(slots=True)
class Queries:
    """One look at the history of the feed with `token` by `uid`."""

    connection: Connection
    token: str
    uid: int
    everything: bool
    feed: int = field(init=False)

    def __post_init__(self) -> None:
        found = self.connection.scalar(select(feeds.c.id).where(feeds.c.token == self.token))
        # No feed has number 0: nothing was recorded yet.
        self.feed = 0 if found is None else int(found)

    # --- questions ---------------------------------------------------------------------------------------

    def history(self, wanted: Filter) -> dict[str, Any]:
        """The runs that are `wanted`, newest or slowest first, and whether there are more."""
        rows = self.rows(wanted, self._job(wanted.job) if wanted.job is not None else None)
        return {"runs": [views.run(row) for row in rows[: wanted.count]], "more": len(rows) > wanted.count}

    def show(self, text: str) -> dict[str, Any]:
        """One run, of a job its newest, with all that belongs to it, and the version of its crontab."""
        row = self._run_or_newest(text)
        given = self._of_run(variables, row.id)
        shown = {
            **views.run(row),
            "spent": row.spent or 0,
            "attempts_detail": [views.attempt(one) for one in self._of_run(attempts, row.id)],
            "parents": [views.parent(one) for one in self._of_run(parents, row.id)],
            "environment": views.variables(one for one in given if one.kind == "given"),
            "data": views.variables(one for one in given if one.kind == "left"),
        }
        return {"run": shown, "crontab": self._version(row.crontab, row.began)}

    def _of_run(self, table: Table, run: str) -> list[Any]:
        """The rows of `table` that belong to `run`, in the order of their keys."""
        chosen = select(table).where(table.c.feed == self.feed, table.c.run == run)
        return list(self.connection.execute(chosen.order_by(*table.primary_key.columns)))

    def why(self, text: str, instant: int | None, upto: int | None) -> dict[str, Any]:
        """What is known of `instant` of a job: its runs, what kept it, and what was before and after."""
        job = self._job(text)
        if instant is None:
            newest = self.rows(Filter(count=1), job)
            if not newest:
                raise Refusal("unknown", f"no run of {job.job} is recorded")
            instant = int(newest[0].instant)
        upto = instant + MINUTE if upto is None else upto
        mine = self._mine(job)
        at = select(runs).where(*mine, runs.c.instant >= instant, runs.c.instant < upto)
        before = select(runs).where(*mine, runs.c.instant < instant).order_by(runs.c.instant.desc())
        after = select(runs).where(*mine, runs.c.instant >= upto).order_by(runs.c.instant)
        found = self._shaped(at.order_by(runs.c.instant, runs.c.ordinal).limit(100), "instant")
        earlier, later = (self._shaped(one.limit(1), "instant") for one in (before, after))
        known = next((row.crontab for row in (*found, *earlier, *later) if row.crontab), "")
        return {
            "job": job.job,
            "instant": views.iso(instant),
            "runs": [views.run(row) for row in found],
            "intervals": self.overlapping(instant, upto, job=job.job),
            "crontab": self._version(known, instant),
            "before": views.run(earlier[0]) if earlier else None,
            "after": views.run(later[0]) if later else None,
            "recorded_since": self.recorded_since(),
        }

    def recorded_since(self) -> str | None:
        """When the oldest run that is recorded began."""
        first = select(runs.c.began).where(runs.c.feed == self.feed).order_by(runs.c.began).limit(1)
        return views.iso(self.connection.scalar(first))

    def overlapping(
        self, since: int | None, until: int | None, count: int = 100, *, job: str | None = None
    ) -> list[dict[str, Any]]:
        """The intervals that overlap [since, until), newest first: those of all jobs, and of `job`."""
        about = [""] if job is None or not self._may_see(job) else ["", clean(job, NAME)]
        wanted = select(intervals).where(intervals.c.feed == self.feed, intervals.c.job.in_(about))
        if since is not None:
            wanted = wanted.where(intervals.c.ended > since)
        if until is not None:
            wanted = wanted.where(intervals.c.began < until)
        rows = self.connection.execute(wanted.order_by(intervals.c.ended.desc()).limit(count))
        return [views.interval(row) for row in rows]

    def known_jobs(self) -> dict[str, Any]:
        """Every job that this uid may see, with its newest run."""
        # Both from the outer row: with the feed as a number, MariaDB reads the runs of all jobs for each.
        of_job = [runs.c.feed == jobs.c.feed, runs.c.job == jobs.c.id]
        if not self.everything:
            of_job.append(runs.c.uid == self.uid)
        newest = select(runs.c.id).where(*of_job).order_by(runs.c.began.desc()).limit(1).scalar_subquery()
        found = list(self.connection.execute(self._visible().add_columns(newest.label("newest"))))
        last: dict[str, dict[str, Any]] = {}
        for start in range(0, len(found), _TOGETHER):
            chosen = [job.newest for job in found[start : start + _TOGETHER]]
            rows = self._shaped(select(runs).where(runs.c.feed == self.feed, runs.c.id.in_(chosen)))
            last.update((row.id, views.run(row)) for row in rows)
        shown = [
            {"job": job.job, "owner": job.job.partition("/")[0], "uid": job.uid, "last": last[job.newest]}
            for job in sorted(found, key=attrgetter("job"))
            if job.newest is not None
        ]
        return {"jobs": shown}

    # --- instants ----------------------------------------------------------------------------------------

    def known(self, names: Iterable[str]) -> list[Any]:
        """Return the rows of the jobs whose whole ids are `names`, as far as they may be seen."""
        cleaned = [clean(name, NAME) for name in names]
        few = (cleaned[start : start + _TOGETHER] for start in range(0, len(cleaned), _TOGETHER))
        return [
            job
            for some in few
            for job in self.connection.execute(self._visible().where(jobs.c.job.in_(some)))
        ]

    def newest_instants(self, job: Any, wanted: Filter) -> list[int]:
        """Return the newest instants of `job` in [since, until), one more than the count if possible."""
        chosen = select(runs.c.instant).where(*self._mine(job))
        if wanted.since is not None:
            chosen = chosen.where(runs.c.instant >= wanted.since)
        if wanted.until is not None:
            chosen = chosen.where(runs.c.instant < wanted.until)
        newest = chosen.distinct().order_by(runs.c.instant.desc()).limit(wanted.count + 1)
        return list(self.connection.scalars(newest))

    def between(self, job: Any, first: int, last: int, count: int | None = None) -> list[Any]:
        """Return the runs of `job` that answer instants in [first, last], oldest first; at most `count`."""
        answering = select(runs).where(*self._mine(job), runs.c.instant >= first, runs.c.instant <= last)
        # MariaDB would drop the order of what is chosen here without a limit.
        rows = self._shaped(answering.order_by(runs.c.instant, runs.c.ordinal).limit(count or _MOST))
        return sorted(rows, key=attrgetter("instant", "ordinal"))

    # --- rows --------------------------------------------------------------------------------------------

    def rows(self, wanted: Filter, job: Any | None) -> list[Any]:
        """Return the rows of `wanted`, one more than its count if there are more."""
        if len(wanted.outcomes) <= 1:
            return self._shaped(self._chosen(wanted, job, wanted.outcomes), _order(wanted), newest=True)
        # One look into the index per outcome: an OR of them would sort all that ever failed.
        found = [
            row
            for outcome in wanted.outcomes
            for row in self._shaped(self._chosen(wanted, job, (outcome,)), _order(wanted), newest=True)
        ]
        found.sort(key=attrgetter(_order(wanted)), reverse=True)
        return found[: wanted.count + 1]

    def _chosen(self, wanted: Filter, job: Any | None, outcomes: tuple[str, ...]) -> Select[Any]:
        chosen = select(runs).where(*self._mine(job), *(runs.c.outcome == outcome for outcome in outcomes))
        if wanted.since is not None:
            chosen = chosen.where(runs.c.began >= wanted.since)
        if wanted.until is not None:
            chosen = chosen.where(runs.c.began < wanted.until)
        if wanted.slowest:
            chosen = chosen.where(runs.c.duration.is_not(None))
        return chosen.order_by(runs.c[_order(wanted)].desc()).limit(wanted.count + 1)

    def _mine(self, job: Any | None) -> list[Any]:
        """What every look at runs is limited by."""
        conditions = [runs.c.feed == self.feed]
        if job is not None:
            conditions.append(runs.c.job == job.id)
        if not self.everything:
            conditions.append(runs.c.uid == self.uid)
        return conditions

    def _shaped(self, chosen: Select[Any], order: str | None = None, *, newest: bool = False) -> list[Any]:
        """Return the `chosen` few with all that a run is shown with.

        Chosen first, joined then: a planner that begins with another table would look at every run.
        """
        few = chosen.subquery("few")
        shaped = (
            select(
                *(column for column in few.c if column.name not in ("feed", "job")),
                jobs.c.job,
                feeds.c.host,
                *(attempts.c[name] for name in _OF_ATTEMPT),
            )
            .join_from(few, jobs, jobs.c.id == few.c.job)
            .join(feeds, feeds.c.id == few.c.feed)
            .outerjoin(
                attempts,
                and_(
                    attempts.c.feed == few.c.feed,
                    attempts.c.run == few.c.id,
                    attempts.c.number == few.c.attempt,
                ),
            )
        )
        if order is not None:
            shaped = shaped.order_by(few.c[order].desc() if newest else few.c[order])
        return list(self.connection.execute(shaped))

    # --- names -------------------------------------------------------------------------------------------

    def named(self, text: str) -> Any:
        """Return the row of the job that `text` names. Raises Refusal."""
        return self._job(text)

    def _may_see(self, job: str) -> bool:
        """True if `job`, a whole id, is of those that this uid may see. It need not have run ever."""
        if self.everything or self.known([job]):
            return True
        try:
            return job.partition("/")[0] == pwd.getpwuid(self.uid).pw_name
        except (KeyError, OverflowError):
            return False

    def _visible(self) -> Select[Any]:
        wanted = select(jobs).where(jobs.c.feed == self.feed)
        return wanted if self.everything else wanted.where(jobs.c.uid == self.uid)

    def _job(self, text: str) -> Any:
        """The job that `text` names: OWNER/NAME, NAME, or the beginning of either."""
        text = clean(text, NAME)
        begins = or_(
            jobs.c.job.startswith(text, autoescape=True), jobs.c.name.startswith(text, autoescape=True)
        )
        for condition in (jobs.c.job == text, jobs.c.name == text, begins if text else None):
            if condition is None:
                continue
            found = list(self.connection.execute(self._visible().where(condition).limit(1000)))
            # SQLite's LIKE does not tell capitals from small letters.
            matches = [job for job in found if job.job.startswith(text) or job.name.startswith(text)]
            if len(matches) == 1:
                return matches[0]
            if matches:
                names = sorted(job.job for job in matches)
                raise Refusal("ambiguous", f"{text!r} may be {len(names)} jobs", names[:_CANDIDATES])
        raise Refusal("unknown", f"no run of a job {text!r} is recorded")

    def _run(self, text: str) -> Any:
        """The run whose id, or the id of whose attempt, `text` is or begins."""
        identity = clean(text, TOKEN).partition(".")[0]
        condition = runs.c.id == identity
        if len(identity) >= _LEAST and set(identity) <= _HEX:
            # A range: LIKE would not use the index everywhere. Ids are hexadecimal, and g comes after f.
            condition = and_(runs.c.id >= identity, runs.c.id < identity + "g")
        found = self._shaped(select(runs).where(*self._mine(None), condition).limit(_CANDIDATES + 1))
        exact = [row for row in found if row.id == identity] or found
        if len(exact) > 1:
            raise Refusal(
                "ambiguous", f"{text!r} may be several runs", [row.id for row in exact][:_CANDIDATES]
            )
        if not exact:
            raise Refusal("unknown", f"no run {text!r} is recorded")
        return exact[0]

    def _run_or_newest(self, text: str) -> Any:
        """The run that `text` means by an id; if none has that, the newest of the job that it names."""
        try:
            return self._run(text)
        except Refusal as refusal:
            if refusal.code != "unknown":
                raise
        try:
            job = self._job(text)
        except Refusal as refusal:
            if refusal.code != "unknown":
                raise
            raise Refusal("unknown", f"no run {text!r} is recorded, and none of a job of that name") from None
        newest = self.rows(Filter(count=1), job)
        if not newest:
            raise Refusal("unknown", f"no run of {job.job} is recorded")
        return newest[0]

    def _version(self, digest: str, moment: int) -> dict[str, Any] | None:
        """The version of the crontab whose version `digest` is, that was in force at `moment`."""
        if not digest:
            return None
        of_feed = crontabs.c.feed == self.feed
        same = select(crontabs).where(of_feed, crontabs.c.digest == digest).order_by(crontabs.c.at.desc())
        known = self.connection.execute(same.limit(1)).first()
        if known is None:
            return None
        then = select(crontabs).where(
            of_feed, crontabs.c.origin == known.origin, crontabs.c.uid == known.uid, crontabs.c.at <= moment
        )
        found = self.connection.execute(then.order_by(crontabs.c.at.desc()).limit(1)).first()
        return views.crontab(found or known)


_OF_ATTEMPT = (
    "pid", "exit_code", "signal", "cpu_user", "cpu_system", "max_rss", "output_size", "blocks_in",
    "blocks_out",
)  # fmt: skip


def _order(wanted: Filter) -> str:
    return "duration" if wanted.slowest else "began"
