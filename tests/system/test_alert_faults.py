"""Alerts when things go wrong: receivers that misbehave, processes that are killed, secrets everywhere."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from tests.receivers import http
from tests.receivers.http import HttpReceiver, answer
from tests.system.conftest import StartHost
from tests.system.daemon import Crond, children_of, descendants_of, name_of, wait_for
from tests.system.ground import Ground, People
from tests.system.test_alerts import NEVER, Place, hook, place_with

__all__ = ("hook",)

FAILS = f"#: name=fails on_failure=HOOK/a\n{NEVER} exit 2\n#: name=works\n{NEVER} true\n"


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (answer(500), "answered 500"),
        (answer(429), "answered 429"),
        (http.DROP, "closed the connection"),
        (http.HANG, "time limit"),
        (http.HALF, "closed the connection"),
    ],
    ids=["500", "429", "drop", "hang", "half"],
)
def test_a_receiver_that_fails_once(
    ground: Ground,
    people: People,
    start_host: StartHost,
    hook: HttpReceiver,
    fault: Callable[..., None],
    said: str,
) -> None:
    """What it did not take waits, and says why; jobs run on; tried again it arrives, with the same key."""
    settings = "[alerts]\nsettle = 0\nmessage_time_limit = 4\n"
    place = place_with(FAILS, ground, people, start_host, hook, settings)
    hook.then(fault)
    place.run("fails")

    def waits() -> bool:
        told = place.alerts()
        return bool(told) and told[0]["state"] == "pending" and said in told[0]["error"]

    wait_for(lambda: waits() or None, f"the alert waits: {said}")
    assert place.run("works")["outcome"] == "success"
    assert place.crond.client("alerts", "retry").returncode == 0
    told = place.settled(1)
    assert [one["state"] for one in told] == ["sent"]
    assert len({one.headers["idempotency-key"] for one in hook.requests}) == 1


def test_a_receiver_that_refuses(
    ground: Ground,
    people: People,
    start_host: StartHost,
    hook: HttpReceiver,
) -> None:
    """What it will never take is given up at once, loudly, and whoever cares for the host hears of it."""
    settings = f'[alerts]\nsettle = 0\non_trouble = "json://{hook.address}/trouble"\n'
    place = place_with(FAILS, ground, people, start_host, hook, settings)
    hook.then(answer(404))
    place.run("fails")
    told = place.settled(2)
    assert {(one["event"], one["state"]) for one in told} == {("failure", "failed"), ("trouble", "sent")}
    place.crond.line("is given up: answered 404", errors=True)
    trouble = hook.wait_for(2)[1]
    assert (trouble.path, "not delivered" in trouble.json()["title"]) == ("/trouble", True)
    assert hook.address not in trouble.json()["message"]


def worker(crond: Crond, name: str) -> int | None:
    return next((pid for pid in children_of(crond.pid) if name_of(pid) == name), None)


def replaced(crond: Crond, name: str, dead: int) -> int | None:
    pid = worker(crond, name)
    return None if pid == dead else pid


def test_whoever_dies_each_message_comes_once(
    ground: Ground,
    people: People,
    start_host: StartHost,
    hook: HttpReceiver,
) -> None:
    """Recorder and scheduler are killed while alerts are decided, kept and sent: each arrives once."""
    jobs = "".join(f"#: name=job{n} on_failure=HOOK/{n}\n{NEVER} exit {n + 1}\n" for n in range(12))
    place = place_with(jobs, ground, people, start_host, hook, "[alerts]\nsettle = 0\n")
    for number in range(12):
        place.run(f"job{number}")
        name = "crond-recorder" if number % 2 else "crond-scheduler"
        pid = worker(place.crond, name)
        if pid is not None and number < 8:
            os.kill(pid, signal.SIGKILL)
            wait_for(partial(replaced, place.crond, name, pid), f"another {name}")
    told = place.settled(12)
    assert [one["state"] for one in told] == ["sent"] * 12
    assert sorted(one.path for one in hook.requests) == sorted(f"/{number}" for number in range(12))


SECRETS = """\
#: name=leaks secret_env=TOKEN=file:{file} on_failure=json://hook:hunter2@{address}/s3cr3t-path
0 0 31 2 * echo "the token is $TOKEN"; sleep 1; exit 1
"""


def test_secrets_are_nowhere(
    ground: Ground,
    people: People,
    start_host: StartHost,
    hook: HttpReceiver,
) -> None:
    """A secret of the environment that a job prints, and those of a URL, are in no message, log, history or
    status, in no list of processes, and in no file of the daemon but the crontab and the output itself.
    """
    file = Path(people.ann.pw_dir) / "token"
    file.write_text("t0p-s3cret-value\n")
    file.chmod(0o600)
    os.chown(file, people.ann.pw_uid, people.ann.pw_gid)
    crontab = SECRETS.format(file=file, address=hook.address)
    place = place_with(crontab, ground, people, start_host, hook)
    lists: list[str] = []
    place.crond.client("run", f"{place.user}/leaks")

    def told() -> bool:
        lists.extend(command_lines(place.crond))
        return bool(hook.requests)

    wait_for(lambda: told() or None, "the alert arrives")
    place.settled(1)
    body = hook.requests[0].body.decode()
    assert "the token is ***" in json.loads(body)["message"]
    logs = "\n".join([*place.crond.lines, *place.crond.errors])
    verbs = (("status",), ("history",), ("show", f"{place.user}/leaks"), ("alerts",), ("list",))
    shown = "".join(place.crond.client(*words, "--json").stdout for words in verbs)
    kept = b"".join(path.read_bytes() for path in files_of_daemon(place))
    for secret in ("t0p-s3cret-value", "hunter2", "s3cr3t-path"):
        assert secret not in body.replace("/s3cr3t-path", "")
        assert secret not in logs
        assert secret not in shown
        assert not any(secret in one for one in lists)
        assert secret.encode() not in kept


def command_lines(crond: Crond) -> list[str]:
    """Return the command lines of all its processes, but of those of the job itself."""
    found = []
    for pid in [crond.pid, *descendants_of(crond.pid)]:
        try:
            found.append(
                Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            )
        except OSError:
            continue
    return found


def files_of_daemon(place: Place) -> list[Path]:
    """Return what it keeps of its own: journal, history, outbox."""
    state = place.folder / "state"
    return [
        path
        for folder in ("scheduler", "history")
        for path in (state / folder).rglob("*")
        if path.is_file() and not path.is_socket()
    ]
