"""The first tables. Written out, since a revision must not change when the schema does.

Revision ID: 0001
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_Key = sa.BigInteger().with_variant(sa.Integer, "sqlite")
_MARIADB = {
    f"{dialect}_{option}": value
    for dialect in ("mysql", "mariadb")
    for option, value in (("engine", "InnoDB"), ("charset", "utf8mb4"), ("collate", "utf8mb4_bin"))
}


def upgrade() -> None:
    """Make every table and index that is not there: MariaDB keeps those of an attempt that was cut short."""
    _feeds()
    _crontabs()
    _intervals()
    _jobs()
    _runs()
    _attempts()


def downgrade() -> None:
    """Nothing is before it."""
    raise NotImplementedError("there is no older schema")


def _create(name: str, *parts: Any, comment: str, **indices: tuple[str, ...]) -> None:
    op.create_table(name, *parts, comment=comment, if_not_exists=True, **_MARIADB)
    there = {index["name"] for index in sa.inspect(op.get_bind()).get_indexes(name)}
    for index, columns in indices.items():
        if index not in there:
            op.create_index(index, name, columns)


def _feeds() -> None:
    _create(
        "feeds",
        sa.Column("id", sa.Integer, primary_key=True, comment="a number that stays"),
        sa.Column("token", sa.String(80), nullable=False, comment="what is written beside the journal"),
        sa.Column("host", sa.String(255), nullable=False, comment="name of the machine"),
        sa.Column("folder", sa.String(700), nullable=False, comment="where the journal lies"),
        sa.Column("segment", sa.Integer, nullable=False, comment="the segment that is read"),
        sa.Column("position", sa.BigInteger, nullable=False, comment="bytes of it that are in the history"),
        sa.UniqueConstraint("token", name=op.f("uq_feeds_token")),
        comment="a daemon whose journal is recorded here, and how far",
    )


def _crontabs() -> None:
    _create(
        "crontabs",
        sa.Column("id", _Key, primary_key=True, comment="a number"),
        sa.Column("feed", sa.Integer, nullable=False, comment="the daemon"),
        sa.Column("origin", sa.String(700), nullable=False, comment="path of the file"),
        sa.Column("at", sa.BigInteger, nullable=False, comment="when the scheduler first saw it"),
        sa.Column("digest", sa.String(80), nullable=False, comment="of its text"),
        sa.Column("owner", sa.String(255), nullable=False, comment="whose file it was"),
        sa.Column("uid", sa.BigInteger, comment="the owner's"),
        sa.ForeignKeyConstraint(["feed"], ["feeds.id"], name=op.f("fk_crontabs_feeds")),
        sa.UniqueConstraint("feed", "origin", "at", name=op.f("uq_crontabs_version")),
        comment="a version of a crontab; its text is among the versions that the launcher keeps",
        ix_crontabs_digest=("feed", "digest", "at"),
    )


def _intervals() -> None:
    _create(
        "intervals",
        sa.Column("feed", sa.Integer, primary_key=True, comment="the daemon"),
        sa.Column("kind", sa.String(32), primary_key=True, comment="outage, suspend or pause"),
        sa.Column("began", sa.BigInteger, primary_key=True, comment="from"),
        sa.Column("ended", sa.BigInteger, nullable=False, comment="up to"),
        sa.Column("reason", sa.Text, nullable=False, comment="why, in words"),
        sa.ForeignKeyConstraint(["feed"], ["feeds.id"], name=op.f("fk_intervals_feeds")),
        comment="a time in which jobs were not started",
        ix_intervals_ended=("feed", "ended"),
    )


def _jobs() -> None:
    _create(
        "jobs",
        sa.Column("id", _Key, primary_key=True, comment="a number for the indices"),
        sa.Column("feed", sa.Integer, nullable=False, comment="the daemon"),
        sa.Column("job", sa.String(320), nullable=False, comment="OWNER/NAME"),
        sa.Column("name", sa.String(320), nullable=False, comment="NAME alone"),
        sa.Column("uid", sa.BigInteger, comment="the owner's, as last seen"),
        sa.ForeignKeyConstraint(["feed"], ["feeds.id"], name=op.f("fk_jobs_feeds")),
        sa.UniqueConstraint("feed", "job", name=op.f("uq_jobs_job")),
        comment="every job that ever had a run",
        ix_jobs_name=("feed", "name"),
    )


def _runs() -> None:
    _create(
        "runs",
        sa.Column("feed", sa.Integer, primary_key=True, comment="the daemon"),
        sa.Column("id", sa.String(80), primary_key=True, comment="of the run"),
        sa.Column("job", _Key, nullable=False, comment="the job"),
        sa.Column("uid", sa.BigInteger, comment="the owner's: who may see it"),
        sa.Column("run_as", sa.String(255), nullable=False, comment="account of its processes"),
        sa.Column("crontab", sa.String(80), nullable=False, comment="digest of the text it stood in"),
        sa.Column("instant", sa.BigInteger, nullable=False, comment="the moment that it answers"),
        sa.Column("ordinal", sa.BigInteger, nullable=False, comment="tells apart equal instants"),
        sa.Column("trigger_kind", sa.String(32), nullable=False, comment="schedule, reboot or manual"),
        sa.Column("by_uid", sa.BigInteger, comment="who asked for a manual run"),
        sa.Column("state", sa.String(32), nullable=False, comment="finished, or where it is"),
        sa.Column("want", sa.String(32), nullable=False, comment="run or stop"),
        sa.Column("outcome", sa.String(32), comment="how it ended"),
        sa.Column("reason", sa.Text, nullable=False, comment="more about the outcome, in words"),
        sa.Column(
            "began",
            sa.BigInteger,
            nullable=False,
            comment="start of the latest attempt, else end, else instant",
        ),
        sa.Column("started_at", sa.BigInteger, comment="start of the latest attempt"),
        sa.Column("ended_at", sa.BigInteger, comment="end of the run"),
        sa.Column("duration", sa.BigInteger, comment="of the latest attempt, microseconds"),
        sa.Column("attempts", sa.Integer, nullable=False, comment="how many there were"),
        sa.Column("attempt", sa.Integer, comment="number of the latest"),
        sa.ForeignKeyConstraint(["feed"], ["feeds.id"], name=op.f("fk_runs_feeds")),
        sa.ForeignKeyConstraint(["job"], ["jobs.id"], name=op.f("fk_runs_jobs")),
        comment="one answer to one instant of a job, or to a request",
        ix_runs_began=("feed", "began"),
        ix_runs_duration=("feed", "duration"),
        ix_runs_job=("feed", "job", "began"),
        ix_runs_job_duration=("feed", "job", "duration"),
        ix_runs_job_instant=("feed", "job", "instant"),
        ix_runs_job_outcome=("feed", "job", "outcome", "began"),
        ix_runs_outcome=("feed", "outcome", "began"),
        ix_runs_uid=("feed", "uid", "began"),
        ix_runs_uid_outcome=("feed", "uid", "outcome", "began"),
    )


def _attempts() -> None:
    _create(
        "attempts",
        sa.Column("feed", sa.Integer, primary_key=True, comment="the daemon"),
        sa.Column("run", sa.String(80), primary_key=True, comment="the run"),
        sa.Column("number", sa.Integer, primary_key=True, comment="from 1"),
        sa.Column("pid", sa.BigInteger, comment="of its process"),
        sa.Column("started_at", sa.BigInteger, comment="start of its process"),
        sa.Column("ended_at", sa.BigInteger, comment="end of its process"),
        sa.Column("exit_code", sa.Integer, comment="if it ended by itself"),
        sa.Column("signal", sa.Integer, comment="if a signal ended it"),
        sa.Column("cpu_user", sa.BigInteger, nullable=False, comment="microseconds"),
        sa.Column("cpu_system", sa.BigInteger, nullable=False, comment="microseconds"),
        sa.Column("max_rss", sa.BigInteger, nullable=False, comment="KiB"),
        sa.Column("output_size", sa.BigInteger, nullable=False, comment="bytes that it wrote"),
        sa.Column("blocks_in", sa.BigInteger, nullable=False, comment="read from disks, 512 bytes each"),
        sa.Column("blocks_out", sa.BigInteger, nullable=False, comment="written to disks, 512 bytes each"),
        sa.ForeignKeyConstraint(["feed", "run"], ["runs.feed", "runs.id"], name=op.f("fk_attempts_runs")),
        comment="one start of a process inside a run",
    )
