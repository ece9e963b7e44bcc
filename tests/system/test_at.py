"""at in earnest: a command of a user's runs once, at its moment, and is remembered."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.system.conftest import StartFiles, StartHost
from tests.system.daemon import Crond, wait_for
from tests.system.ground import Ground, People


def put(crond: Crond, *words: str, **options: Any) -> str:
    """Ask for a one-shot; return its name."""
    done = crond.client("at", *words, **options)
    assert done.returncode == 0, done.stderr
    return done.stdout.partition(":")[0]


def told(client: Callable[[], subprocess.CompletedProcess[str]]) -> Any:
    """Return what the client says in JSON, once it says something."""

    def answer() -> str | None:
        done = client()
        return done.stdout if done.returncode == 0 else None

    return json.loads(wait_for(answer, "the client has an answer"))


def test_a_users_command_runs_once(start_host: StartHost, people: People) -> None:
    """As the user who asked, with its percent signs and lines; its run stays in the history, by its name."""
    crond, _ = start_host(dialect="debian")
    crond.up()
    script = "id -un\necho '50%' \\\n  \\%\n"
    name = put(crond, "in 3 seconds", input=script, user=people.ann)
    later = put(crond, "tomorrow 7am", "--", "echo", "later", user=people.ann)
    (run,) = crond.ended(name)
    assert (run["job"], run["outcome"]) == (f"{people.ann.pw_name}/{name}", "success")
    assert crond.output(run["attempt"]).decode() == f"{people.ann.pw_name}\n50% %\n"
    seen = told(lambda: crond.client("history", name, "--json", user=people.ann))
    assert [one["outcome"] for one in seen["runs"]] == ["success"]
    waiting = told(lambda: crond.client("at", "-l", "--json", user=people.ann))
    assert later in {job["job"].partition("/")[2] for job in waiting["jobs"]}
    assert len(crond.runs(name)) == 1


def test_it_survives_a_restart(start_files: StartFiles, ground: Ground) -> None:
    """What was asked for of one life of the daemon runs in the next."""
    folder = ground.new_folder("at")
    (folder / "file").write_text("0 0 31 2 * x\n")
    first = start_files(folder, str(folder / "file"))
    first.up()
    name = put(first, "in 5 seconds", "--", f"echo ran >> {folder}/ran")
    first.end()
    second = start_files(folder, str(folder / "file"))
    second.up()
    (run,) = second.ended(name)
    assert run["outcome"] == "success"
    assert (folder / "ran").read_text() == "ran\n"


def test_what_was_removed_does_not_run(start_files: StartFiles, ground: Ground) -> None:
    """The scheduler forgets it; what was put beside it runs."""
    folder = ground.new_folder("at")
    (folder / "file").write_text("0 0 31 2 * x\n")
    crond = start_files(folder, str(folder / "file"))
    crond.up()
    gone = put(crond, "in 4 seconds", "--", f"echo gone >> {folder}/ran")
    kept = put(crond, "in 4 seconds", "--", f"echo kept >> {folder}/ran")
    done = crond.client("at", "-r", gone)
    assert (done.returncode, done.stdout) == (0, f"{gone}: removed\n")
    crond.ended(kept)
    assert Path(folder / "ran").read_text() == "kept\n"
    assert crond.runs(gone) == []
    assert crond.client("at", "-r", gone).returncode == 4
