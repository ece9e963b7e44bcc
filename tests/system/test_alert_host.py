"""What a host tells of itself, and trying it out: a crontab that does not load, heartbeats, `notify`."""

from __future__ import annotations

import json
from pathlib import Path

from tests.receivers.http import HttpReceiver, answer
from tests.system.conftest import StartHost
from tests.system.daemon import wait_for
from tests.system.ground import Ground, People
from tests.system.test_alerts import NEVER, hook, place_with

__all__ = ("hook",)


def test_a_crontab_that_does_not_load(
    ground: Ground,
    people: People,
    start_host: StartHost,
    hook: HttpReceiver,
) -> None:
    """Whoever cares for the host is told once, by the file's name and cron's own word."""
    settings = f'[alerts]\nsettle = 0\non_trouble = "json://{hook.address}/trouble"\n'
    crontab = f"#: name=a on_success=HOOK/ok\n{NEVER} true\n"
    place = place_with(crontab, ground, people, start_host, hook, settings)
    file = place.folder / "cron.d" / "backup"
    file.write_text("0 3 * * * root backup\n")
    file.chmod(0o666)
    told = hook.wait_for(1, 30)[0].json()
    assert str(file) in told["title"]
    # It is looked at again, and still not obeyed: what follows is news of something else.
    file.chmod(0o646)
    place.run("a")
    assert [one["event"] for one in place.settled(2)] == ["success", "trouble"]
    assert [one.path for one in hook.requests] == ["/trouble", "/ok"]


def test_heartbeats(
    ground: Ground,
    people: People,
    start_host: StartHost,
    hook: HttpReceiver,
) -> None:
    """While the daemon is well somebody elsewhere is asked for; no job is needed for that."""
    settings = f'[alerts]\nheartbeat = "{hook.url}/beat"\nheartbeat_interval = 10\n'
    place_with(f"#: name=a\n{NEVER} true\n", ground, people, start_host, hook, settings)
    assert [one.path for one in hook.wait_for(1, 30)] == ["/beat"]


CRONTAB = f"""\
#: name=a on_failure=HOOK/a on_failure=nowhere ping=http://ADDRESS/ping
{NEVER} true
"""


def test_trying_it_out(
    ground: Ground,
    people: People,
    start_host: StartHost,
    hook: HttpReceiver,
) -> None:
    """Each target of the crontab says what it said, and one given by hand; a failure is an exit status."""
    crontab = CRONTAB.replace("ADDRESS", hook.address)
    place = place_with(crontab, ground, people, start_host, hook)
    wait_for(lambda: len(place.crond.jobs()) == 1, "the crontab is loaded")
    told = place.crond.client("notify", "--test", "--json", user=people.ann)
    results = {one["target"]: one["result"] for one in json.loads(told.stdout)["targets"]}
    assert results == {"json://...": "sent", "nowhere": "never", "http://...": "sent"}
    assert told.returncode == 1
    assert {one.path.partition("?")[0] for one in hook.requests} == {"/a", "/ping"}

    secret = f"json://me:hunter2@{hook.address}/by-hand"
    hook.then(answer(500))
    by_hand = place.crond.client("notify", "--test", "-", user=people.ann, input=f"{secret}\n")
    assert (by_hand.returncode, "answered 500" in by_hand.stdout) == (1, True)
    assert place.crond.client("notify", "--test", secret).returncode == 0
    assert "hunter2" not in "\n".join([*place.crond.lines, *place.crond.errors, by_hand.stdout])
    assert not Path(place.folder / "state" / "history" / "outbox.db").exists() or place.alerts() == []
    other = place.crond.client("notify", "--test", "-u", people.ann.pw_name, user=people.ben)
    assert other.returncode == 1
    assert "privileged" in other.stderr
