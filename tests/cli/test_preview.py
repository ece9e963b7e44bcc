"""next and simulate: what would start when, from a file or from the daemon."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Client
from tests.cli.fake_daemon import FakeDaemon, run_body, yes

NEW_YORK = ("--timezone", "America/New_York")


@pytest.fixture
def crontab(tmp_path: Path) -> Path:
    path = tmp_path / "crontab"
    path.write_text("#: name=weather\n0 6 * * * fetch --all\n@reboot boot\n30 2 * * * nightly\n")
    return path


def test_next_of_a_file(client: Client, crontab: Path) -> None:
    """The next starts after a moment, in local time; @reboot comes at no known time and is left out."""
    result = client("next", str(crontab), "-n", "3", "--at", "2026-11-21T02:30")
    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        "WHEN                     LINE  SCHEDULE    COMMAND",
        "2026-11-21 06:00:00 KST  2     0 6 * * *   weather: fetch --all",
        "2026-11-22 02:30:00 KST  4     30 2 * * *  nightly",
        "2026-11-22 06:00:00 KST  2     0 6 * * *   weather: fetch --all",
    ]


def test_next_in_another_zone(client: Client, crontab: Path) -> None:
    """--timezone is both the zone in which the crontab is read and the one that is shown."""
    result = client("next", str(crontab), "-n", "1", "--at", "2026-03-08T00:00", *NEW_YORK)
    assert result.stdout.splitlines()[1].startswith("2026-03-08 03:00:00 EDT  4 ")


def test_next_json(client: Client, crontab: Path) -> None:
    """All that is known of a start, times in UTC."""
    result = client("next", str(crontab), "-n", "1", "--at", "2026-11-21T03:00", "--json")
    assert json.loads(result.stdout) == {
        "next": [
            {
                "started_at": "2026-11-20T21:00:00Z",
                "instant": "2026-11-20T21:00:00Z",
                "line": 2,
                "name": "weather",
                "schedule": "0 6 * * *",
                "command": "fetch --all",
                "user": None,
            }
        ]
    }


def test_next_looks_over_a_century_without_leap_year(client: Client) -> None:
    """29 February after 2096 is that of 2104."""
    result = client("next", "-", "-n", "1", "--at", "2096-03-01", stdin=b"0 0 29 2 * leap\n")
    assert "2104-02-29 00:00:00 KST" in result.stdout


def test_next_of_what_never_comes(client: Client) -> None:
    """A date that does not exist: a word on stderr, and no failure."""
    result = client("next", "-", "--at", "2026-01-01", stdin=b"0 0 31 2 * never\n")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "Nothing is to come.\n")


def test_a_file_with_errors(client: Client) -> None:
    """What is valid is shown, what is not is told on stderr, and the status is 1."""
    stdin = b"61 * * * * bad\n0 6 * * * good\n"
    for verb in (["next", "-n", "1", "--at"], ["simulate", "--from"]):
        result = client(*verb, "2026-11-21T05:00", "-", "--dialect", "cronie", stdin=stdin)
        assert result.exit_code == 1
        assert "2026-11-21 06:00:00 KST" in result.stdout
        assert "error: bad minute" in result.stderr


def test_next_asks_the_daemon_for_a_job(ask: Client, daemon: FakeDaemon) -> None:
    """What is no file is a job's name."""
    body = {"next": [{"job": "root/x", "instant": "2026-11-21T03:00:00Z", "schedule": "0 12 * * *"}]}
    daemon.answers("next", yes(body))
    result = ask("next", "x", "-n", "3")
    assert result.stdout.splitlines()[1] == "2026-11-21 12:00:00 KST  root/x  0 12 * * *"
    assert daemon.asked == [("scheduler", "next", {"job": "x", "count": "3"})]
    assert "03:00:00 UTC" in ask("next", "x", "--timezone", "UTC").stdout
    assert json.loads(ask("next", "x", "--json").stdout) == body


def test_next_of_all_jobs(ask: Client, daemon: FakeDaemon) -> None:
    """Without a name the daemon tells of all one's jobs; nothing to come is no failure."""
    daemon.answers("next", yes({"next": []}))
    result = ask("next")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "Nothing is to come.\n")
    assert daemon.asked == [("scheduler", "next", {"count": "10"})]


@pytest.mark.parametrize(
    "arguments",
    [
        ["next", "x", "--at", "now"],
        ["next", "x", "--system"],
        ["next", "./nowhere"],
        ["next", "-n", "0"],
        ["next", "/etc"],
        ["next", "--timezone", "Mars/Olympus"],
        ["simulate"],
        ["simulate", "./nowhere"],
        ["simulate", "/dev/null", "--from", "soon"],
        ["simulate", "/dev/null", "--from", "2026-11-21", "--until", "2026-11-20"],
    ],
)
def test_usage_errors(ask: Client, daemon: FakeDaemon, arguments: list[str]) -> None:
    """What makes no sense is status 2, and no daemon is asked."""
    result = ask(*arguments)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr != ""
    assert daemon.asked == []


