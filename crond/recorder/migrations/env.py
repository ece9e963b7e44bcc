"""Alembic's entrance: runs the migrations on the connection that `crond.recorder.migrate` hands over."""

from __future__ import annotations

from alembic import context

from crond.recorder.schema import VERSION_TABLE, metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table=VERSION_TABLE,
    transactional_ddl=False,  # the caller's transaction is around all of it
)
context.run_migrations()
