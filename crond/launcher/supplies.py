"""What stage 2 is asked to do for an entry with `env_file` or `secret_env`: see `crond.launcher.supplying`.

Owns who may name what, and how a Program becomes one that goes through that step. Knows where values lie and
holds none but those of the daemon's own environment, which go into a start's and nowhere else. Called by
programs; the launcher puts it into each start.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from crond.launcher.assistants import boot_words
from crond.launcher.policies import NotAllowed
from crond.launcher.spawn import Program
from crond.launcher.supplying import REQUEST
from crond.model.policy import Policy

#: Who the job runs as is not a file's to say, as it is not a crontab's.
_WHO = ("LOGNAME", "USER")


@dataclass(frozen=True, slots=True, kw_only=True)
class Supply:
    """Where an entry's own variables come from. `secrets` are names with sources; `given` are values."""

    package: str
    env_file: bytes | None
    secrets: tuple[tuple[str, str], ...]
    given: Mapping[bytes, bytes]

    def through(self, program: Program, kept: Iterable[str]) -> Program:
        """Return `program` by way of stage 2. No file sets a variable that is in `kept`."""
        locale = program.environment.get(b"LC_CTYPE")
        who = [name for name in _WHO if os.fsencode(name) in program.environment]
        asked = {
            "env_file": None if self.env_file is None else os.fsdecode(self.env_file),
            "secrets": self.secrets,
            "kept": [*who, *kept, *map(os.fsdecode, self.given)],
            "locale": None if locale is None else os.fsdecode(locale),
        }
        words = boot_words("supplying", self.package)
        return replace(
            program,
            path=words[0],
            arguments=(*words, program.path, *program.arguments[1:]),
            environment={**program.environment, **self.given, REQUEST.encode(): json.dumps(asked).encode()},
        )


def supply_for(
    policy: Policy, *, package: str, home: bytes, daemon: Mapping[str, str], trusted: bool
) -> Supply | None:
    """Return the supply of an entry, None if it needs none. `daemon` is the environment we were started with.

    Raises NotAllowed: what is in that is root's, and only who is `trusted` may have it.
    """
    if policy.env_file is None and not policy.secret_env:
        return None
    given, secrets = {}, []
    for name, source in policy.secret_env:
        kind, _, place = source.partition(":")
        if kind == "env" and not trusted:
            raise NotAllowed(f"secret_env: {name}: the daemon's environment is only for root's crontabs")
        if kind == "env" and place in daemon:
            given[os.fsencode(name)] = os.fsencode(daemon[place])
        else:
            secrets.append((name, source))
    return Supply(
        package=package,
        env_file=None if policy.env_file is None else os.path.join(home, os.fsencode(policy.env_file)),
        secrets=tuple(secrets),
        given=given,
    )
