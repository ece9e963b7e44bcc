"""`crond FILE`: a crontab of one's own, in the foreground, without privilege."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from crond.model.entry import random_delay_factor
from tests.system.conftest import StartFiles
from tests.system.daemon import Crond, is_alive, wait_for
from tests.system.ground import Ground, People

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def folder(ground: Ground) -> Path:
    return ground.new_folder("files")


def write(path: Path, text: str) -> str:
    """Replace `path` as an editor does, in one step; return its name."""
    fresh = path.with_name(f".{path.name}.new")
    fresh.write_text(text)
    fresh.rename(path)
    return str(path)


def names(crond: Crond) -> set[str]:
    return {job.partition("/")[2] for job in crond.jobs()}


def test_the_first_example_shows_itself_within_fifteen_seconds(folder: Path) -> None:
    """The README's first command: jobs start, one fails, and what they wrote is seen."""
    script = Path(sys.executable).with_name("crond")
    if not script.exists():
        pytest.skip(f"crontabx is not installed beside {sys.executable}")
    began = time.monotonic()
    process = subprocess.Popen(
        [script, ROOT / "examples" / "first.crontab"],
        env={**os.environ, "XDG_STATE_HOME": str(folder)},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    wanted = {
        "hello: started",
        "hello | hello from ",
        "hello: ended, exit status 0",
        "fails | cannot reach the moon",
        "fails: ended, exit status 2",
        "sorted | apple",
    }
    try:
        assert process.stdout is not None
        for line in process.stdout:
            wanted -= {text for text in wanted if text in line}
            if not wanted:
                break
        assert not wanted
        assert time.monotonic() - began < 15
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=20)
    assert process.returncode == 0
    assert (folder / "crontabx" / "run").is_dir()


def test_all_output_of_a_job_is_shown_before_its_end(start_files: StartFiles, folder: Path) -> None:
    """Lines carry the job's name, are never mixed within a line, and come before the line of the end."""
    table = "".join(
        f"#: name=job{n}\n"
        f"@every 1s for i in 1 2 3 4 5; do echo {n}-$i; echo {n}-err >&2; done; printf {n}-last\n"
        for n in range(5)
    )
    crond = start_files(folder, write(folder / "tab", table)).up()
    for n in range(5):
        crond.line(f"job{n}: ended", count=2)
        mine = [line for line in crond.lines if line.startswith(f"job{n} | ") or f" job{n}: " in line]
        first = mine[1 : [f"job{n}: ended" in line for line in mine].index(True)]
        expected = [f"job{n} | {n}-{what}" for i in range(1, 6) for what in (i, "err")] + [
            f"job{n} | {n}-last"
        ]
        assert first == expected


def test_lines_as_json(start_files: StartFiles, folder: Path) -> None:
    """--log-format json: every line of stdout and stderr is one JSON object."""
    crond = start_files(
        folder,
        write(folder / "tab", "#: name=a\n@every 1s printf 'x\\377\\n'; exit 4\n"),
        "--log-format",
        "json",
    )
    crond.line('"ended"', count=2)
    events = [json.loads(line) for line in crond.lines]
    assert [event["event"] for event in events[:3]] == ["started", "output", "ended"]
    assert (events[1]["text"], events[2]["exit_code"]) == ("x\udcff", 4)
    assert all(json.loads(line)["message"] for line in crond.errors)


def test_a_second_daemon_on_one_state_is_refused(start_files: StartFiles, folder: Path) -> None:
    """It names the state and the pid of the first, ends with 1, and the first goes on."""
    tab = write(folder / "tab", "#: name=a\n@every 1s true\n")
    first = start_files(folder, tab).up()
    second = start_files(folder, tab)
    assert second.wait() == 1
    [said] = second.errors
    assert said.startswith(f"crond: {folder}/state is in use by the crond with pid {first.pid};")
    assert "--state" in said
    assert first.run_now("a")["outcome"] == "success"
    assert first.end() == 0
    third = start_files(folder, tab).up()
    assert third.end() == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_end_waits_for_running_jobs(start_files: StartFiles, folder: Path, number: int) -> None:
    """TERM and INT drain: nothing new starts, what runs may finish, its output is shown, exit status 0."""
    gate = folder / "gate"
    tab = write(
        folder / "tab",
        f"#: name=long\n0 0 31 2 * while [ ! -e {gate} ]; do sleep 0.1; done; echo finished\n"
        "#: name=tick\n@every 1s true\n",
    )
    crond = start_files(folder, tab).up()
    crond.ask("run", job="long")
    crond.line("long: started")
    crond.line("tick: ended")
    crond.process.send_signal(number)
    crond.line("Shutting down", errors=True)
    asked = len([line for line in crond.lines if "tick: started" in line])
    crond.line("waiting up to 30 s for", errors=True)
    assert is_alive(crond.pid)
    gate.touch()
    assert crond.wait() == 0
    assert crond.lines[-2:] == ["long | finished", crond.lines[-1]]
    assert "long: ended, exit status 0" in crond.lines[-1]
    assert len([line for line in crond.lines if "tick: started" in line]) <= asked + 1


