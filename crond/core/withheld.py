"""Which runs a failure holds up: those that wait for it, directly or not, and will fail by that.

Looks ahead with the trigger rules themselves, so that it says what will happen. Pure; called by `alerting`.
"""

from __future__ import annotations

from collections import deque

from crond.core import dependencies
from crond.core.memory import Memory
from crond.core.roster import Roster
from crond.core.waits import Waits
from crond.model.run import Outcome, Parent, Run

#: Most that are named: a line of the journal is read by others.
_NAMED = 1000


def held_up(failed: Run, memory: Memory, roster: Roster, waits: Waits) -> tuple[str, ...]:
    """Return the jobs whose runs wait for `failed`, which has just ended, and will be UPSTREAM_FAILED."""
    ends: dict[str, Parent] = {failed.id: dependencies.as_parent(failed)}
    jobs: dict[str, None] = {}
    waiting = deque((failed.id,))
    while waiting and len(jobs) < _NAMED:
        for identity in waits.children_of(waiting.popleft()):
            child = memory.runs[identity]
            job = roster.jobs.get(child.job)
            if identity in ends or job is None:
                continue
            parents = tuple(ends.get(one.run, one) for one in child.parents)
            links = roster.graph.parents.get(child.job, ())
            ruling = dependencies.rule_on(
                job.entry.policy.trigger_rule, dependencies.verdicts_of(parents, links)
            )
            if ruling.outcome is Outcome.UPSTREAM_FAILED:
                ends[identity] = Parent(child.job, identity, Outcome.UPSTREAM_FAILED)
                jobs[child.job] = None
                waiting.append(identity)
    return tuple(jobs)
