"""Questions to a history under test, whichever database holds it."""

from __future__ import annotations

from typing import Any

from sqlalchemy import func, select

from crond.recorder.database import open_engine
from crond.recorder.queries import Filter, Queries
from crond.recorder.store import Store

ANN, BEN, ROOT = 1000, 1001, 0
TOKEN = "token"


def micro(seconds: float) -> int:
    return round(seconds * 1_000_000)


def asked(store: Store, what: Any, *, uid: int = ROOT, token: str = TOKEN) -> Any:
    """Return what `what` says of the queries of `uid`, through a connection of their own."""
    engine = open_engine(store._engine.url, writer=False)
    try:
        with engine.connect() as connection, connection.begin():
            return what(Queries(connection, token, uid, uid == ROOT))
    finally:
        engine.dispose()


def ids(store: Store, uid: int = ROOT, **wanted: Any) -> list[int]:
    """Return the numbers of the runs in an answer to `history`."""
    answer = asked(store, lambda queries: queries.history(Filter(**wanted)), uid=uid)
    return [int(one["id"], 16) for one in answer["runs"]]


def count(store: Store, table: Any) -> int:
    with store.transaction() as connection:
        return connection.scalar(select(func.count()).select_from(table)) or 0


def shown(store: Store, number: int = 1) -> Any:
    """Return run `number` as `show` tells it."""
    return asked(store, lambda queries: queries.show(f"{number:014x}"))["run"]