def test_a_second_term_ends_jobs(start_files: StartFiles, folder: Path) -> None:
    """Who asks twice does not want to wait: the jobs get TERM, and the daemon ends with them."""
    crond = start_files(folder, write(folder / "tab", "#: name=long\n0 0 31 2 * exec sleep 300\n")).up()
    crond.ask("run", job="long")
    crond.line("long: started")
    crond.process.send_signal(signal.SIGTERM)
    crond.line("waiting up to", errors=True)
    crond.process.send_signal(signal.SIGTERM)
    assert crond.wait() == 0
    assert "killed by SIGTERM" in crond.line("long: ended")


def test_an_edit_is_noticed_at_once(start_files: StartFiles, folder: Path) -> None:
    """Written in place, renamed over, removed, and there again: each is seen through inotify."""
    path = folder / "tab"
    crond = start_files(folder, write(path, "#: name=one\n@every 1h true\n")).up()
    wait_for(lambda: names(crond) == {"one"}, "the table is read")
    write(path, "#: name=two\n@every 1h true\n")
    wait_for(lambda: names(crond) == {"two"}, "a rename is noticed", seconds=5)
    path.write_text("#: name=three\n@every 1h true\n")
    wait_for(lambda: names(crond) == {"three"}, "a write is noticed", seconds=5)
    path.unlink()
    wait_for(lambda: names(crond) == set(), "the removal is noticed", seconds=5)
    write(path, "#: name=four\n@every 1h true\n")
    wait_for(lambda: names(crond) == {"four"}, "the new file is noticed", seconds=5)


def test_hup_reads_again_without_inotify(start_files: StartFiles, folder: Path) -> None:
    """With -i nothing is noticed until the minute; HUP and URG look at once."""
    path = folder / "tab"
    crond = start_files(folder, "-i", write(path, "#: name=one\n@every 1h true\n")).up()
    for name, number in (("two", signal.SIGHUP), ("three", signal.SIGURG)):
        write(path, f"#: name={name}\n@every 1h true\n")
        crond.process.send_signal(number)
        wait_for(lambda name=name: names(crond) == {name}, "the edit is read", seconds=5)  # type: ignore[misc]
    assert crond.end() == 0


def test_a_mounted_config_map_is_swapped(start_files: StartFiles, folder: Path) -> None:
    """Kubernetes turns the link ..data to a new folder; the file's own link never changes."""
    mount = folder / "mount"
    for version, name in (("v1", "one"), ("v2", "two")):
        (mount / version).mkdir(parents=True)
        (mount / version / "crontab").write_text(f"#: name={name}\n@every 1h true\n")
    (mount / "..data").symlink_to("v1")
    (mount / "crontab").symlink_to("..data/crontab")
    crond = start_files(folder, str(mount / "crontab")).up()
    wait_for(lambda: names(crond) == {"one"}, "the table is read")
    (mount / "..data_tmp").symlink_to("v2")
    (mount / "..data_tmp").rename(mount / "..data")
    wait_for(lambda: names(crond) == {"two"}, "the swap is noticed", seconds=5)


def test_random_delay_of_the_daemon_shifts_its_jobs(start_files: StartFiles, folder: Path) -> None:
    """As with cronie, RANDOM_DELAY in the daemon's own environment counts where a crontab sets none."""
    path = write(folder / "tab", "0 0 1 1 * true\nRANDOM_DELAY=0\n0 0 1 1 * false\n")
    environment = {"RANDOM_DELAY": "60", "CRONTABX_SEED": "1", "TZ": "UTC"}
    crond = start_files(folder, "--dialect=cronie", path, environment=environment).up()
    shift = int(60 * random_delay_factor(1))
    assert [job["next"][4:] for job in crond.ask("list")["jobs"]] == [
        f"-01-01T00:{shift:02}:00Z",
        "-01-01T00:00:00Z",
    ]


