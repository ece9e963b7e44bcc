"""Whose turn it is to be sent, and how often a user may speak through the host's configuration."""

from __future__ import annotations

from crond.launcher.deliveries import ACCOUNTS, BATCH, Deliveries, Delivery
from crond.launcher.senders import Allowance, Sender
from crond.launcher.targets import target_of


def sender(account: str, user: str = "") -> Sender:
    return Sender(account=account, user=user or account, identity=None, home="/")


def add(deliveries: Deliveries, by: Sender, count: int) -> None:
    for number in range(count):
        deliveries.add(
            Delivery(
                name=f"{by.user}.{number}",
                target=target_of("ops"),
                message="",
                sender=by,
                told=lambda _told: None,
            )
        )


def names(batch: list[Delivery]) -> list[str]:
    return [delivery.name for delivery in batch]


def test_users_take_turns() -> None:
    """Two batches of one account are never under way together; who has had one goes behind the others."""
    deliveries = Deliveries(60.0)
    add(deliveries, sender("ann"), 5)
    add(deliveries, sender("bob"), 1)
    assert names(deliveries.take()) == ["ann.0", "ann.1"]
    assert names(deliveries.take()) == ["bob.0"]
    assert deliveries.take() == []
    add(deliveries, sender("bob"), 1)
    for account in ("bob", "ann"):
        deliveries.returned(sender(account))
    assert names(deliveries.take()) == ["ann.2", "ann.3"]
    assert names(deliveries.take()) == ["bob.0"]


def test_users_share_the_daemons_account() -> None:
    """One notifier of that account at a time, which has one user's messages; root's turn comes, too."""
    deliveries = Deliveries(20.0)
    for user in ("ann", "bob", "root"):
        add(deliveries, sender("", user), 7)
    assert names(deliveries.take()) == [f"ann.{number}" for number in range(6)]
    assert deliveries.take() == []
    turns = []
    for _ in range(5):
        deliveries.returned(sender(""))
        turns.append(deliveries.take()[0].sender.user)
    assert turns == ["bob", "root", "ann", "bob", "root"]


def test_bounds() -> None:
    """So many accounts at once; so many in a batch, and not more than end in time."""
    deliveries = Deliveries(0.5)
    add(deliveries, sender("many"), BATCH + 1)
    assert len(deliveries.take()) == BATCH
    for number in range(ACCOUNTS):
        add(deliveries, sender(f"user{number}"), 1)
    assert [len(deliveries.take()) for _ in range(ACCOUNTS)] == [1] * (ACCOUNTS - 1) + [0]
    slow = Deliveries(600.0)
    add(slow, sender("ann"), 2)
    assert len(slow.take()) == 1


def test_an_hours_allowance() -> None:
    """Each user has so many, and gets each back an hour after it was used."""
    times = iter((0.0, 10.0, 20.0, 3601.0, 3602.0, 3611.0, 3611.0))
    allowance = Allowance(2, clock=lambda: next(times))
    assert [allowance.take("ann") for _ in range(6)] == [True, True, False, True, False, True]
    assert allowance.take("bob")
