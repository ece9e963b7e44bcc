"""What stands beside an output for those who prune it in a later life: its job, and its entry's own limits.

Owns the text of the link KEY.job: the job's id, then a line of NAME=VALUE for each of these limits. Pure.
Called by bounding, which writes it, and retention, which reads it.
"""

from __future__ import annotations

from dataclasses import dataclass

from crond.model.policy import PLAIN, Policy


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """`job` and the entry's own limits; None: those of the host hold. 0 is no limit, as there."""

    job: str
    max_size: int | None = None
    keep_days: float | None = None
    keep_runs: int | None = None


def label_of(job: str, policy: Policy = PLAIN) -> Label:
    """Return the label of an output of `job`, whose entry has `policy`."""
    return Label(
        job=job.replace("\n", " "),
        max_size=policy.log_max_size,
        keep_days=policy.keep_days,
        keep_runs=policy.keep_runs,
    )


def written(label: Label) -> str:
    """Return the text of `label`."""
    limits = (
        ("max_size", label.max_size),
        ("keep_days", label.keep_days),
        ("keep_runs", label.keep_runs),
    )
    return "\n".join([label.job, *(f"{name}={value}" for name, value in limits if value is not None)])


def read(text: str) -> Label:
    """Return the label in `text`. What is no limit of ours, a later version may have written."""
    job, *lines = text.split("\n")
    said = dict(line.split("=", 1) for line in lines if "=" in line)
    days = _number(said.get("keep_days"))
    return Label(
        job=job, max_size=_whole(said, "max_size"), keep_days=days, keep_runs=_whole(said, "keep_runs")
    )


def _whole(said: dict[str, str], name: str) -> int | None:
    number = _number(said.get(name))
    return None if number is None else int(number)


def _number(text: str | None) -> float | None:
    try:
        number = float(text or "")
    except ValueError:
        return None
    return number if 0 <= number < 2**53 else None
