"""Annotations at the command line: -T refuses what the daemon forgives, --portable, check --explain."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from crond.cli.crontab_report import Report
from crond.model.crontab import parse_crontab
from tests.cli.conftest import Client

PIPELINE = """\
#: defaults retries=2 on_failure=https://hooks.example/token
#: name=weather timeout=10m
0 6 * * * fetch-weather
#: name=report depends_on=weather schedule=@after
0 9 * * * mail-report
"""


@pytest.fixture
def crontab(tmp_path: Path) -> Path:
    path = tmp_path / "crontab"
    path.write_text(PIPELINE)
    return path


def test_what_the_daemon_forgives_is_refused_here(client: Client, crontab: Path) -> None:
    """Line, column, reason and "did you mean"; status 1, and the words of crontab(1)."""
    crontab.write_text("#: name=x retires=3\n0 6 * * * true\n")
    result = client("-T", str(crontab))
    assert result.exit_code == 1
    assert result.stderr.splitlines() == [
        f"{crontab}:1:11: error: unknown key 'retires' [annotation-unknown-key]",
        "    #: name=x retires=3",
        "              ^",
        "    did you mean retries?",
        "Invalid crontab file. Syntax issues were found.",
    ]
    assert client("check", str(crontab)).exit_code == 1


@pytest.mark.parametrize("dialect", ["cronie", "debian"])
def test_by_the_name_of_crontab(dialect: str, capsys: pytest.CaptureFixture[str]) -> None:
    """In the form that both crons have for an error, and with the hint behind it."""
    table = parse_crontab("#: retires=3\n0 6 * * * true\n", dialect=dialect, extensions=True)
    Report(dialect, "Nothing was installed.").show_errors("jobs", table.errors, "Nothing was installed.")
    said = capsys.readouterr().err.splitlines()
    assert said == ["\"jobs\":1: unknown key 'retires': did you mean retries?", "Nothing was installed."]


def test_the_same_file_is_taken_by_every_cron(client: Client, crontab: Path) -> None:
    """Annotations are comments: no error here with --portable, and none in either plain cron."""
    result = client("-T", str(crontab), "--portable")
    assert (result.exit_code, result.stdout) == (0, "")
    assert client("-T", "--portable", str(crontab)).exit_code == 0
    assert client("check", "--portable", str(crontab)).exit_code == 0
    for dialect in ("cronie", "debian"):
        table = parse_crontab(PIPELINE, dialect=dialect)
        assert not table.problems
        assert [str(entry.schedule) for entry in table.entries] == ["0 6 * * *", "0 9 * * *"]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("@after true", "no other cron reads this line (bad time specifier)"),
        ("@every 5m true", "no other cron reads this line (bad time specifier)"),
        ("0 0 L * * true", "no other cron reads this line (bad day-of-month)"),
        ("0 0 * * * -q true", "cronie does not read this line (bad option)"),
    ],
)
def test_what_is_not_portable_is_named(client: Client, crontab: Path, line: str, message: str) -> None:
    """Only with --portable; it makes the status 1."""
    crontab.write_text(f"#: name=a\n0 1 * * * true\n#: depends_on=a\n{line}\n")
    for words in (("-T", str(crontab)), ("check", "--dialect", "cronie", str(crontab))):
        assert client(*words).exit_code == 0
        result = client(*words, "--portable")
        assert result.exit_code == 1
        assert f": error: {message} [not-portable]" in result.output


def test_one_of_the_two_crons_is_enough(client: Client, crontab: Path) -> None:
    """What cronie reads and Debian's cron does not is named with its cron."""
    crontab.write_text(f"0 0 * * * echo {'x' * 1000}\n")
    result = client("check", "--dialect", "cronie", "--portable", str(crontab))
    assert result.exit_code == 1
    assert "Debian's cron does not read this line (command too long) [not-portable]" in result.stdout


def test_portable_needs_something_to_check(client: Client) -> None:
    """Anywhere else it is a mistake."""
    assert client("--portable", "list").exit_code == 2


def test_each_entry_in_plain_words(client: Client, crontab: Path) -> None:
    """What it will do; a secret address is not shown."""
    result = client("check", "--explain", "--ignore", "command-unknown", str(crontab))
    assert result.exit_code == 0
    assert result.stdout.split("warnings\n", 1)[-1].split("problems\n", 1)[-1].splitlines() == [
        "",
        "line 3  0 6 * * *  fetch-weather",
        "  - At 06:00, every day.",
        "  - It is called weather.",
        "  - If it fails it is tried again, this many times at most: 2.",
        "  - An attempt that runs for 10 minutes is stopped.",
        "  - A failure is told to https://....",
        "",
        "line 5  @after  mail-report",
        "  - When the jobs that it depends on have ended.",
        "  - It is called report.",
        "  - Its time is @after, not that of its line.",
        "  - It waits for weather.",
        "  - If it fails it is tried again, this many times at most: 2.",
        "  - A failure is told to https://....",
    ]
    assert client("check", "--explain", "--fix", str(crontab)).exit_code == 2


def test_the_explanation_as_json(client: Client, crontab: Path) -> None:
    """The same sentences, for programs."""
    result = client("check", "--explain", "--json", str(crontab))
    (report,) = json.loads(result.stdout)["files"]
    assert [entry["name"] for entry in report["explained"]] == ["weather", "report"]
    assert report["explained"][1]["does"][-1] == "A failure is told to https://...."
    assert "explained" not in json.loads(client("check", "--json", str(crontab)).stdout)["files"][0]


def test_what_has_no_effect_is_not_explained(client: Client, crontab: Path) -> None:
    """An entry with retries=none below `#: defaults retries=2 retry_delay=5m` was said to be tried again
    after 5 minutes.
    """
    crontab.write_text("#: defaults retries=2 retry_delay=5m\n#: name=deploy retries=none\n0 7 * * * true\n")
    told = client("check", "--explain", str(crontab)).stdout
    assert "It is called deploy." in told
    assert "tried again" not in told


def test_what_the_host_says_is_known_here(
    client: Client, crontab: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Defaults and pools of a settings file that we may read; one that is wrong is the daemon's to tell."""
    settings = tmp_path / "settings.toml"
    settings.write_text("[defaults]\nretries = 7\n[pools]\ngpu = 1\n")
    monkeypatch.setattr("crond.settings.SETTINGS_FILE", str(settings))
    crontab.write_text("0 6 * * * true\n#: pool=gpu\n0 6 * * * date\n")
    told = client("check", "--explain", str(crontab)).stdout
    assert told.count("If it fails it is tried again, this many times at most: 7.") == 2
    assert "no pool of this crontab" not in told
    crontab.write_text("#: pool=gpu pool_slots=2\n0 6 * * * date\n")
    assert client("-T", str(crontab)).exit_code == 1
    settings.write_text("[pools]\ngpu = 0\n")
    assert client("-T", str(crontab)).exit_code == 0
