"""Which jobs depend on which: parents and children by job, who follows whose instants, and who is held.

Built whole from the jobs of all tables whenever one of them changes; a job whose dependencies make no sense
is held, and no other. Knows no run and no time. Pure; made by `crond.core.roster`, asked by whatever decides.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from crond.model.cycles import rings_in
from crond.model.dependency import Dependency
from crond.model.job import Job
from crond.model.schedule import After

_PATH_SHOWN = 8


@dataclass(frozen=True, slots=True)
class Link:
    """One parent of a job, by its id, and which of its ends counts as a success."""

    parent: str
    dependency: Dependency


@dataclass(frozen=True, slots=True)
class Graph:
    """All by the id of a job; jobs without an arrow are left out."""

    parents: Mapping[str, tuple[Link, ...]] = field(default_factory=dict)
    children: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    #: The `@after` jobs that have the instants of this one.
    followers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    #: Whose instants an `@after` job has.
    leaders: Mapping[str, str] = field(default_factory=dict)
    #: Why a job is never started by its time.
    held: Mapping[str, str] = field(default_factory=dict)

    def downstream(self, job: str) -> tuple[str, ...]:
        """Return all that depend on `job`, directly or not, each after all of its parents among them."""
        found = {job}
        waiting = deque((job,))
        while waiting:
            for child in self.children.get(waiting.popleft(), ()):
                if child not in found:
                    found.add(child)
                    waiting.append(child)
        return self._in_order(found - {job})

    def _in_order(self, jobs: set[str]) -> tuple[str, ...]:
        """Return `jobs`, parents first. Members of a cycle are left out: they are held."""
        missing = {job: sum(link.parent in jobs for link in self.parents.get(job, ())) for job in jobs}
        ready = deque(sorted(job for job, count in missing.items() if count == 0))
        order: list[str] = []
        while ready:
            job = ready.popleft()
            order.append(job)
            for child in self.children.get(job, ()):
                if child in missing:
                    missing[child] -= 1
                    if missing[child] == 0:
                        ready.append(child)
        return tuple(order)

    def led_by(self, job: str) -> tuple[str, ...]:
        """Return `job`, and those whose instants it has, the next one first."""
        found = [job]
        while found[-1] in self.leaders and self.leaders[found[-1]] not in found:
            found.append(self.leaders[found[-1]])
        return tuple(found)

    def pipeline_of(self, job: str) -> frozenset[str]:
        """Return all that hang together with `job`, itself included."""
        found = {job}
        waiting = [job]
        while waiting:
            one = waiting.pop()
            near = (*self.children.get(one, ()), *(link.parent for link in self.parents.get(one, ())))
            for other in near:
                if other not in found:
                    found.add(other)
                    waiting.append(other)
        return frozenset(found)

    def name_of(self, job: str, jobs: Mapping[str, Job]) -> str:
        """Return the name of the pipeline that `job` belongs to, "" if it belongs to none: no pipeline= says
        so, it depends on nobody and nobody on it.

        It is what `pipeline=` says on any of its jobs, else its only last job, else its only first one, else
        the first by name. Only `jobs` are known: what whoever asks may not see gives no name.
        """
        members = [one for one in self.pipeline_of(job) if one in jobs]
        said = {jobs[one].entry.policy.pipeline or "" for one in members} - {""}
        if said:
            return min(said)
        if len(members) < 2:
            return ""
        inside = set(members)
        last = sorted(one for one in members if inside.isdisjoint(self.children.get(one, ())))
        first = sorted(
            one for one in members if inside.isdisjoint(link.parent for link in self.parents.get(one, ()))
        )
        for names in (last, first):
            if len(names) == 1:
                return names[0].rpartition("/")[2]
        return (last or sorted(members))[0].rpartition("/")[2]


def graph_of(jobs: Mapping[str, Job]) -> Graph:
    """Return how `jobs`, by their ids, depend on each other."""
    dependent = [job for job in jobs.values() if job.entry.policy.depends_on]
    if not dependent:
        return Graph()
    names = _Names(jobs)
    parents: dict[str, tuple[Link, ...]] = {}
    children: dict[str, dict[str, None]] = {}
    followers: dict[str, list[str]] = {}
    leaders: dict[str, str] = {}
    held: dict[str, str] = {}
    for job in dependent:
        links = []
        for dependency in job.entry.policy.depends_on:
            meant = names.meant_by(dependency.job, job)
            if len(meant) == 1:
                links.append(Link(meant[0], dependency))
            elif meant:
                held[job.id] = f"more than one job is called {dependency.job!r}"
            else:
                held[job.id] = f"there is no job {dependency.job!r}"
        parents[job.id] = tuple(links)
        for link in links:
            children.setdefault(link.parent, {})[job.id] = None
        # A first-named one that there is not has no instants; the next is no substitute for it.
        if (
            isinstance(job.entry.schedule, After)
            and links
            and links[0].dependency is job.entry.policy.depends_on[0]
        ):
            leaders[job.id] = links[0].parent
            followers.setdefault(links[0].parent, []).append(job.id)
    arrows = {job: [link.parent for link in links] for job, links in parents.items()}
    for members, path in rings_in(arrows):
        held.update(dict.fromkeys(members, f"it waits for itself, as these do: {_shown(path)}"))
        held.update(dict.fromkeys(path, f"these wait for each other: {_shown(path)}"))
    return Graph(
        parents,
        {job: tuple(one) for job, one in children.items()},
        {job: tuple(one) for job, one in followers.items()},
        leaders,
        held,
    )


class _Names:
    """Which jobs a name means: those of the same crontab, else those of the owner's other ones."""

    def __init__(self, jobs: Mapping[str, Job]) -> None:
        self._jobs = jobs
        self._here: dict[tuple[str, str], list[str]] = {}
        self._of_owner: dict[tuple[str, str], list[str]] = {}
        for job in jobs.values():
            if job.entry.name is not None:
                self._here.setdefault((job.origin, job.entry.name), []).append(job.id)
                self._of_owner.setdefault((job.owner, job.entry.name), []).append(job.id)

    def meant_by(self, name: str, asking: Job) -> Sequence[str]:
        owner, slash, bare = name.rpartition("/")
        if not slash:
            owner = asking.owner
            here = self._here.get((asking.origin, name))
            if here:
                return here
        derived = f"{owner}/{bare}"
        return self._of_owner.get((owner, bare)) or ([derived] if derived in self._jobs else [])


def _shown(path: Sequence[str]) -> str:
    names = [one.partition("/")[2] for one in path]
    if len(names) > _PATH_SHOWN:
        names = [*names[: _PATH_SHOWN - 1], f"({len(names) - _PATH_SHOWN + 1} more)"]
    return " -> ".join((*names, names[0]))
