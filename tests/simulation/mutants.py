"""Bugs on purpose: each is put into the engine from outside, and some world must find it.

A simulation that finds none of them would find nothing else either. Called by a test and by
`python -m tests.simulation --mutants`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib import import_module
from importlib.util import find_spec
from itertools import count
from typing import Any

from crond.core import admission, memory, planner
from crond.core.siblings import Siblings
from crond.recorder import tries
from tests.simulation.launcher import Broken
from tests.simulation.world import ANNOTATED, DENSE, seeded

#: What a world lives through until another one is tried, in seconds of its own.
_LIFE = 86400.0


class NotThere(LookupError):
    """The engine has no such part yet."""


@dataclass(frozen=True, slots=True)
class Mutant:
    """A bug. `put` returns what takes the place of the function `name` of `module`, given that function.

    `says` is in what the judge must say; `annotated`: only an engine that obeys annotations can have it.
    """

    title: str
    module: str
    name: str
    put: Callable[[Callable[..., Any]], Callable[..., Any]]
    says: tuple[str, ...]
    annotated: bool = True

    @contextmanager
    def living(self) -> Iterator[None]:
        """While this lasts the engine has the bug. Raises NotThere."""
        module = import_module(self.module) if find_spec(self.module) else None
        holder, _, name = self.name.rpartition(".")
        place = getattr(module, holder, None) if holder else module
        held = getattr(place, name, None)
        if held is None:
            raise NotThere(f"{self.module}.{self.name}")
        setattr(place, name, self.put(held))
        try:
            yield
        finally:
            setattr(place, name, held)

    def found(self, patience: float) -> str:
        """Return what a world says of it, "" if none does within `patience` seconds. Raises NotThere."""
        until = time.monotonic() + patience
        kind = replace(DENSE, annotated=self.annotated)
        with self.living():
            for seed in count():
                if time.monotonic() > until:
                    return ""
                try:
                    with seeded(seed, kind) as world:
                        world.live(_LIFE)
                        world.rest()
                except Broken as error:
                    told = str(error).partition("\n")[0]
                    if any(one in told for one in self.says):
                        return f"seed {seed}: {told}"
                    raise
        raise AssertionError("unreachable")


def _no_retry(_held: Callable[..., Any]) -> Callable[..., Any]:
    return lambda *_values, **_keys: False


def _alone(held: Callable[..., Any]) -> Callable[..., Any]:
    """Each run believes that its job has no other."""
    return lambda run, job, _siblings: held(run, job, Siblings({}))


def _parents_ignored(held: Callable[..., Any]) -> Callable[..., Any]:
    return lambda _rule, _verdicts: held("always", ())


def _ordinal_forgotten(_held: Callable[..., Any]) -> Callable[..., Any]:
    return lambda _memory, _job, _instant: 0


def _minute_lost(held: Callable[..., Any]) -> Callable[..., Any]:
    """What is due together with many others is not all found."""

    def advance(walk: Any, reading: Any) -> Any:
        dues = held(walk, reading)
        return dues[:-1] if len(dues) > 2 else dues

    return advance


def _flip_forgotten(held: Callable[..., Any]) -> Callable[..., Any]:
    """It counts a failure, and tells nobody."""
    return lambda alerting, job, run, health, _flips: held(alerting, job, run, health, [])


def _health_forgotten(_held: Callable[..., Any]) -> Callable[..., Any]:
    return lambda _memory, _job, *_values: None


def _not_latched(_held: Callable[..., Any]) -> Callable[..., Any]:
    return lambda _health, _promise: False


def _nobody_waits(_held: Callable[..., Any]) -> Callable[..., Any]:
    """Time breaks no promise: nobody looks."""
    return lambda _promises: None


def _marked_before_sent(held: Callable[..., Any]) -> Callable[..., Any]:
    def lease(tries: Any, manner: Any, now: float) -> Any:
        found = held(tries, manner, now)
        with tries._outbox.transaction():
            for order in found.orders:
                tries._end(tries._read(order.delivery)[0], "sent", "", now)
        return found

    return lease


def _lease_forgotten(held: Callable[..., Any]) -> Callable[..., Any]:
    """A new life believes that nothing is in hand."""
    return lambda tries, _in_hand, now: held(tries, (), now)


MUTANTS = (
    Mutant(
        "a flip forgotten",
        "crond.core.alerting",
        "Alerting._failed",
        _flip_forgotten,
        ("and ought to tell [('failure'",),
    ),
    Mutant(
        "health forgotten",
        memory.__name__,
        "Memory.set_health",
        _health_forgotten,
        ("and ought to tell", "told twice", "is late again"),
    ),
    Mutant(
        "late again and again",
        "crond.core.health",
        "Health.is_broken",
        _not_latched,
        ("is late again", "told twice"),
    ),
    Mutant(
        "lateness unnoticed",
        "crond.core.promises",
        "Promises.next_moment",
        _nobody_waits,
        ("and nobody was told",),
    ),
    Mutant(
        "a mark before the send",
        tries.__name__,
        "Tries.lease",
        _marked_before_sent,
        ("it never arrived",),
    ),
    Mutant(
        "a forgotten lease",
        tries.__name__,
        "Tries.recover",
        _lease_forgotten,
        ("arrived 2 times",),
    ),
    Mutant("a lost retry", "crond.core.retry", "gets_another", _no_retry, ("failed for good",)),
    Mutant(
        "a double claim",
        admission.__name__,
        "overlap",
        _alone,
        ("runs at once",),
    ),
    Mutant(
        "a dependency ignored",
        "crond.core.dependencies",
        "rule_on",
        _parents_ignored,
        ("while its parents say",),
    ),
    Mutant(
        "an instant answered twice",
        memory.__name__,
        "Memory.next_ordinal",
        _ordinal_forgotten,
        ("planned twice", "records come to another memory", "FINISHED"),
        annotated=False,
    ),
    Mutant(
        "an instant lost",
        planner.__name__,
        "Walk.advance",
        _minute_lost,
        ("never due",),
        annotated=False,
    ),
)


def present() -> tuple[Mutant, ...]:
    """Those that this engine can have."""
    return tuple(mutant for mutant in MUTANTS if ANNOTATED or not mutant.annotated)
