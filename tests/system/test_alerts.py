"""Alerts from the real daemon at real receivers: each event once, with what a person needs to act on it."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.receivers.http import HttpReceiver, Request
from tests.receivers.smtp import SmtpReceiver
from tests.system.conftest import StartHost
from tests.system.daemon import Crond, host_folder, install, wait_for
from tests.system.ground import Ground, People

NEVER = "0 0 31 2 *"
#: News of a test is told at once, but for what comes together.
SETTINGS = "[alerts]\nsettle = 0.3\n"


@dataclass
class Place:
    """A host with a webhook, and a user's crontab."""

    crond: Crond
    folder: Path
    user: str
    hook: HttpReceiver

    def run(self, job: str) -> dict[str, Any]:
        return self.crond.run_now(f"{self.user}/{job}")

    def alerts(self, **wanted: str) -> list[dict[str, Any]]:
        told = self.crond.client("alerts", "--json", *(f"--{key}={value}" for key, value in wanted.items()))
        if "no outbox of alerts yet" in told.stderr:
            return []
        assert told.returncode == 0, told.stderr
        found: list[dict[str, Any]] = json.loads(told.stdout)["alerts"]
        return found

    def settled(self, count: int) -> list[dict[str, Any]]:
        """Return all alerts, once there are `count` and none of them waits."""

        def look() -> list[dict[str, Any]] | None:
            held = self.alerts()
            done = len(held) >= count and all(one["state"] not in ("pending", "sending") for one in held)
            return held if done else None

        return wait_for(look, f"{count} alerts are delivered")


@pytest.fixture
def hook() -> Iterator[HttpReceiver]:
    with HttpReceiver() as receiver:
        yield receiver


def place_with(
    crontab: str,
    ground: Ground,
    people: People,
    start_host: StartHost,
    hook: HttpReceiver,
    settings: str = "",
) -> Place:
    folder = host_folder(ground, people, dialect="cronie")
    with (folder / "settings.toml").open("a") as file:
        file.write(settings or SETTINGS)
    install(folder, people.ann, crontab.replace("HOOK", f"json://{hook.address}"))
    (Path(people.ann.pw_dir) / "ok").unlink(missing_ok=True)
    crond, _ = start_host(folder=folder)
    crond.up()
    wait_for(lambda: crond.jobs() or None, "the crontab is loaded")
    return Place(crond, folder, people.ann.pw_name, hook)


def titles(requests: list[Request]) -> dict[str, list[str]]:
    """Return the titles that came, by path."""
    found: dict[str, list[str]] = {}
    for one in requests:
        found.setdefault(one.path.strip("/"), []).append(one.json()["title"])
    return found


EVENTS = """\
#: name=fails retries=1 retry_delay=1s on_failure=HOOK/failure on_retry=HOOK/retry on_recovery=HOOK/recovery
#: on_success=HOOK/success
0 0 31 2 * test -e ok || {{ echo "no such table: orders"; exit 2; }}
#: name=skips skip_codes=75 on_skip=HOOK/skip
0 0 31 2 * exit 75
#: name=slow warn_runtime=1s on_late=HOOK/late
0 0 31 2 * test -e ok || sleep 7
#: name=watched ping=http://{address}/ping/a?x=1
0 0 31 2 * test -e ok || {{ echo "no ok"; exit 3; }}
"""


def test_each_event_arrives_once(
    ground: Ground, people: People, start_host: StartHost, hook: HttpReceiver
) -> None:
    """Failure after its retry, recovery, success, skip, lateness and its end: one message each, and it says
    what happened, what it wrote, and what shows more.
    """
    crontab = EVENTS.format(address=hook.address)
    place = place_with(crontab, ground, people, start_host, hook)
    job = f"{place.user}/fails"
    # Promises are judged once the daemon has been up for five seconds.
    assert place.crond.client("run", f"{place.user}/slow").returncode == 0
    failed = place.run("fails")
    place.run("skips")
    place.run("watched")
    hook.wait_for(6, 30)
    place.crond.ended(f"{place.user}/slow")
    (Path(people.ann.pw_dir) / "ok").touch()
    place.run("fails")
    place.run("slow")
    place.run("watched")
    found = place.settled(12)
    came = titles([one for one in hook.requests if not one.path.startswith("/ping")])
    assert {path: len(titled) for path, titled in came.items()} == {
        "failure": 2, "retry": 1, "recovery": 1, "success": 1, "skip": 1, "late": 2,
    }  # fmt: skip
    assert re.fullmatch(r"\[\S+\] .*fails failed \(exit 2\) — crontabx", came["failure"][0])
    body = next(one for one in hook.requests if one.path == "/failure").json()["message"]
    for said in ("no such table: orders", f"crontabx logs {failed['id']}", "exit", "2"):
        assert said in body, (said, body)
    assert all(one["state"] == "sent" for one in found), found
    assert job in {one["job"] for one in found}
    keys = [one.headers["idempotency-key"] for one in hook.requests]
    assert len(set(keys)) >= 9


