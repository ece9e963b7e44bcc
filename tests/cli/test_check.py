"""check and -T: every problem, where it is, and the exit status that says so."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from crond.cli.problems import caret_line
from crond.model.edits import Fetch, Piece
from tests.cli.conftest import Client
from tests.cli.fake_daemon import FakeDaemon, no, yes

GOOD = "MAILTO=ops\n0 3 * * * true\n"


@pytest.fixture
def crontab(tmp_path: Path) -> Path:
    path = tmp_path / "crontab"
    path.write_text(GOOD)
    return path


def test_a_good_file(client: Client, crontab: Path) -> None:
    """No problems: one line that says so, status 0."""
    result = client("check", str(crontab))
    assert (result.exit_code, result.stdout, result.stderr) == (0, f"{crontab}: 1 entry, no problems\n", "")


def test_all_problems_are_shown(client: Client, crontab: Path) -> None:
    """Not only the first error: each with file, line, column, the line, a caret and a hint; status 1."""
    crontab.write_text("* 25 * * * a\n@dayly b\n* * * * * true\n")
    result = client("check", "--dialect", "cronie", str(crontab))
    lines = result.stdout.splitlines()
    assert result.exit_code == 1
    assert lines[0].startswith(f"{crontab}:1:")
    assert lines[0].endswith(": error: bad hour")
    assert lines[1] == "    * 25 * * * a"
    assert lines[2].strip() == "^"
    assert f"{crontab}:2:1: error: bad time specifier" in lines
    assert lines[-1] == f"{crontab}: 1 entry, 2 errors"


def test_warnings_alone_are_no_failure(client: Client, crontab: Path) -> None:
    """A warning is shown, and the status stays 0."""
    crontab.write_text("#: name=x\n\n* * * * * true\n")
    result = client("check", str(crontab))
    assert result.exit_code == 0
    assert ": warning: " in result.stdout
    assert result.stdout.endswith(": 1 entry, 1 warning\n")


def test_several_files(client: Client, crontab: Path, tmp_path: Path) -> None:
    """One that cannot be read does not hide the others; the worst status counts."""
    result = client("check", str(tmp_path / "nowhere"), str(crontab), str(tmp_path))
    assert result.exit_code == 2
    assert f"{tmp_path}/nowhere: No such file or directory" in result.stderr
    assert f"{tmp_path}: Is a directory" in result.stderr
    assert "1 entry, no problems" in result.stdout


def test_stdin(client: Client) -> None:
    """- is stdin, as bytes: a crontab need not be UTF-8."""
    result = client("check", "-", stdin=b"* * * * * true \xff\n")
    assert (result.exit_code, result.stdout) == (0, "stdin: 1 entry, no problems\n")


def test_without_a_file_it_is_ones_own(client: Client, tmp_path: Path) -> None:
    """The crontab that is installed is asked of the daemon; without one it says what to do."""
    result = client("--state", str(tmp_path), "check")
    assert result.exit_code == 3
    assert "crontabx check FILE, or - for stdin" in result.stderr


def test_ones_own_crontab(ask: Client, daemon: FakeDaemon) -> None:
    """It is fetched, read by the daemon's dialect, and shown by its owner's name."""
    text = b"1;2 * * * * true\n"
    told = {"user": "ann", "dialect": "debian", "size": len(text), "digest": "0" * 16}
    daemon.edits[Fetch] = lambda _: (yes(told, final=False), Piece(text))
    result = ask("check")
    assert (result.exit_code, daemon.edited) == (0, [Fetch("", 0, "compare")])
    assert result.stdout.startswith("crontab of ann:1:2: note: cronie refuses this line (bad minute)")


def test_no_crontab(ask: Client, daemon: FakeDaemon) -> None:
    """Nothing to check is no success."""
    daemon.edits[Fetch] = lambda _: (no("none", "no crontab for ann", user="ann"),)
    result = ask("check")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "no crontab for ann" in result.stderr


def test_the_user_column(client: Client, crontab: Path) -> None:
    """--system reads a user column, --user does not."""
    crontab.write_text("* * * * * root\n")
    assert client("check", "--user", str(crontab)).exit_code == 0
    assert client("check", str(crontab)).exit_code == 0
    assert client("check", "--system", str(crontab), "--dialect", "cronie").exit_code == 1


def test_dialects(client: Client, crontab: Path) -> None:
    """What cronie refuses and Debian's cron takes is judged by the dialect that was asked for."""
    crontab.write_text("1;2 * * * * a\n")
    assert client("check", "--dialect", "cronie", str(crontab)).exit_code == 1
    assert client("check", "--dialect", "debian", str(crontab)).exit_code == 0


