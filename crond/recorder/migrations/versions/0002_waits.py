"""What waits, retries and dependencies leave. Columns are only appended, so that no large table is rewritten.

Written out, since a revision must not change when the schema does.

Revision ID: 0002
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_MARIADB = {
    f"{dialect}_{option}": value
    for dialect in ("mysql", "mariadb")
    for option, value in (("engine", "InnoDB"), ("charset", "utf8mb4"), ("collate", "utf8mb4_bin"))
}
#: Columns that are new: table, name, type, comment.
_ADDED: tuple[tuple[str, str, Any, str], ...] = (
    ("runs", "waits", sa.String(32), "what it waits for while it is waiting"),
    ("runs", "until_at", sa.BigInteger(), "when its wait, or the time of its attempt, is over"),
    ("runs", "pool", sa.String(320), "OWNER/NAME of the pool whose slots it takes"),
    ("runs", "follows", sa.String(80), "the manual run that it belongs to"),
    ("runs", "spent", sa.Integer(), "attempts before it was asked to run again"),
    ("attempts", "outcome", sa.String(32), "how it ended"),
)
#: Columns that mean more now than their comments say: table, name, type, whether it may be null, comment.
_SAID: tuple[tuple[str, str, Any, bool, str], ...] = (
    ("runs", "trigger_kind", sa.String(32), False, "schedule, reboot, manual or backfill"),
    ("runs", "by_uid", sa.BigInteger(), True, "who asked for the run, or for it again"),
    ("runs", "want", sa.String(32), False, "what was asked of it: run, stop, timeout ..."),
    ("runs", "began", sa.BigInteger(), False, "latest start of its command, else end, else instant"),
    ("runs", "started_at", sa.BigInteger(), True, "latest start of its command"),
    (
        "runs",
        "duration",
        sa.BigInteger(),
        True,
        "from the latest start of its command to its end, microseconds",
    ),
    ("runs", "attempts", sa.Integer(), False, "how often its command was to start"),
    ("attempts", "number", sa.Integer(), False, "from 1; 0 is its condition, below 0 a try of its wait_for"),
    ("intervals", "kind", sa.String(32), False, "outage, suspend, pause or disabled"),
)
_KEY = ["feed", "kind", "began", "job"]


def upgrade() -> None:
    """Make what is not there: MariaDB keeps the parts of an attempt that was cut short."""
    for table, name, kind, comment in _ADDED:
        if name not in {column["name"] for column in _inspector().get_columns(table)}:
            op.add_column(table, sa.Column(name, kind, comment=comment))
    _parents()
    _variables()
    if op.get_bind().dialect.name == "sqlite":
        _replace_intervals()
        return  # it keeps no comments
    _extend_intervals()
    for table, name, kind, nullable, comment in _SAID:
        op.alter_column(table, name, existing_type=kind, existing_nullable=nullable, comment=comment)
    op.create_table_comment("intervals", _INTERVALS)


def downgrade() -> None:
    """What was recorded since would be lost."""
    raise NotImplementedError("a database is not made older")


def _inspector() -> sa.Inspector:
    return sa.inspect(op.get_bind())


def _create(name: str, *parts: Any, comment: str) -> None:
    op.create_table(
        name,
        sa.Column("feed", sa.Integer, primary_key=True, comment="the daemon"),
        *parts,
        sa.ForeignKeyConstraint(["feed", "run"], ["runs.feed", "runs.id"], name=op.f(f"fk_{name}_runs")),
        comment=comment,
        if_not_exists=True,
        **_MARIADB,
    )


def _parents() -> None:
    _create(
        "parents",
        sa.Column("run", sa.String(80), primary_key=True, comment="the run of the child"),
        sa.Column("position", sa.Integer, primary_key=True, comment="from 0, as they were named"),
        sa.Column("job", sa.String(320), nullable=False, comment="OWNER/NAME of the parent"),
        sa.Column(
            "parent", sa.String(80), nullable=False, comment="its run that answers; empty if none does"
        ),
        sa.Column("outcome", sa.String(32), comment="how that stands for the child"),
        sa.Column("exit_code", sa.Integer, comment="of its last attempt"),
        sa.Column("reason", sa.Text, nullable=False, comment="why no run answers, in words"),
        comment="how a job that a run depends on stood for it",
    )


def _variables() -> None:
    _create(
        "variables",
        sa.Column("run", sa.String(80), primary_key=True, comment="the run"),
        sa.Column(
            "kind",
            sa.String(32),
            primary_key=True,
            comment="given by who asked for it, or left for its children",
        ),
        sa.Column("position", sa.Integer, primary_key=True, comment="from 0, in their order"),
        sa.Column("name", sa.String(320), nullable=False, comment="of the variable"),
        sa.Column("value", sa.Text, nullable=False, comment="of the variable"),
        comment="a variable that a run was given or left",
    )


_INTERVALS = "a time in which jobs, or one of them, were not started"
_JOB_SAID = "OWNER/NAME of the one that it is about; empty if of all"


def _extend_intervals() -> None:
    """Take the job into the key. There are few intervals: a daemon is not down often."""
    if _inspector().get_pk_constraint("intervals")["constrained_columns"] == _KEY:
        return
    if op.get_bind().dialect.name == "postgresql":
        job = sa.Column("job", sa.String(320), nullable=False, server_default="", comment=_JOB_SAID)
        op.add_column("intervals", job)
        name = _inspector().get_pk_constraint("intervals")["name"]
        op.drop_constraint(str(name), "intervals", type_="primary")
        op.create_primary_key("intervals_pkey", "intervals", _KEY)
        return
    # One statement, so that no table is left without a key.
    op.execute(
        f"ALTER TABLE intervals ADD COLUMN job VARCHAR(320) NOT NULL DEFAULT '' COMMENT '{_JOB_SAID}',"
        f" DROP PRIMARY KEY, ADD PRIMARY KEY ({', '.join(_KEY)})"
    )


def _replace_intervals() -> None:
    """SQLite cannot change a key: the rows move to a new table."""
    op.drop_index("ix_intervals_ended", "intervals")
    op.rename_table("intervals", "intervals_0001")
    op.create_table(
        "intervals",
        sa.Column("feed", sa.Integer, primary_key=True),
        sa.Column("kind", sa.String(32), primary_key=True),
        sa.Column("began", sa.BigInteger, primary_key=True),
        sa.Column("ended", sa.BigInteger, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("job", sa.String(320), primary_key=True, server_default=""),
        sa.ForeignKeyConstraint(["feed"], ["feeds.id"], name=op.f("fk_intervals_feeds")),
    )
    op.execute(
        "INSERT INTO intervals (feed, kind, began, ended, reason)"
        " SELECT feed, kind, began, ended, reason FROM intervals_0001"
    )
    op.drop_table("intervals_0001")
    op.create_index("ix_intervals_ended", "intervals", ["feed", "ended"])
