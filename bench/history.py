"""A history of a million runs: how long questions take, and pruning it while recording goes on.

`python -m bench.history [--runs N]` measures SQLite, and the servers that CRONTABX_TEST_POSTGRESQL_URL and
CRONTABX_TEST_MARIADB_URL name, each in a database of its own that is dropped afterwards.
"""

from __future__ import annotations

import argparse
import os
import random
import statistics as figures
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import create_engine, text
from sqlalchemy.engine import URL

from crond.recorder import instants, statistics
from crond.recorder.database import database_url, open_engine
from crond.recorder.feed import Batch, Position
from crond.recorder.prune import Keep, prune
from crond.recorder.queries import UNSUCCESSFUL, Filter, Queries
from crond.recorder.records import RunRecord
from crond.recorder.store import Store

JOBS, USERS = 200, 20
YEAR = 365 * 86400 * 1_000_000
END = 1_795_000_000 * 1_000_000
BATCH = 5000
REPEATS = 15
#: One of this many runs fails.
FAILS = 200
TOKEN = "bench"
PIPELINE = [f"user{number}/job{number}" for number in range(10)]
BEGUN = Position(1, 1)


@contextmanager
def database(name: str) -> Iterator[URL]:
    """Yield an empty database of its own."""
    if name == "sqlite":
        # Not in a file system of memory, which /tmp may be.
        with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
            yield database_url(None, folder)
        return
    url = database_url(os.environ[f"CRONTABX_TEST_{name.upper()}_URL"], "/")
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    made = f"crontabx_bench_{os.getpid()}"
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {made}"))
    try:
        yield url.set(database=made)
    finally:
        with engine.connect() as connection:
            connection.execute(text(f"DROP DATABASE {made}"))
        engine.dispose()


def job_of(number: int) -> str:
    """Return the name of job `number`."""
    return f"user{number % USERS}/job{number}"


def record(number: int, began: int) -> RunRecord:
    """Return run `number`: jobs take turns, some rarely."""
    job = min(int(random.expovariate(1 / 25)), JOBS - 1)
    lasted = int(random.expovariate(1 / 2_000_000))
    outcome = "failed" if number % FAILS == 0 else "success"
    identity = random.randbytes(7).hex()
    row = {
        "id": identity, "uid": 1000 + job % USERS, "run_as": "user", "crontab": "0123456789abcdef",
        "instant": began - 3000, "ordinal": 0, "trigger_kind": "schedule", "by_uid": None,
        "state": "finished", "want": "run", "outcome": outcome, "reason": "", "began": began,
        "started_at": began, "ended_at": began + lasted, "duration": lasted, "attempts": 1, "attempt": 1,
        "waits": None, "until_at": None, "pool": None, "follows": None, "spent": None,
    }  # fmt: skip
    attempt = {
        "number": 1, "pid": number % 32768, "started_at": began, "ended_at": began + lasted, "exit_code": 0,
        "signal": None, "cpu_user": 1000, "cpu_system": 500, "max_rss": 3000, "output_size": 10,
        "blocks_in": 0, "blocks_out": 8, "outcome": outcome,
    }  # fmt: skip
    return RunRecord(job_of(job), row, (attempt,))


def batch(records: list[RunRecord], position: Position) -> Batch:
    """Return `records` as the feed would, when it had read up to `position`."""
    return Batch(position, runs={one.row["id"]: one for one in records})


def fill(store: Store, count: int, position: Position = BEGUN) -> float:
    """Write `count` runs of a year and leave the feed at `position`; return seconds."""
    step = YEAR // count
    began = time.monotonic()
    for start in range(0, count, BATCH):
        numbers = range(start, min(start + BATCH, count))
        store.write(batch([record(number, END - YEAR + number * step) for number in numbers], position))
    return time.monotonic() - began