def test_a_single_instance_never_runs_beside_itself(start_files: StartFiles, folder: Path) -> None:
    """`-s`: while a job lives its instants are left out, and the run says why; then it runs again."""
    gate = folder / "gate"
    os.mkfifo(gate)
    path = write(folder / "tab", f"#: name=one\n@every 1s -s cat {gate}\n")
    crond = start_files(folder, "--dialect=cronie", path).up()

    def outcomes() -> set[str]:
        return {run["outcome"] for run in crond.runs("one") if run["outcome"]}

    wait_for(lambda: outcomes() == {"skipped"}, "a second instant is left out")
    assert len([run for run in crond.runs("one") if run["state"] == "running"]) == 1
    assert crond.ask("list")["jobs"][0]["options"] == "-s"
    gate.write_text("on")
    wait_for(lambda: "success" in outcomes(), "it ends")
    wait_for(lambda: any(run["state"] == "running" for run in crond.runs("one")), "it runs again")
    assert "the run before it was still alive" in {run["reason"] for run in crond.runs("one")}
    gate.write_text("and off")


def test_reboot_jobs_run_once_per_boot(start_files: StartFiles, folder: Path) -> None:
    """A second daemon on the same state in the same boot does not run @reboot again."""
    proof = folder / "proof"
    tab = write(folder / "tab", f"#: name=boot\n@reboot echo up >> {proof}\n#: name=a\n@every 1s true\n")
    first = start_files(folder, tab).up()
    first.line("boot: ended, exit status 0")
    # Nor does it run because the table is another one now.
    write(folder / "tab", f"#: name=boot\n@reboot echo up >> {proof}\n#: name=b\n@every 1s true\n")
    first.line("b: ended")
    assert first.end() == 0
    second = start_files(folder, tab).up()
    second.line("b: ended")
    assert second.end() == 0
    assert proof.read_text() == "up\n"


def test_an_unprivileged_user_runs_it(start_files: StartFiles, ground: Ground, people: People) -> None:
    """All processes are the user's, so are the files of the state, and no other user reads them."""
    folder = ground.new_folder("bens", owner=people.ben)
    tab = folder / "tab"
    tab.write_text("#: name=me\n@every 1s id -un; pwd\n")
    crond = start_files(folder, str(tab), user=people.ben).up()
    crond.line(f"me | {people.ben.pw_name}")
    run = crond.ended("me")[0]
    assert run["outcome"] == "success"
    for pid in (crond.pid, crond.scheduler_pid()):
        assert Path(f"/proc/{pid}").stat().st_uid == people.ben.pw_uid
    for path in (folder / "state").rglob("*"):
        assert path.lstat().st_uid == people.ben.pw_uid
    assert (folder / "state").stat().st_mode & 0o777 == 0o700
    own = crond.client("logs", "me", user=people.ben)
    assert own.stdout.splitlines()[0] == people.ben.pw_name
    other = crond.client("list", user=people.ann)
    assert other.returncode == 3
    assert "Permission denied" in other.stderr
    assert crond.end() == 0


def test_the_daemons_environment_is_inherited_unless_it_is_to_be_clean(
    start_files: StartFiles, ground: Ground
) -> None:
    """A container sets variables and expects its jobs to see them; what speaks to a supervisor stays away."""
    given = {
        "DATABASE_URL": "x",
        "NOTIFY_SOCKET": "/nonexistent",
        "WATCHDOG_USEC": "60000000",
        "LANG": "C.UTF-8",
    }
    seen: list[set[str]] = []
    for flags in ((), ("--clean-env",)):
        folder = ground.new_folder("files")
        tab = write(folder / "tab", "#Ansible: env\n@every 1s cat /proc/$$/environ; true\n")
        crond = start_files(folder, tab, *flags, "--no-echo", "--dialect", "cronie", environment=given).up()
        output = crond.output(crond.ended("env")[0]["attempt"])
        seen.append({pair.partition("=")[0] for pair in output.decode().split("\0") if pair})
        assert not [line for line in crond.lines if " | " in line]
        assert crond.end() == 0
    inherited, clean = seen
    assert {"DATABASE_URL", "PYTHONPATH", "SHELL", "HOME", "LOGNAME", "USER", "PATH", "LANG"} == inherited
    assert {"SHELL", "HOME", "LOGNAME", "USER", "PATH", "LANG"} == clean


