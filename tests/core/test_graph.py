"""Which jobs depend on which, and what a pipeline is called."""

from __future__ import annotations

import pytest

from crond.model.crontab import parse_crontab
from crond.model.events import TableParsed
from crond.model.messages import TableGone, TablesComplete
from crond.model.run import Outcome
from tests.core.driving import Driver

NOON = 1_772_366_400.0


def driver_of(*lines: str) -> Driver:
    """A job a line: `name keys`."""
    driver = Driver(wall=NOON)
    driver.begin("".join(f"#: name={line}\n0 * * * * c\n" for line in lines))
    return driver


def add(driver: Driver, origin: str, owner: str, text: str, uid: int = 8) -> None:
    driver.version += 1
    table = parse_crontab(text, extensions=True, privileged=owner == "root")
    driver.step(TableParsed(driver.version, origin, owner, uid, table))


def test_downstream_is_in_order() -> None:
    """Each after all of its parents; what does not depend on it is left out."""
    graph = driver_of("a", "d depends_on=b,c", "c depends_on=b", "b depends_on=a", "x").engine.roster.graph
    assert graph.downstream("me/a") == ("me/b", "me/c", "me/d")
    assert graph.downstream("me/c") == ("me/d",)
    assert graph.downstream("me/x") == ()


def test_downstream_leaves_a_cycle_out() -> None:
    """Its members are held: nobody comes after all of its parents."""
    graph = driver_of("a", "b depends_on=a,c", "c depends_on=b").engine.roster.graph
    assert graph.downstream("me/a") == ()
    assert set(graph.held) == {"me/b", "me/c"}


@pytest.mark.parametrize(
    ("lines", "name"),
    [
        (["a"], ""),
        (["a", "b depends_on=a"], "b"),
        (["a", "b depends_on=a", "c depends_on=a"], "a"),
        (["a", "b", "c depends_on=a,b", "d depends_on=a,b"], "c"),
        (["a", "b depends_on=a pipeline=night", "c depends_on=a"], "night"),
        (["a pipeline=z", "b pipeline=y", "c depends_on=a,b", "d depends_on=a,b"], "y"),
    ],
)
def test_the_name_of_a_pipeline(lines: list[str], name: str) -> None:
    """What it says itself, else its only last job, its only first one, or the first by name."""
    driver = driver_of(*lines)
    assert driver.engine.roster.graph.name_of("me/a", driver.engine.jobs) == name


def test_names_are_looked_up_near_before_far() -> None:
    """In the same crontab, then among the owner's others; root may name anybody's."""
    driver = driver_of("a", "b depends_on=a,other")
    add(driver, "second", "me", "#: name=a\n0 * * * * c\n#: name=other\n0 * * * * c\n")
    add(
        driver,
        "third",
        "root",
        "#: name=r depends_on=me/other\n0 * * * * c\n#: name=s depends_on=you/x\n@after c\n",
    )
    graph = driver.engine.roster.graph
    assert [link.parent for link in graph.parents["me/b"]] == ["me/a", "me/other"]
    assert [link.parent for link in graph.parents["root/r"]] == ["me/other"]
    assert graph.held == {"root/s": "there is no job 'you/x'"}


def test_two_jobs_of_one_name() -> None:
    """Both run, and what depends on the name is held."""
    driver = driver_of("a", "b depends_on=a")
    driver.edit(driver.text + "#: name=a\n1 * * * * other\n")
    assert driver.engine.roster.held == {"me/b": "more than one job is called 'a'"}


def test_a_long_cycle_is_told_in_short() -> None:
    """Eight names, however many there are."""
    names = [f"n{number:02}" for number in range(20)]
    lines = [f"{name} depends_on={before}" for name, before in zip(names, [names[-1], *names], strict=False)]
    (reason,) = set(driver_of(*lines).engine.roster.held.values())
    assert reason.count("->") == 8
    assert "(13 more)" in reason


def test_a_parent_in_a_table_that_goes() -> None:
    """The child that waits for it is held at once."""
    driver = driver_of("b depends_on=x depends_timeout=1h")
    add(driver, "second", "me", "#: name=x\n0 * * * * c\n")
    driver.go(3600)
    driver.starts()
    driver.step(TableGone("second"))
    assert (driver.last("b").outcome, driver.last("b").reason) == (
        Outcome.SKIPPED,
        "held: there is no job 'x'",
    )


def test_pools_of_the_owner_and_of_the_host() -> None:
    """The owner's own go before the host's of the same name; nobody has those of others."""
    driver = Driver(wall=NOON)
    driver.pools = (("gpu", "4"), ("net", "2"), ("bad", "many"))
    driver.begin("#: pool gpu=1\n#: name=a pool=gpu\n0 * * * * c\n#: name=b pool=net\n0 * * * * c\n")
    add(driver, "second", "you", "#: name=c pool=gpu\n0 * * * * c\n#: name=d pool=bad\n0 * * * * c\n")
    driver.step(TablesComplete())
    roster = driver.engine.roster
    pools = {job.name: roster.pool_of(job) for job in roster.jobs.values()}
    assert pools == {"a": "me/gpu", "b": "/net", "c": "/gpu", "d": "/bad"}
    assert [roster.size_of(pool) for pool in pools.values()] == [1, 2, 4, 0]
    assert roster.held == {"you/d": "there is no pool 'bad'"}
