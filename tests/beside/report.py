"""What people read of a comparison: what was equal, which differences are known and why, which are not."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator

from tests.beside.compare import Comparison, Difference
from tests.beside.known import explain

_EXAMPLES = 5


def unexplained(comparison: Comparison) -> list[Difference]:
    """Return the differences that nobody has a reason for."""
    return [one for one in comparison.differences if explain(one) is None]


def report(name: str, comparison: Comparison) -> Iterator[str]:
    """Yield the lines of the report on one window."""
    counts = ", ".join(f"{count} {what}" for what, count in sorted(comparison.compared.items()))
    yield f"{name}: both had {counts}"
    reasons: dict[str, Counter[str]] = defaultdict(Counter)
    for difference in comparison.differences:
        why = explain(difference)
        if why is not None:
            reasons[why][difference.kind] += 1
    for why, kinds in sorted(reasons.items()):
        yield f"  known: {', '.join(f'{kind} ({count})' for kind, count in sorted(kinds.items()))}: {why}"
    left = unexplained(comparison)
    shown: Counter[str] = Counter()
    for difference in left:
        shown[difference.kind] += 1
        if shown[difference.kind] <= _EXAMPLES:
            yield f"  NOT EXPLAINED: {_told(difference)}"
    for kind, count in shown.items():
        if count > _EXAMPLES:
            yield f"  NOT EXPLAINED: {kind}: {count - _EXAMPLES} more"
    yield f"  {len(comparison.differences)} differences, {len(left)} not explained"


def _told(difference: Difference) -> str:
    return (
        f"{difference.kind} of {difference.subject!r} at {difference.at:.0f}:"
        f" theirs {difference.theirs!r}, ours {difference.ours!r}"
    )