def test_pings_say_start_and_end(
    ground: Ground, people: People, start_host: StartHost, hook: HttpReceiver
) -> None:
    """A watcher hears of each start and each end, under one id; of a failure, with the end of its output."""
    crontab = EVENTS.format(address=hook.address)
    place = place_with(crontab, ground, people, start_host, hook)
    place.run("watched")
    start, fail = hook.wait_for(2, 20)
    assert start.path.startswith("/ping/a/start?x=1&rid=")
    assert fail.path.startswith("/ping/a/fail?x=1&rid=")
    assert start.path.partition("rid=")[2] == fail.path.partition("rid=")[2]
    assert b"no ok" in fail.body
    (Path(people.ann.pw_dir) / "ok").touch()
    place.run("watched")
    assert [one.path.partition("?")[0] for one in hook.wait_for(4, 20)[2:]] == ["/ping/a/start", "/ping/a"]


def test_many_failures_are_one_digest(
    ground: Ground, people: People, start_host: StartHost, hook: HttpReceiver
) -> None:
    """500 jobs that fail at one moment are one message, and every failure is in the history."""
    at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 6))
    jobs = "".join(f"#: name=job{n}\n@at {at} exit 1\n" for n in range(500))
    crontab = f"#: defaults on_failure=HOOK/all\n{jobs}"
    place = place_with(crontab, ground, people, start_host, hook, "[alerts]\nsettle = 3\n")
    hook.wait_for(1, 60)
    told = place.settled(1)
    assert [(one["flips"], one["state"]) for one in told] == [(500, "sent")]
    assert len(hook.requests) == 1
    assert "500 failures" in hook.requests[0].json()["title"]
    found = place.crond.client("history", "--failed", "-n", "1000", "--json")
    assert len(json.loads(found.stdout)["runs"]) == 500


def test_a_mail_address_goes_through_a_server(
    ground: Ground, people: People, start_host: StartHost, hook: HttpReceiver
) -> None:
    """An address is told through the host's mailer, here a server, and has the key in its Message-ID."""
    with SmtpReceiver() as server:
        settings = f'{SETTINGS}[mail]\nsmtp = "{server.address}"\nsmtp_security = "none"\n'
        crontab = f"#: name=fails on_failure=ops@example.org mail=never\n{NEVER} echo gone; exit 4\n"
        folder = host_folder(ground, people, dialect="cronie")
        with (folder / "settings.toml").open("a") as file:
            file.write(settings)
        install(folder, people.ann, crontab)
        crond, _ = start_host(folder=folder, mail=True)
        place = Place(crond.up(), folder, people.ann.pw_name, hook)
        place.run("fails")
        letter = server.wait_for(1, 20)[0]
        assert letter.recipients == ["ops@example.org"]
        assert "fails failed (exit 4)" in letter.message["Subject"]
        assert "gone" in letter.message.get_content()
        assert letter.message["Auto-Submitted"] == "auto-generated"
        (known_by,) = letter.message.get_all("Message-ID", [])
        assert known_by.startswith("<crontabx.")
        assert len(place.settled(1)) == 1
        assert len(server.letters) == 1


def test_down_and_back(ground: Ground, people: People, start_host: StartHost, hook: HttpReceiver) -> None:
    """A job that did not start since the daemon was down is told of when it is back, with the right instant;
    one whose line vanished meanwhile is not.
    """
    line = "#: name={} late_after=1s on_late=HOOK/late\n@every 4s true\n"
    place = place_with(line.format("stays") + line.format("goes"), ground, people, start_host, hook)
    place.crond.ended(f"{place.user}/stays")
    place.crond.end()
    down = time.time()
    kept = line.format("stays").replace("HOOK", f"json://{hook.address}")
    install(place.folder, people.ann, kept)
    missed = (down // 4 + 1) * 4
    time.sleep(missed + 1 - time.time())
    crond, _ = start_host(folder=place.folder)
    crond.up()
    told = hook.wait_for(1, 20)
    assert [one.path for one in told] == ["/late"]
    assert "stays" in told[0].json()["title"]
    assert time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(missed)) in told[0].json()["message"]