def test_what_debian_does_with_an_error(client: Client, crontab: Path) -> None:
    """That one error silences the other lines too is said, where it is so."""
    crontab.write_text("60 * * * * a\n* * * * * true\n")
    debian = client("check", "--dialect", "debian", str(crontab)).stdout.splitlines()
    assert debian[-2:] == [
        f"{crontab}: with an error in it, Debian's rules ignore the whole file",
        f"{crontab}: no entries, 1 error",
    ]
    assert "ignore" not in client("check", "--dialect", "cronie", str(crontab)).stdout


def test_json(client: Client, crontab: Path, tmp_path: Path) -> None:
    """One document for all files, also for those that cannot be read."""
    crontab.write_text("* 25 * * * a\n* * * * * true\n")
    result = client("check", "--json", "--dialect", "cronie", str(crontab), str(tmp_path / "no"))
    first, second = json.loads(result.stdout)["files"]
    problem = first.pop("problems")[0]
    assert first == {"file": str(crontab), "ok": False, "system": False, "dialect": "cronie", "entries": 1}
    assert problem.keys() == {"line", "column", "severity", "message", "hint", "code"}
    assert (problem["line"], problem["severity"], problem["message"]) == (1, "error", "bad hour")
    assert second["ok"] is False
    assert second["error"].endswith("No such file or directory")
    assert result.exit_code == 2


def test_dash_t(client: Client, crontab: Path) -> None:
    """-T closes in the words of crontab(1), on stderr, with its status."""
    result = client("-T", str(crontab))
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr == "No syntax issues were found in the crontab file.\n"
    crontab.write_text("60 * * * * a\n")
    result = client("-T", str(crontab))
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.endswith("Invalid crontab file. Syntax issues were found.\n")
    assert "error: bad minute" in result.stderr


def test_dash_t_stands_alone(client: Client, crontab: Path) -> None:
    """-T with a verb is a usage error, and a file that is not there is status 2."""
    assert client("-T", str(crontab), "list").exit_code == 2
    assert client("-T", str(crontab) + "x").exit_code == 2


def test_escapes_in_a_crontab_are_shown(client: Client, crontab: Path) -> None:
    """The line of a hostile crontab cannot steer the terminal of who checks it."""
    crontab.write_text("60 * * * * \x1b]0;owned\x07\n")
    assert "\x1b" not in client("check", str(crontab)).stdout


@pytest.mark.parametrize(
    ("text", "column", "pointed"),
    [
        ("60 * * * * a", 1, "6"),
        ("\t60\t* * * * a", 2, "6"),
        ("a\tb\tc", 5, "c"),
        ("\x1b\x01x", 3, "x"),
        ("한글x", 3, "x"),
        ("\udcffx", 2, "x"),
        ("end", 4, ""),
    ],
)
def test_the_caret_points_at_its_character(text: str, column: int, pointed: str) -> None:
    """Tabs, wide letters and escapes before it move the caret as far as they take place."""
    shown, offset = caret_line(text, column)
    # Without wide letters a column is a character.
    at = offset - sum(c in "한글" for c in text)
    assert shown[at : at + 1] == pointed


@pytest.mark.parametrize("column", [1, 100, 4000, 5000])
def test_a_line_too_long_to_show(column: int) -> None:
    """A part is shown, and the caret stands below the right character of it."""
    text = "".join(chr(0x21 + i % 94) for i in range(5000))
    shown, offset = caret_line(text, column)
    assert len(shown) <= 200
    assert shown[offset] == text[column - 1]


def test_findings_name_their_rule(client: Client, crontab: Path) -> None:
    """What is found is told with its code, which --ignore takes; notes and warnings do not fail."""
    crontab.write_text("0 0 13 * 5 true\n30 2 * * * no-such-program\n")
    result = client("check", str(crontab))
    assert result.exit_code == 0
    assert f"{crontab}:1:5: warning: " in result.stdout
    assert "[days-either]\n" in result.stdout
    assert result.stdout.endswith(": 2 entries, 1 warning, 1 note\n")
    ignoring = client("check", "--ignore", "days-either,command-unknown", str(crontab))
    assert ignoring.stdout == f"{crontab}: 2 entries, no problems\n"


def test_strict_is_for_builds(client: Client, crontab: Path) -> None:
    """With --strict a warning fails, a note never does."""
    crontab.write_text("*/7 * * * * true\n")
    assert client("check", "--strict", str(crontab)).exit_code == 0
    crontab.write_text("0 0 13 * 5 true\n")
    assert client("check", str(crontab)).exit_code == 0
    assert client("check", "--strict", str(crontab)).exit_code == 1
    report = json.loads(client("check", "--strict", "--json", str(crontab)).stdout)["files"][0]
    assert (report["ok"], report["problems"][0]["code"]) == (False, "days-either")


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("days-eiter", "did you mean days-either?"),
        ("syntax", "cannot be ignored"),
        ("x", "no rule is called 'x'"),
    ],
)
def test_a_rule_that_is_not_there(client: Client, crontab: Path, code: str, said: str) -> None:
    """A misspelt code would silence nothing, so it is refused."""
    result = client("check", "--ignore", code, str(crontab))
    assert result.exit_code == 2
    assert said in result.stderr


