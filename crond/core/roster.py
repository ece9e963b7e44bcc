"""The jobs that there are: those of every table, how they depend on each other, and the pools they share.

Changes with the tables and with nothing else; what jobs do is not known here. Pure; owned by the engine, read
by whatever decides.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from crond.core.graph import Graph, graph_of
from crond.model.alert import Promise
from crond.model.events import TableParsed
from crond.model.job import Job, jobs_of
from crond.model.messages import TableRefused
from crond.model.policy import PLAIN

#: The keys that name who is told, and those that promise something.
_ALERTS = ("on_failure", "on_retry", "on_success", "on_recovery", "on_skip", "on_late", "ping")
_PROMISES = tuple(one.value for one in Promise)


class Roster:
    """All tables as they are now. `is_zone` tells whether a text names a time zone."""

    def __init__(self, is_zone: Callable[[str], bool] = lambda _name: True) -> None:
        self._is_zone = is_zone
        self.jobs: dict[str, Job] = {}
        self.tables: dict[str, TableParsed] = {}
        self.refused: dict[str, TableRefused] = {}
        self.graph = Graph()
        #: By job: the reason for which it is never started by its time.
        self.held: dict[str, str] = {}
        #: Jobs whose policy says something about their instants.
        self.choosy: set[str] = set()
        #: Jobs that somebody is to be told of, and of these the ones with a promise about time.
        self.alerting: set[str] = set()
        self.promising: set[str] = set()
        self._pipelines: dict[tuple[str, str], str] = {}
        self._jobs_of: dict[str, tuple[Job, ...]] = {}
        self._host_pools: Mapping[str, int] = {}
        self._pools: dict[str, int] = {}

    def begin(self, host_pools: Mapping[str, int]) -> None:
        """Hold no table any longer; `host_pools` are the pools of the host's settings, by name."""
        for held in (
            self.jobs,
            self.tables,
            self.refused,
            self.held,
            self.choosy,
            self.alerting,
            self.promising,
            self._pipelines,
            self._jobs_of,
            self._pools,
        ):
            held.clear()
        self.graph = Graph()
        self._host_pools = host_pools

    def put(self, event: TableParsed) -> None:
        """Hold a table, in the place of the one before from the same file."""
        self.drop(event.origin)
        jobs = jobs_of(
            event.table,
            owner=event.owner,
            uid=event.uid,
            origin=event.origin,
            version=event.version,
            taken=self.jobs,
        )
        self.tables[event.origin] = event
        self._jobs_of[event.origin] = jobs
        self.jobs.update((job.id, job) for job in jobs)

    def refuse(self, event: TableRefused) -> None:
        """Hold that a file is not obeyed."""
        self.drop(event.origin)
        self.refused[event.origin] = event

    def drop(self, origin: str) -> None:
        """Hold nothing of a file any longer."""
        for job in self._jobs_of.pop(origin, ()):
            self.jobs.pop(job.id, None)
        self.tables.pop(origin, None)
        self.refused.pop(origin, None)

    def settle(self) -> None:
        """Work out what follows from the tables; to be called once they are as they shall be."""
        self.graph = graph_of(self.jobs)
        self._pools = {f"/{name}": size for name, size in self._host_pools.items()}
        for table in self.tables.values():
            for name, size in table.table.pools.items():
                self._pools.setdefault(f"{table.owner}/{name}", size)
        self.held = dict(self.graph.held)
        for held in (self.choosy, self.alerting, self.promising, self._pipelines):
            held.clear()
        for job in self.jobs.values():
            policy = job.entry.policy
            if policy is PLAIN:
                continue
            reason = self.pool_trouble(job) or self._zone_trouble(job)
            if reason:
                self.held.setdefault(job.id, reason)
            if not policy.enabled or policy.starts_at or policy.expires_at or policy.catchup != "none":
                self.choosy.add(job.id)
            if any(getattr(policy, key) for key in _ALERTS):
                self.alerting.add(job.id)
                if policy.on_late and any(getattr(policy, key) is not None for key in _PROMISES):
                    self.promising.add(job.id)

    def pipeline_of(self, job: Job) -> str:
        """Return the name of the pipeline of `job`, "" for none, as its owner knows it. Each is walked
        once: all of its jobs may have news.
        """
        found = self._pipelines.get((job.owner, job.id))
        if found is None:
            members = [one for one in self.graph.pipeline_of(job.id) if one in self.jobs]
            known = {one: self.jobs[one] for one in members if job.uid in (0, self.jobs[one].uid)}
            found = self.graph.name_of(job.id, known)
            self._pipelines.update(((job.owner, one), found) for one in known)
        return found

    def _zone_trouble(self, job: Job) -> str:
        """Nobody would see that it runs at the times of another zone."""
        name = job.entry.policy.timezone
        return f"there is no time zone {name!r}" if name is not None and not self._is_zone(name) else ""

    def pool_of(self, job: Job) -> str:
        """Return the pool whose slots `job` takes: OWNER/NAME, /NAME for one of the host's, "" for none."""
        name = job.entry.policy.pool
        if name is None:
            return ""
        own = f"{job.owner}/{name}"
        return own if own in self._pools else f"/{name}"

    def size_of(self, pool: str) -> int:
        """Return how many slots `pool` has; 0 for one that there is not."""
        return self._pools.get(pool, 0)

    def pool_trouble(self, job: Job) -> str:
        """Return why no run of `job` can ever get its slots, "" if it can."""
        pool = self.pool_of(job)
        if not pool:
            return ""
        size = self.size_of(pool)
        if not size:
            return f"there is no pool {job.entry.policy.pool!r}"
        if job.entry.policy.pool_slots > size:
            return f"it takes {job.entry.policy.pool_slots} slots, and the pool {pool!r} has {size}"
        return ""