@pytest.mark.parametrize("how", ["closed", "blocked", "broken"])
def test_a_stdout_that_nobody_reads_stops_no_job(start_files: StartFiles, folder: Path, how: str) -> None:
    """With stdout closed crond ended in a traceback; a full or broken one must stop nothing either."""
    proof = folder / "proof"
    tab = write(
        folder / "tab",
        f"#: name=loud\n@every 1s head -c 300000 /dev/zero | tr '\\0' 'x' | fold; echo ran >> {proof}\n",
    )
    reading, writing = os.pipe()
    if how == "closed":
        crond = start_files(folder, tab, preexec_fn=lambda: os.close(1), stdout=None)
    else:
        crond = start_files(folder, tab, stdout=writing)
    os.close(writing)
    if how == "broken":
        os.close(reading)
    wait_for(lambda: proof.exists() and proof.read_text().count("ran") >= 4, "jobs run on")
    run = crond.ended("loud")[0]
    assert (run["outcome"], run["output_size"]) == ("success", 303749)
    assert crond.end() == 0
    if how != "broken":
        os.close(reading)


def test_a_job_that_empties_its_own_output_is_shown_on(start_files: StartFiles, folder: Path) -> None:
    """`> /dev/stdout` empties the file of who may open it: what was shown stays, what follows is shown."""
    tab = write(
        folder / "tab", "#: name=e\n@every 1s echo first; sleep 0.3; echo second > /dev/stdout; echo third\n"
    )
    crond = start_files(folder, tab).up()
    crond.line("e: ended", count=2)
    assert Counter(line for line in crond.lines if line == "e | third")["e | third"] >= 2
    assert crond.end() == 0


def test_a_crontab_from_standard_input(start_files: StartFiles, folder: Path) -> None:
    """`crond -` reads the table once, from a pipe."""
    crond = start_files(folder, "-", stdin=subprocess.PIPE)
    assert crond.process.stdin is not None
    crond.process.stdin.write(b"#: name=piped\n@every 1s echo through the pipe\n")
    crond.process.stdin.close()
    crond.line("piped | through the pipe")
    assert crond.end() == 0


@pytest.mark.parametrize(
    ("text", "words"),
    [(None, "No such file or directory"), ("fifo", "not a regular file"), ("folder", "is a directory")],
)
def test_what_cannot_be_read_is_named(
    start_files: StartFiles, folder: Path, text: str | None, words: str
) -> None:
    """A FILE that is none ends the start with 1 and a line that names it."""
    path = folder / "tab"
    if text == "fifo":
        os.mkfifo(path)
    elif text == "folder":
        path.mkdir()
    crond = start_files(folder, str(path))
    assert crond.wait() == 1
    assert str(path) in crond.errors[0]
    assert words in crond.errors[0]


def test_an_annotation_in_error_stops_no_job(start_files: StartFiles, folder: Path) -> None:
    """The entry runs without what is wrong, under Debian's rules, too; log and `status` name it. What
    waits for others is held: it does not run before them.
    """
    tab = write(
        folder / "tab",
        "#: name=good retires=3\n@every 1s true\n#: name=held depends_on=godo schedule=@after\n"
        "* * * * * touch late\n"
        "#: name=too schedule='@every 1s'\n0 0 30 2 * true\n",
    )
    crond = start_files(folder, tab, "--dialect", "debian").up()
    crond.line("good: ended, exit status 0")
    crond.line("too: ended, exit status 0")
    errors = [one for one in crond.ask("status")["problems"] if one["severity"] == "error"]
    assert [(one["line"], one["message"]) for one in errors] == [(1, "unknown key 'retires'")]
    jobs = {job["job"].partition("/")[2]: job for job in crond.ask("list")["jobs"]}
    assert [one["code"] for one in jobs["good"]["problems"]] == ["annotation-unknown-key"]
    assert (jobs["held"]["schedule"], jobs["held"]["held"]) == ("@after", "there is no job 'godo'")
    assert any("unknown key 'retires'" in line for line in crond.errors)
    assert crond.end() == 0


def test_a_table_with_errors_runs_what_is_right(start_files: StartFiles, folder: Path) -> None:
    """Cronie's way: a bad line is left out, and named; the others run."""
    tab = write(folder / "tab", "#: name=good\n@every 1s true\n61 * * * * never\n@hourly\n")
    crond = start_files(folder, tab, "--dialect", "cronie").up()
    crond.line("good: ended, exit status 0")
    problems = [
        (p["line"], p["message"]) for p in crond.ask("status")["problems"] if p["severity"] == "error"
    ]
    assert problems == [(3, "bad minute"), (4, "bad command")]
    assert crond.end() == 0