def test_year_and_zone(client: Client, crontab: Path) -> None:
    """Seoul's clocks never change; what happens elsewhere can be asked for."""
    crontab.write_text("30 2 * * * true\n")
    assert "no problems" in client("check", "--year", "2026", str(crontab)).stdout
    there = client("check", "--year", "2026", "--timezone", "Europe/Berlin", str(crontab)).stdout
    assert "02:30 does not exist on 2026-03-29 (Europe/Berlin)" in there
    assert "from 03:00 on [dst-moved]" in there


def test_fix_shows_a_diff_and_changes_nothing(client: Client, crontab: Path) -> None:
    """The diff alone is on stdout; what to mind before it is applied is said beside it. That was "in this
    version only name= and schedule= have an effect", long after timeouts and locks did.
    """
    before = "0 3 * * * flock -n /tmp/l timeout 5m true\n"
    crontab.write_text(before)
    result = client("check", "--fix", str(crontab))
    assert result.stdout == (
        f"--- {crontab}\n+++ {crontab}\n@@ -1 +1,2 @@\n-{before}"
        "+#: concurrency=forbid timeout=5m\n+0 3 * * * true\n"
    )
    assert "do not apply the diff yet" not in result.stderr
    assert "keep a lock that others take, too" in result.stderr
    assert crontab.read_text() == before
    crontab.write_text(GOOD)
    nothing = client("check", "--fix", str(crontab))
    assert (nothing.exit_code, nothing.stdout) == (0, "")


def test_fix_of_one_file_does_not_hide_the_others(client: Client, crontab: Path, tmp_path: Path) -> None:
    """A file of which no diff can be made is told, with status 1, and the next one is looked at."""
    huge = tmp_path / "huge"
    huge.write_text("0 3 * * * timeout 5 true\n" * 6000)
    result = client(
        "check", "--fix", "--dialect", "debian", "--ignore", "entry-twice", str(huge), str(crontab)
    )
    assert (result.exit_code, result.stdout) == (1, "")
    assert f"{huge}: no diff can be made: " in result.stderr
    assert f"{crontab}: 1 entry, no problems" in result.stderr


def test_a_password_is_not_shown(client: Client, crontab: Path) -> None:
    """The log of a build is read by many."""
    crontab.write_text("61 3 * * * mysqldump -phunter2 db\n0 3 * * * mysqldump -phunter2 db\n")
    result = client("check", str(crontab))
    assert "-p*******" in result.stdout
    assert "hunter2" not in result.stdout + client("check", "--json", str(crontab)).stdout


def test_all_takes_no_file(client: Client, crontab: Path) -> None:
    """--all means the crontabs of the host."""
    assert client("check", "--all", str(crontab)).exit_code == 2


@pytest.mark.root
def test_all_crontabs_of_the_host(client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """System tables with their user column, then the spool's, each as its daemon reads it; no backups."""
    (tmp_path / "cron.d").mkdir()
    (tmp_path / "spool").mkdir()
    (tmp_path / "crontab").write_text("0 3 * * * root true\n")
    (tmp_path / "cron.d" / "one").write_text("0 3 * * * root true\n")
    (tmp_path / "cron.d" / "one~").write_text("0\n")
    (tmp_path / "spool" / "root").write_text("0 3 * * * true\n")
    (tmp_path / "cron.d" / "one.dpkg-old").write_text("0 3 * * * root true\n")
    settings = tmp_path / "settings.toml"
    settings.write_text(
        f'[daemon]\ndialect = "cronie"\n[paths]\nsystem_crontab = "{tmp_path}/crontab"\n'
        f'cron_d = "{tmp_path}/cron.d"\nspool = "{tmp_path}/spool"\n'
    )
    monkeypatch.setattr("crond.settings.SETTINGS_FILE", str(settings))
    files = json.loads(client("check", "--all", "--json").stdout)["files"]
    names = [file["file"].removeprefix(f"{tmp_path}/") for file in files]
    assert names == ["crontab", "cron.d/one", "cron.d/one.dpkg-old", "spool/root"]
    assert [(file["system"], file["problems"]) for file in files] == [(True, [])] * 3 + [(False, [])]
    debian = json.loads(client("check", "--all", "--dialect", "debian", "--json").stdout)["files"]
    assert len(debian) == 3  # Debian's cron reads no file with a dot in its name
