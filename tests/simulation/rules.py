"""Airflow's trigger rules once more, written from their description and not from ours.

Counts ends and says what must become of the child. Slow and simple on purpose: the engine is judged by it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from crond.model.dependency import Dependency
from crond.model.run import FAILURES, Outcome, Parent

#: How a parent stands for a child, in Airflow's words; "running" is all that is not over.
End = Literal["running", "success", "failed", "upstream_failed", "skipped"]
Verdict = Literal["wait", "run", "skipped", "upstream_failed"]


def end_of(parent: Parent, dependency: Dependency, *, late: bool) -> End:
    """Return how `parent` stands, for a child that names it as `dependency`; `late`: it was waited for long
    enough, so that what is not over has failed.
    """
    outcome = parent.outcome
    if outcome is None:
        if not late:
            return "running"
        outcome = Outcome.FAILED
    if dependency.want != "success" and not parent.run:
        return "skipped"  # where nobody answers nothing holds
    if dependency.want == "failed":
        return "success" if outcome in FAILURES else "skipped"
    if dependency.want == "done":
        return "success"
    if dependency.want == "exit":
        return "success" if parent.exit_code == dependency.exit_code else "skipped"
    if outcome in FAILURES:
        return "failed"
    plain: dict[Outcome, End] = {
        Outcome.SUCCESS: "success",
        Outcome.UPSTREAM_FAILED: "upstream_failed",
        Outcome.SKIPPED: "skipped",
    }
    return plain[outcome]


def verdict(rule: str, ends: Sequence[End]) -> Verdict:
    """Return what becomes of a child whose parents stand as `ends`, by `rule`."""
    if rule == "always":
        return "run"
    over = "running" not in ends
    success, skipped = ends.count("success"), ends.count("skipped")
    failed = ends.count("failed") + ends.count("upstream_failed")
    total = len(ends)
    if rule == "all_success":
        return _all(success == total, failed, skipped)
    if rule == "all_failed":
        return _all(failed == total, 0, success + skipped)
    if rule == "all_done":
        return "run" if over else "wait"
    if rule == "all_skipped":
        return _all(skipped == total, 0, success + failed)
    if rule == "none_failed":
        return _all(over and not failed, failed, 0)
    if rule == "none_skipped":
        return _all(over and not skipped, 0, skipped)
    if rule == "none_failed_min_one_success":
        return "skipped" if skipped == total else _all(over and not failed, failed, 0)
    if rule == "all_done_min_one_success":
        if skipped:
            return "skipped"
        return "wait" if not over else "run" if success else "upstream_failed"
    return _one(rule, success, failed, skipped, over=over)


def _all(holds: bool, fails: int, skips: int) -> Verdict:
    """Failure is judged before skip."""
    return "upstream_failed" if fails else "skipped" if skips else "run" if holds else "wait"


def _one(rule: str, success: int, failed: int, skipped: int, *, over: bool) -> Verdict:
    wanted = {"one_success": success, "one_failed": failed, "one_done": success + failed}[rule]
    if wanted:
        return "run"
    if not over:
        return "wait"
    return "upstream_failed" if rule == "one_success" and failed else "skipped"