def test_simulate(client: Client, crontab: Path) -> None:
    """Every start in the span, its last moment included; a daemon that comes up runs @reboot."""
    result = client("simulate", str(crontab), "--from", "2026-11-21T02:00", "--until", "2026-11-21T06:00")
    assert result.stdout.splitlines() == [
        "2026-11-21 02:00:00 KST  line 3    boot",
        "2026-11-21 02:30:00 KST  line 4    nightly",
        "2026-11-21 06:00:00 KST  line 2    weather: fetch --all",
    ]


def test_simulate_the_nights_in_which_clocks_change(client: Client) -> None:
    """A fixed minute in the gap runs after it, once; an hour that comes twice runs fixed jobs once."""
    stdin = b"30 2 * * * gap\n30 1 * * * twice\n*/30 1 * * * wild\n"
    spring = client(
        "simulate", "-", "--from", "2026-03-08T01:45", "--until", "2026-03-08T04:00", *NEW_YORK, stdin=stdin
    )
    assert spring.stdout.splitlines() == ["2026-03-08 03:00:00 EDT  line 1    gap"]
    autumn = client(
        "simulate", "-", "--from", "2026-11-01T00:30", "--until", "2026-11-01T02:00", *NEW_YORK, stdin=stdin
    )
    starts = autumn.stdout.splitlines()
    assert [s for s in starts if s.endswith("twice")] == ["2026-11-01 01:30:00 EDT  line 2    twice"]
    assert len([s for s in starts if s.endswith("wild")]) == 4


def test_simulate_over_a_change_of_clocks(client: Client) -> None:
    """In the night from CET to CEST the column behind the moments moved by a letter."""
    span = ("--from", "2027-03-27", "--until", "2027-03-29", "--timezone", "Europe/Berlin")
    assert client("simulate", "-", *span, stdin=b"30 2 * * * x\n").stdout.splitlines() == [
        "2027-03-27 02:30:00 CET   line 1    x",
        "2027-03-28 03:00:00 CEST  line 1    x",
    ]


def test_simulate_json_is_one_object_per_line(client: Client, crontab: Path) -> None:
    """So that a long span can be read as it comes."""
    result = client("simulate", str(crontab), "--json", "--from", "2026-11-21T02:00", "--until", "2026-11-22")
    objects = [json.loads(line) for line in result.stdout.splitlines()]
    assert [o["command"] for o in objects] == ["boot", "nightly", "fetch --all"]
    assert objects[1]["started_at"] == "2026-11-20T17:30:00Z"


def test_simulate_what_waits(client: Client) -> None:
    """A job that starts after another one is said to be for its instant, and not to be made up."""
    lines = b"#: name=a\n0 6 * * * a\n#: name=b depends_on=a jitter=3h\n0 6 * * * b\n"
    result = client("simulate", "-", "--from", "2026-11-21", *NEW_YORK, stdin=lines)
    first, second = result.stdout.splitlines()
    assert first.endswith("a: a")
    assert second.endswith("b: b  (for 2026-11-21 06:00:00 EST)")


def test_simulate_a_day_by_default(client: Client) -> None:
    """Without --until it is one day."""
    result = client("simulate", "-", "--from", "2026-11-21", stdin=b"@hourly x\n")
    assert len(result.stdout.splitlines()) == 24


def test_a_seed_draws_the_same_again(client: Client) -> None:
    """~ is drawn from --seed: the same seed shows the same, another one something else."""

    def starts(seed: str) -> str:
        span = ("--from", "2026-11-21", "--dialect", "cronie", "--seed", seed)
        return client("simulate", "-", *span, stdin=b"~ ~ * * * x\n").stdout

    assert starts("1") == starts("1")
    assert len({starts(str(seed)) for seed in range(5)}) > 1


def test_lines_fit_the_screen(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """A long command is cut where the screen ends."""
    monkeypatch.setenv("COLUMNS", "50")
    result = client("simulate", "-", "--from", "2026-11-21", stdin=b"0 6 * * * " + b"x" * 90 + b"\n")
    assert len(result.stdout.rstrip("\n")) == 50


def test_what_waits_and_what_will_wait(ask: Client, daemon: FakeDaemon) -> None:
    """Runs that wait come first; a due says which parents it will wait for, and its jitter."""
    due = {"job": "root/join", "instant": "2026-11-21T18:00:00Z", "schedule": "0 3 * * *"}
    dues = [due | {"after": ["root/a", "bo/b"], "jitter": 75}, due | {"held": "there is no job 'x'"}]
    waiting = run_body(state="waiting", outcome=None, waits="dependencies", awaits=["root/a"])
    daemon.answers("next", yes({"next": dues, "waiting": [waiting | {"started_at": None}]}))
    assert [line.split("  ")[-1].strip() for line in ask("next").stdout.splitlines()] == [
        "REMARKS",
        "waiting for a",
        "after a, bo/b; 1 min 15 s later (jitter)",
        "held: it will be left out",
    ]
