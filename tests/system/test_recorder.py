"""The recorder of a host: unprivileged, replaced when it dies, and telling each user what is theirs."""

from __future__ import annotations

import json
import os
import pwd
import signal
import subprocess
from pathlib import Path
from typing import Any

from tests.system.conftest import StartHost
from tests.system.daemon import Crond, as_user, children_of, install, is_alive, name_of, wait_for
from tests.system.ground import People

#: Asks as whoever runs it and prints the answer.
_ASK = """
import json, sys
from crond.cli.client import Connection, Place, Refused
try:
    with Connection(Place(sys.argv[1], ""), "recorder.sock") as connection:
        print(json.dumps(connection.ask(sys.argv[2], **json.loads(sys.argv[3])).body))
except Refused as refused:
    print(json.dumps({"code": refused.code}))
"""


def asked(crond: Crond, user: pwd.struct_passwd | None, verb: str, **arguments: str) -> dict[str, Any]:
    """Return the recorder's answer to `user`, to root if None."""
    done = subprocess.run(
        [crond.ground.python, "-c", _ASK, str(crond.run), verb, json.dumps(arguments)],
        capture_output=True, text=True, timeout=30, check=True, cwd="/", env=crond.ground.environment(),
        **as_user(user),
    )  # fmt: skip
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def recorder_of(crond: Crond, *, other_than: int = 0) -> int:
    def look() -> int | None:
        found = (pid for pid in children_of(crond.pid) if name_of(pid) == "crond-recorder")
        return next((pid for pid in found if pid != other_than), None)

    return wait_for(look, "there is a recorder")


def recorded(crond: Crond, user: pwd.struct_passwd | None) -> list[str]:
    return [run["job"] for run in asked(crond, user, "history").get("runs", [])]


def test_users_are_told_what_is_theirs_and_a_killed_recorder_costs_nothing(
    start_host: StartHost, people: People
) -> None:
    """It runs as the scheduler's account; each sees their own runs; killed, it misses no run."""
    crond, folder = start_host()
    for user in (people.ann, people.ben):
        install(folder, user, f"#: name=job-{user.pw_name}\n0 0 31 2 * echo hello; exit 3\n")
    crond.up()
    wait_for(lambda: len(crond.jobs()) == 2, "both tables are loaded")
    recorder = recorder_of(crond)
    assert Path(f"/proc/{recorder}").stat().st_uid == people.scheduler.pw_uid
    names = {user.pw_name: f"{user.pw_name}/job-{user.pw_name}" for user in (people.ann, people.ben)}
    ann, ben = names.values()

    crond.run_now(ann)
    wait_for(lambda: recorded(crond, people.ann) == [ann], "ann's run is in the history")
    os.kill(recorder, signal.SIGKILL)
    wait_for(lambda: not is_alive(recorder), "it is dead")
    crond.run_now(ben)
    recorder_of(crond, other_than=recorder)
    wait_for(lambda: recorded(crond, None) == [ben, ann], "the run that ended without a recorder is there")

    assert (recorded(crond, people.ann), recorded(crond, people.ben)) == ([ann], [ben])
    [run] = asked(crond, people.ann, "history")["runs"]
    assert (run["exit_code"], run["outcome"], run["run_as"]) == (3, "failed", people.ann.pw_name)
    assert run["uid"] == people.ann.pw_uid
    for verb, arguments in (("show", {"run": run["id"]}), ("why", {"job": ann}), ("stats", {"job": ann})):
        assert asked(crond, people.ben, verb, **arguments) == {"code": "unknown"}
        assert "code" not in asked(crond, people.ann, verb, **arguments)
    assert asked(crond, people.ann, "db") == {"code": "forbidden"}
    assert asked(crond, None, "db", action="check")["problems"] == []


def test_no_user_reads_the_database_itself(start_host: StartHost, people: People) -> None:
    """The folder is the account's alone: neither a path nor a link of theirs leads a user into it."""
    crond, _ = start_host()
    crond.up()
    recorder_of(crond)
    database = crond.state / "history" / "history.db"
    wait_for(database.exists, "the database is there")
    assert (database.parent.stat().st_mode & 0o7777, database.stat().st_uid) == (
        0o700,
        people.scheduler.pw_uid,
    )
    done = subprocess.run(["cat", database], capture_output=True, check=False, cwd="/", **as_user(people.ann))
    assert (done.returncode, b"Permission denied" in done.stderr, done.stdout) == (1, True, b"")