def questions(identity: str) -> dict[str, Callable[[Queries], Any]]:
    """Return what is asked, by the words for it."""
    return {
        "history": lambda q: q.history(Filter()),
        "history JOB": lambda q: q.history(Filter(job="user3/job3")),
        "history --failed": lambda q: q.history(Filter(outcomes=UNSUCCESSFUL)),
        "history JOB --failed": lambda q: q.history(Filter(job="user3/job3", outcomes=UNSUCCESSFUL)),
        "history --slowest": lambda q: q.history(Filter(slowest=True)),
        "history JOB --slowest": lambda q: q.history(Filter(job="user3/job3", slowest=True)),
        "history, 1000 runs": lambda q: q.history(Filter(count=1000)),
        "show RUN": lambda q: q.show(identity),
        "why JOB INSTANT": lambda q: q.why("user3/job3", END - YEAR // 2, None),
        "stats JOB": lambda q: statistics.of_job(q, "user3/job3", Filter()),
        "stats": lambda q: statistics.of_all(q, Filter()),
        "jobs": lambda q: q.known_jobs(),
        "pipeline of 10 jobs": lambda q: instants.of_jobs(q, PIPELINE, Filter()),
        "1000 instants of JOB": lambda q: instants.of_job(q, "user3/job3", END - YEAR, END, 1000),
    }


def ask(url: URL, uid: int) -> Iterator[tuple[str, float]]:
    """Yield each question and the median of its answers in milliseconds, for the eyes of `uid`."""
    engine = open_engine(url, writer=False)

    def timed(question: Callable[[Queries], Any]) -> tuple[float, Any]:
        began = time.perf_counter()
        with engine.connect() as connection, connection.begin():
            answer = question(Queries(connection, TOKEN, uid, uid == 0))
        return (time.perf_counter() - began) * 1000, answer

    identity = timed(lambda q: q.history(Filter(count=1)))[1]["runs"][0]["id"]
    asked = questions(identity) if uid == 0 else dict(list(questions(identity).items())[:5])
    for words, question in asked.items():
        yield words, figures.median(timed(question)[0] for _ in range(REPEATS))
    engine.dispose()


def prune_while_recording(store: Store, count: int) -> tuple[int, float, list[float]]:
    """Delete all but a tenth; return how many went, seconds, and what each batch of 50 runs waited (ms)."""
    waits: list[float] = []
    taken = 0
    began = asked = time.monotonic()
    for step in prune(store, Keep(since=END - YEAR // 10)):
        taken += step
        if time.monotonic() - asked > 0.5:  # as the recorder looks at its journal
            asked = time.monotonic()
            store.write(batch([record(count + number, END + number) for number in range(50)], BEGUN))
            waits.append((time.monotonic() - asked) * 1000)
    return taken, time.monotonic() - began, waits


def measure(name: str, count: int) -> None:
    """Print the figures of one database."""
    with database(name) as url:
        store = Store(url)
        store.begin(TOKEN, "host", "/journal")
        took = fill(store, count)
        print(f"\n{name}: {count} runs written in {took:.0f} s, {took / count * 1e6:.0f} us each")
        if name == "postgresql":
            with store.transaction() as connection:
                connection.execute(text("ANALYZE"))  # as its autovacuum does within a minute
        for uid, who in ((0, "root"), (1003, "a user")):
            for words, median in ask(url, uid):
                print(f"  {words + ', ' + who:32} {median:8.1f} ms")
        taken, seconds, waits = prune_while_recording(store, count)
        print(
            f"  pruned {taken} in {seconds:.0f} s; {len(waits)} batches written meanwhile,"
            f" {figures.median(waits):.0f} ms each, {max(waits):.0f} ms at most"
        )
        store.close()


def main() -> None:
    """Measure all databases that there are."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--runs", type=int, default=1_000_000)
    options.add_argument("databases", nargs="*", default=[])
    given = options.parse_args()
    servers = ("postgresql", "mariadb")
    there = [name for name in servers if os.environ.get(f"CRONTABX_TEST_{name.upper()}_URL")]
    random.seed(1)
    for name in given.databases or ["sqlite", *there]:
        measure(name, given.runs)


if __name__ == "__main__":
    main()
