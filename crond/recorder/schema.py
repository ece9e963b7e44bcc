"""The history's tables, as SQLAlchemy knows them: names, columns, keys, and which index serves what.

The one place that says how the database looks; `migrations` brings an older one there, and
docs/reference/data-model.md is generated from here. Knows no connection. Times are whole microseconds
since 1970 in UTC; a feed is one scheduler's journal, and so one daemon.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

#: The revisions of the schema that this program knows, oldest first; the last is what it writes.
REVISIONS = ("0001", "0002")
HEAD = REVISIONS[-1]
VERSION_TABLE = "crontabx_version"

#: Longest text in each column, in characters. What is longer is cut.
NAME, TOKEN, WORD, PATH = 320, 80, 32, 700

# Names differ by case and by accents; MariaDB's default says they do not.
# SQLAlchemy has the two names for what is one kind of server.
_MARIADB: dict[str, Any] = {
    f"{dialect}_{option}": value
    for dialect in ("mysql", "mariadb")
    for option, value in (("engine", "InnoDB"), ("charset", "utf8mb4"), ("collate", "utf8mb4_bin"))
}
_Key = BigInteger().with_variant(Integer, "sqlite")  # SQLite counts up by itself only in an INTEGER

metadata = MetaData(
    naming_convention={
        "fk": "fk_%(table_name)s_%(referred_table_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
    }
)

feeds = Table(
    "feeds",
    metadata,
    Column("id", Integer, primary_key=True, comment="a number that stays"),
    Column("token", String(TOKEN), nullable=False, unique=True, comment="what is written beside the journal"),
    Column("host", String(255), nullable=False, comment="name of the machine"),
    Column("folder", String(PATH), nullable=False, comment="where the journal lies"),
    Column("segment", Integer, nullable=False, comment="the segment that is read"),
    Column("position", BigInteger, nullable=False, comment="bytes of it that are in the history"),
    comment="a daemon whose journal is recorded here, and how far",
    **_MARIADB,
)

jobs = Table(
    "jobs",
    metadata,
    Column("id", _Key, primary_key=True, comment="a number for the indices"),
    Column("feed", Integer, ForeignKey("feeds.id"), nullable=False, comment="the daemon"),
    Column("job", String(NAME), nullable=False, comment="OWNER/NAME"),
    Column("name", String(NAME), nullable=False, comment="NAME alone"),
    Column("uid", BigInteger, comment="the owner's, as last seen"),
    UniqueConstraint("feed", "job", name="uq_jobs_job"),
    Index("ix_jobs_name", "feed", "name"),
    comment="every job that ever had a run",
    **_MARIADB,
)

runs = Table(
    "runs",
    metadata,
    Column("feed", Integer, ForeignKey("feeds.id"), primary_key=True, comment="the daemon"),
    Column("id", String(TOKEN), primary_key=True, comment="of the run"),
    Column("job", _Key, ForeignKey("jobs.id"), nullable=False, comment="the job"),
    Column("uid", BigInteger, comment="the owner's: who may see it"),
    Column("run_as", String(255), nullable=False, comment="account of its processes"),
    Column("crontab", String(TOKEN), nullable=False, comment="digest of the text it stood in"),
    Column("instant", BigInteger, nullable=False, comment="the moment that it answers"),
    Column("ordinal", BigInteger, nullable=False, comment="tells apart equal instants"),
    Column("trigger_kind", String(WORD), nullable=False, comment="schedule, reboot, manual or backfill"),
    Column("by_uid", BigInteger, comment="who asked for the run, or for it again"),
    Column("state", String(WORD), nullable=False, comment="finished, or where it is"),
    Column("want", String(WORD), nullable=False, comment="what was asked of it: run, stop, timeout ..."),
    Column("outcome", String(WORD), comment="how it ended"),
    Column("reason", Text, nullable=False, comment="more about the outcome, in words"),
    Column(
        "began", BigInteger, nullable=False, comment="latest start of its command, else end, else instant"
    ),
    Column("started_at", BigInteger, comment="latest start of its command"),
    Column("ended_at", BigInteger, comment="end of the run"),
    Column("duration", BigInteger, comment="from the latest start of its command to its end, microseconds"),
    Column("attempts", Integer, nullable=False, comment="how often its command was to start"),
    Column("attempt", Integer, comment="number of the latest"),
    Column("waits", String(WORD), comment="what it waits for while it is waiting"),
    Column("until_at", BigInteger, comment="when its wait, or the time of its attempt, is over"),
    Column("pool", String(NAME), comment="OWNER/NAME of the pool whose slots it takes"),
    Column("follows", String(TOKEN), comment="the manual run that it belongs to"),
    Column("spent", Integer, comment="attempts before it was asked to run again"),
    Index("ix_runs_began", "feed", "began"),
    Index("ix_runs_uid", "feed", "uid", "began"),
    Index("ix_runs_uid_outcome", "feed", "uid", "outcome", "began"),
    Index("ix_runs_outcome", "feed", "outcome", "began"),
    Index("ix_runs_duration", "feed", "duration"),
    Index("ix_runs_job", "feed", "job", "began"),
    Index("ix_runs_job_instant", "feed", "job", "instant"),
    Index("ix_runs_job_outcome", "feed", "job", "outcome", "began"),
    Index("ix_runs_job_duration", "feed", "job", "duration"),
    comment="one answer to one instant of a job, or to a request",
    **_MARIADB,
)

attempts = Table(
    "attempts",
    metadata,
    Column("feed", Integer, primary_key=True, comment="the daemon"),
    Column("run", String(TOKEN), primary_key=True, comment="the run"),
    Column(
        "number",
        Integer,
        primary_key=True,
        comment="from 1; 0 is its condition, below 0 a try of its wait_for",
    ),
    Column("pid", BigInteger, comment="of its process"),
    Column("started_at", BigInteger, comment="start of its process"),
    Column("ended_at", BigInteger, comment="end of its process"),
    Column("exit_code", Integer, comment="if it ended by itself"),
    Column("signal", Integer, comment="if a signal ended it"),
    Column("cpu_user", BigInteger, nullable=False, comment="microseconds"),
    Column("cpu_system", BigInteger, nullable=False, comment="microseconds"),
    Column("max_rss", BigInteger, nullable=False, comment="KiB"),
    Column("output_size", BigInteger, nullable=False, comment="bytes that it wrote"),
    Column("blocks_in", BigInteger, nullable=False, comment="read from disks, 512 bytes each"),
    Column("blocks_out", BigInteger, nullable=False, comment="written to disks, 512 bytes each"),
    Column("outcome", String(WORD), comment="how it ended"),
    ForeignKeyConstraint(["feed", "run"], ["runs.feed", "runs.id"]),
    comment="one start of a process inside a run",
    **_MARIADB,
)

parents = Table(
    "parents",
    metadata,
    Column("feed", Integer, primary_key=True, comment="the daemon"),
    Column("run", String(TOKEN), primary_key=True, comment="the run of the child"),
    Column("position", Integer, primary_key=True, comment="from 0, as they were named"),
    Column("job", String(NAME), nullable=False, comment="OWNER/NAME of the parent"),
    Column("parent", String(TOKEN), nullable=False, comment="its run that answers; empty if none does"),
    Column("outcome", String(WORD), comment="how that stands for the child"),
    Column("exit_code", Integer, comment="of its last attempt"),
    Column("reason", Text, nullable=False, comment="why no run answers, in words"),
    ForeignKeyConstraint(["feed", "run"], ["runs.feed", "runs.id"]),
    comment="how a job that a run depends on stood for it",
    **_MARIADB,
)

variables = Table(
    "variables",
    metadata,
    Column("feed", Integer, primary_key=True, comment="the daemon"),
    Column("run", String(TOKEN), primary_key=True, comment="the run"),
    Column(
        "kind", String(WORD), primary_key=True, comment="given by who asked for it, or left for its children"
    ),
    Column("position", Integer, primary_key=True, comment="from 0, in their order"),
    Column("name", String(NAME), nullable=False, comment="of the variable"),
    Column("value", Text, nullable=False, comment="of the variable"),
    ForeignKeyConstraint(["feed", "run"], ["runs.feed", "runs.id"]),
    comment="a variable that a run was given or left",
    **_MARIADB,
)

intervals = Table(
    "intervals",
    metadata,
    Column("feed", Integer, ForeignKey("feeds.id"), primary_key=True, comment="the daemon"),
    Column("kind", String(WORD), primary_key=True, comment="outage, suspend, pause or disabled"),
    Column("began", BigInteger, primary_key=True, comment="from"),
    Column("ended", BigInteger, nullable=False, comment="up to"),
    Column("reason", Text, nullable=False, comment="why, in words"),
    Column(
        "job",
        String(NAME),
        primary_key=True,
        server_default="",
        comment="OWNER/NAME of the one that it is about; empty if of all",
    ),
    Index("ix_intervals_ended", "feed", "ended"),
    comment="a time in which jobs, or one of them, were not started",
    **_MARIADB,
)

crontabs = Table(
    "crontabs",
    metadata,
    Column("id", _Key, primary_key=True, comment="a number"),
    Column("feed", Integer, ForeignKey("feeds.id"), nullable=False, comment="the daemon"),
    Column("origin", String(PATH), nullable=False, comment="path of the file"),
    Column("at", BigInteger, nullable=False, comment="when the scheduler first saw it"),
    Column("digest", String(TOKEN), nullable=False, comment="of its text"),
    Column("owner", String(255), nullable=False, comment="whose file it was"),
    Column("uid", BigInteger, comment="the owner's"),
    UniqueConstraint("feed", "origin", "at", name="uq_crontabs_version"),
    Index("ix_crontabs_digest", "feed", "digest", "at"),
    comment="a version of a crontab; its text is among the versions that the launcher keeps",
    **_MARIADB,
)
