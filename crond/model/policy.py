"""A policy: everything that annotations say about one entry, as one value.

The fields are the keys of `crond.model.keys`, without `name`, which is the entry's own; a test holds the two
together. Also owns the order in which what is said in several places counts. Pure; made by
`crond.model.scope`.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from crond.model.dependency import Dependency
from crond.model.schedule import Schedule


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """Times are in seconds, sizes in bytes; None: nothing was said, and what holds is cron's or the host's
    way.
    """

    description: str | None = None
    owner: str | None = None
    tags: tuple[str, ...] = ()

    schedule: Schedule | None = None
    timezone: str | None = None
    jitter: int = 0
    starts_at: datetime | None = None
    expires_at: datetime | None = None
    enabled: bool = True
    catchup: str = "none"
    catchup_window: int = 86400
    start_deadline: int | None = None
    skip_on: tuple[str, ...] = ()

    depends_on: tuple[Dependency, ...] = ()
    trigger_rule: str = "all_success"
    pipeline: str | None = None
    depends_timeout: int = 86400
    depends_on_past: bool = False
    wait_for: str | None = None
    wait_interval: int = 60
    wait_timeout: int = 3600
    condition: str | None = None
    params: tuple[str, ...] = ()

    retries: int = 0
    retry_delay: int = 60
    retry_backoff: float = 1.0
    retry_max_delay: int = 3600
    retry_jitter: int = 0
    retry_on: tuple[str | int, ...] = ("exit", "timeout", "signal")
    timeout: int | None = None
    kill_timeout: int | None = None
    stop_signal: str = "TERM"
    success_codes: tuple[int, ...] = (0,)
    skip_codes: tuple[int, ...] = ()
    fail_on_output: bool = False
    concurrency: str = "allow"
    max_instances: int = 1
    pool: str | None = None
    pool_slots: int = 1
    priority: int = 0
    max_load: float | None = None

    on_failure: tuple[str, ...] = ()
    on_retry: tuple[str, ...] = ()
    on_success: tuple[str, ...] = ()
    on_recovery: tuple[str, ...] = ()
    on_skip: tuple[str, ...] = ()
    on_late: tuple[str, ...] = ()
    late_after: int | None = None
    warn_runtime: int | None = None
    max_time_since_success: int | None = None
    alert_after: int = 1
    alert_cooldown: int = 0
    mail: str = "cron"
    ping: tuple[str, ...] = ()

    env_file: str | None = None
    secret_env: tuple[tuple[str, str], ...] = ()
    working_dir: str | None = None
    umask: int | None = None
    nice: int | None = None
    ionice: str | None = None
    limit_nofile: int | None = None
    memory_max: int | None = None
    cpu_quota: float | None = None
    log_max_size: int | None = None
    keep_runs: int | None = None
    keep_days: float | None = None


#: That of every entry which no key touches.
PLAIN = Policy()


class Said(NamedTuple):
    """The value of a key and where it stands; `value` None clears what is inherited."""

    value: Hashable | None
    line: int = 0
    column: int = 0


#: What one place says: by key.
Layer = Mapping[str, Said]


def policy_of(*layers: Layer) -> Policy:
    """Return what `layers` come to, the weakest first. A key in a later one replaces, as a whole."""
    merged: dict[str, Said] = {}
    for layer in layers:
        merged.update(layer)
    values: dict[str, Any] = {
        key: said.value for key, said in merged.items() if said.value is not None and key != "name"
    }
    return Policy(**values) if values else PLAIN
