"""crontab(1)'s flags: what is installed, what is asked, and that an edit is never lost."""

from __future__ import annotations

import os
import re
import signal
import stat
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from crond.cli.main import crontabx
from crond.model.edits import NO_TEXT, EditEnded, Fetch, Install, Piece, Remove
from tests.cli.conftest import Client
from tests.cli.fake_daemon import FakeDaemon, Hang, Step, TakeText, no, yes

ONE, TWO = b"1 * * * * one\n", b"2 * * * * two\n"
DIGEST, OTHER = "0123456789abcdef", "fedcba9876543210"
WRONG = {"line": 1, "column": 4, "severity": "error", "message": "bad hour", "hint": "from 0 to 23"}
WARNING = {"line": 1, "column": 1, "severity": "warning", "message": "never", "hint": ""}

Edit = Callable[..., Result]


def holds(daemon: FakeDaemon, text: bytes | None, digest: str = DIGEST) -> None:
    """Let the daemon have `text` as ann's crontab."""

    def fetched(_message: Fetch) -> Iterable[Step]:
        if text is None:
            return [no("none", "no crontab for ann", user="ann", dialect="debian")]
        told = {"user": "ann", "dialect": "debian", "size": len(text), "digest": digest}
        return [yes(told, final=False), Piece(text[:5]), Piece(text[5:])]

    daemon.edits[Fetch] = fetched
    daemon.edits[EditEnded] = lambda _message: [yes({"user": "ann"})]


def takes(daemon: FakeDaemon, *last: Step) -> None:
    """Let the daemon take what is installed, each time with the next of these answers."""
    answers = list(last)

    def installed(_message: Install) -> Iterable[Step]:
        return [yes({"user": "ann"}, final=False), TakeText(), answers.pop(0)]

    daemon.edits[Install] = installed


DONE = yes({"user": "ann", "version": 3, "digest": OTHER, "problems": [], "count": 0})
INVALID = no("invalid", "errors in crontab file, can't install", problems=[WRONG, WARNING], count=2)
CHANGED = no("changed", "ann's crontab was changed meanwhile")


@pytest.fixture
def edit(_seoul: None, daemon: FakeDaemon, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Edit:
    """Run `crontabx -e` with an editor that does these shell commands; `$1` is the file."""
    copies = tmp_path / "copies"
    copies.mkdir()
    monkeypatch.setenv("TMPDIR", str(copies))
    monkeypatch.delenv("VISUAL", raising=False)

    def run(*commands: str, answers: bytes = b"") -> Result:
        script = tmp_path / "editor"
        count = tmp_path / "count"
        count.write_text("0")
        lines = [f"{number}) {command};;" for number, command in enumerate(commands, start=1)]
        script.write_text(
            f"n=$(($(cat {count}) + 1)); echo $n > {count}\ncase $n in\n" + "\n".join(lines) + "\nesac\n"
        )
        monkeypatch.setenv("EDITOR", f"/bin/sh {script}")
        result = CliRunner().invoke(
            crontabx, ["--state", str(daemon.state), "-e"], input=answers, prog_name="crontabx"
        )
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return run


def copies(tmp_path: Path) -> list[bytes]:
    """Return what lies in the folder of copies."""
    return [path.read_bytes() for path in (tmp_path / "copies").rglob("*") if path.is_file()]


# --- -l, FILE, -r --------------------------------------------------------------------------------


def test_show(ask: Client, daemon: FakeDaemon) -> None:
    """The very bytes, whatever they are; -u goes to the daemon, which knows who may."""
    holds(daemon, b"\xff\0 \x1b[31m\r\n# no end")
    assert ask("-l").stdout_bytes == b"\xff\0 \x1b[31m\r\n# no end"
    ask("-lu", "ben")
    assert daemon.edited == [Fetch("", 0, "list"), Fetch("ben", 0, "list")]


def test_show_none(ask: Client, daemon: FakeDaemon) -> None:
    """In cron's words, on stderr, status 1."""
    holds(daemon, None)
    result = ask("-l")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == "crontabx: no crontab for ann\n"


@pytest.mark.parametrize("text", [b"", ONE, b"#\xff\0\n" * 30_000])
def test_install_a_file(ask: Client, daemon: FakeDaemon, tmp_path: Path, text: bytes) -> None:
    """The text arrives as it is, with the file's whole path; it says nothing."""
    (tmp_path / "jobs").write_bytes(text)
    takes(daemon, DONE)
    result = ask(f"{tmp_path}/jobs")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "")
    assert daemon.edited == [Install("", f"{tmp_path}/jobs", "", len(text))]
    assert daemon.texts == [text]


@pytest.mark.parametrize("arguments", [["-u", "ben", "-"], ["-", "-u", "ben"]])
def test_install_standard_input(client: Client, daemon: FakeDaemon, arguments: list[str]) -> None:
    """`-` is standard input; -u may stand before or after, as getopt has it."""
    takes(daemon, DONE)
    assert client("--state", str(daemon.state), *arguments, stdin=ONE).exit_code == 0
    assert daemon.edited == [Install("ben", "standard input", "", len(ONE))]


def test_a_file_with_errors(ask: Client, daemon: FakeDaemon, tmp_path: Path) -> None:
    """All problems with place and caret, as `check` shows them; status 1."""
    (tmp_path / "jobs").write_bytes(b"1 99 * * * one\n")
    takes(daemon, INVALID)
    result = ask(f"{tmp_path}/jobs")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.splitlines() == [
        f"{tmp_path}/jobs:1:4: error: bad hour",
        "    1 99 * * * one",
        "       ^",
        "    from 0 to 23",
        f"{tmp_path}/jobs:1:1: warning: never",
        "    1 99 * * * one",
        "    ^",
        "crontabx: errors in crontab file, can't install",
    ]


def test_a_file_with_warnings(ask: Client, daemon: FakeDaemon, tmp_path: Path) -> None:
    """Warnings are shown and do not hinder; problems that were not told are counted."""
    (tmp_path / "jobs").write_bytes(ONE)
    takes(daemon, yes({"user": "ann", "version": 3, "problems": [WARNING], "count": 7}))
    result = ask(f"{tmp_path}/jobs")
    assert result.exit_code == 0
    assert "warning: never" in result.stderr
    assert result.stderr.endswith("and 6 more problems\n")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["./nosuch"], "No such file"),
        (["nosuch"], "there is no verb and no file 'nosuch'"),
        (["simulte"], "did you mean 'simulate'?"),
        (["/"], "Is a directory"),
        (["-l", "-r"], "only one operation permitted"),
        (["-l", "-T", "x"], "only one operation permitted"),
        (["-l", "/etc/passwd"], "no arguments permitted"),
        (["-e", "list"], "no arguments permitted"),
        (["-T", "/etc/passwd", "list"], "-T stands alone"),
        (["-T", "/etc/passwd", "/etc/passwd"], "no arguments permitted"),
        (["-i"], "-i goes with -r"),
        (["-u", "ann", "list"], "-u goes with"),
        (["-u", "ann", "-T", "x"], "-u goes with"),
        (["/etc/passwd", "/etc/passwd"], "unexpected extra argument"),
    ],
)
def test_what_makes_no_sense(
    client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], words: str
) -> None:
    """Said on stderr with status 2, before anybody is asked."""
    monkeypatch.chdir(tmp_path)
    result = client(*arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert words in result.stderr


def test_a_file_may_be_called_like_a_verb(
    ask: Client, daemon: FakeDaemon, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`./list` is the file; a name that is no verb needs no folder before it."""
    monkeypatch.chdir(tmp_path)
    for name in ("list", "jobs"):
        (tmp_path / name).write_bytes(ONE)
    takes(daemon, DONE, DONE)
    assert ask("./list").exit_code == ask("jobs").exit_code == 0
    assert [message.origin for message in daemon.edited] == [f"{tmp_path}/list", f"{tmp_path}/jobs"]


def test_remove(ask: Client, daemon: FakeDaemon) -> None:
    """Not on a terminal nobody is asked, so that scripts work; how to undo it is told."""
    daemon.edits[Remove] = lambda _message: [yes({"user": "ann", "undo": 7})]
    result = ask("-r")
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr == "crontabx: removed; to have it back: crontabx restore 7\n"
    assert "crontabx restore -u ben 7" in ask("-r", "-u", "ben").stderr


@pytest.mark.parametrize(
    ("answers", "removed"),
    [
        (b"y\n", True),
        (b"YES\n", True),
        (b"n\n", False),
        (b"", False),
        (b"x\n\n y\n", True),
        (b"\xff\n", False),
    ],
)
def test_remove_asks(client: Client, daemon: FakeDaemon, answers: bytes, removed: bool) -> None:
    """-i asks until the answer is yes or no; the end of input is a no; not removed is no failure."""
    holds(daemon, ONE)
    daemon.edits[Remove] = lambda _message: [yes({"user": "ann", "undo": 7})]
    result = client("--state", str(daemon.state), "-ri", stdin=answers)
    assert result.exit_code == 0
    assert result.stdout.startswith("crontabx: really delete ann's crontab? (y/n) ")
    assert (Remove("") in daemon.edited) is removed
    assert result.stdout.count("Please enter y or n: ") == max(answers.count(b"\n") - 1, 0) + (
        answers == b"\xff\n"
    )


def test_remove_what_is_not_there(ask: Client, daemon: FakeDaemon) -> None:
    """Nobody is asked about nothing."""
    holds(daemon, None)
    result = ask("-r", "-i")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == "crontabx: no crontab for ann\n"


# --- -e --------------------------------------------------------------------------------------------


def test_edit(edit: Edit, daemon: FakeDaemon, tmp_path: Path) -> None:
    """The editor gets the text in a file of our own; what it leaves is installed, based on what it was."""
    holds(daemon, ONE)
    takes(daemon, DONE)
    seen, was = tmp_path / "seen", tmp_path / "was"
    result = edit(f'stat -c %a "$1" "$(dirname $1)" > {seen}; cp "$1" {was}; echo "2 * * * * two" > "$1"')
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr == "crontabx: installing new crontab\n"
    assert daemon.edited == [
        Fetch("", 0, "edit"),
        Install("", "editor", DIGEST, len(TWO)),
        EditEnded(""),
    ]
    assert daemon.texts == [TWO]
    assert seen.read_text() == "600\n700\n"
    assert was.read_bytes() == ONE
    assert list((tmp_path / "copies").iterdir()) == []


def test_edit_a_new_crontab(edit: Edit, daemon: FakeDaemon) -> None:
    """Where there is none one begins with nothing, and it must still be so when it is installed."""
    holds(daemon, None)
    takes(daemon, DONE)
    result = edit('echo "1 * * * * one" > "$1"')
    assert result.stderr.splitlines()[0] == "crontabx: no crontab for ann - using an empty one"
    assert daemon.edited[1] == Install("", "editor", NO_TEXT, len(ONE))


@pytest.mark.parametrize("command", [":", 'touch "$1"', 'cp "$1" "$1.new"; mv "$1.new" "$1"'])
def test_an_edit_that_changes_nothing(edit: Edit, daemon: FakeDaemon, tmp_path: Path, command: str) -> None:
    """The content counts, not its time: written anew is not changed."""
    holds(daemon, ONE)
    result = edit(command)
    assert (result.exit_code, result.stderr) == (0, "crontabx: no changes made to crontab\n")
    assert daemon.edited == [Fetch("", 0, "edit"), EditEnded("")]
    assert list((tmp_path / "copies").iterdir()) == []


def test_an_editor_that_renames(edit: Edit, daemon: FakeDaemon) -> None:
    """Many write a new file and rename it over the old one: the name counts."""
    holds(daemon, ONE)
    takes(daemon, DONE)
    assert edit('echo "2 * * * * two" > "$1~" && mv "$1~" "$1"').exit_code == 0
    assert daemon.texts == [TWO]


def test_errors_and_the_same_edit_again(edit: Edit, daemon: FakeDaemon, tmp_path: Path) -> None:
    """Errors are shown and the same text is edited again, until it is right."""
    holds(daemon, ONE)
    takes(daemon, INVALID, DONE)
    result = edit(
        'echo "1 99 * * * one" > "$1"',
        'grep -q 99 "$1" && echo "2 * * * * two" > "$1"',
        answers=b"what\ny\n",
    )
    assert result.exit_code == 0
    assert result.stdout == "Do you want to retry the same edit? (y/n) Please enter y or n: "
    assert "error: bad hour" in result.stderr
    assert daemon.texts == [b"1 99 * * * one\n", TWO]
    assert list((tmp_path / "copies").iterdir()) == []


@pytest.mark.parametrize("answers", [b"n\n", b"", b"perhaps"])
def test_errors_and_given_up(edit: Edit, daemon: FakeDaemon, tmp_path: Path, answers: bytes) -> None:
    """No, or the end of input: status 1, the edit stays and the last line says where."""
    holds(daemon, ONE)
    takes(daemon, INVALID)
    result = edit('echo "1 99 * * * one" > "$1"', answers=answers)
    assert result.exit_code == 1
    left = result.stderr.splitlines()[-1]
    assert left.startswith(f"edits left in {tmp_path}/copies/crontab.")
    assert Path(left.removeprefix("edits left in ")).read_bytes() == b"1 99 * * * one\n"


@pytest.mark.parametrize(
    ("command", "words", "kept"),
    [
        ('echo lost > "$1"; exit 3', "exited with status 3", b"lost\n"),
        (
            'echo lost > "$1"; kill -9 $$',
            r"exited with status 137|killed; signal 9 \(no core dumped\)",
            b"lost\n",
        ),
        ("exit 1", "exited with status 1", None),
        ('rm "$1"', "No such file", None),
        ('rm "$1"; ln -s /etc/passwd "$1"', "symbolic links", None),
        ('rm "$1"; mkfifo "$1"', "illegal crontab", None),
        ('rm "$1"; mkdir "$1"', "Is a directory", None),
    ],
)
def test_an_editor_that_fails(
    edit: Edit, daemon: FakeDaemon, tmp_path: Path, command: str, words: str, kept: bytes | None
) -> None:
    """Nothing is installed, status 1; what was written stays."""
    holds(daemon, ONE)
    result = edit(command)
    assert result.exit_code == 1
    assert re.search(words, result.stderr)
    assert [type(message) for message in daemon.edited] == [Fetch, EditEnded]
    if kept is not None:
        assert copies(tmp_path) == [kept]
        assert result.stderr.splitlines()[-1].startswith("edits left in ")


@pytest.mark.parametrize("editor", ["", "  ", "nosuch-editor --wait"])
def test_which_editor(edit: Edit, daemon: FakeDaemon, monkeypatch: pytest.MonkeyPatch, editor: str) -> None:
    """VISUAL goes before EDITOR, empty counts as unset; a name that is none is said with its status."""
    holds(daemon, ONE)
    monkeypatch.setenv("VISUAL", editor)
    result = edit(":")
    if editor.strip():
        assert (result.exit_code, '"nosuch-editor --wait" exited with status 127' in result.stderr) == (
            1,
            True,
        )
    else:
        assert "no changes" in result.stderr


@pytest.mark.parametrize(
    ("steps", "status"),
    [
        ([], 3),
        ([yes({}, final=False)], 3),
        ([yes({}, final=False), TakeText()], 3),
        ([yes({}, final=False), TakeText(), b"\0\0\0\x05hello"], 3),
        ([no("permission", "you may not use this program")], 1),
        ([yes({}, final=False), TakeText(), no("failed", "/spool: No space left on device")], 1),
    ],
    ids=["at once", "before the text", "after the text", "nonsense", "denied", "disk full"],
)
def test_a_daemon_that_fails_keeps_the_edit(
    edit: Edit, daemon: FakeDaemon, tmp_path: Path, steps: list[Step], status: int
) -> None:
    """However the installation fails, the text stays, its place is told, and the status says why."""
    holds(daemon, ONE)
    daemon.edits[Install] = lambda _message: steps
    result = edit('echo "2 * * * * two" > "$1"')
    assert result.exit_code == status
    assert copies(tmp_path) == [TWO]
    assert result.stderr.splitlines()[-1].startswith(f"edits left in {tmp_path}/copies/")


def test_a_daemon_that_is_gone_keeps_the_edit(edit: Edit, daemon: FakeDaemon, tmp_path: Path) -> None:
    """It went down while the editor was open: status 3, and the text stays."""
    holds(daemon, ONE)
    socket = daemon.state / "run" / "launcher.sock"
    result = edit(f'echo "2 * * * * two" > "$1"; mv {socket} {socket}.gone')
    assert result.exit_code == 3
    assert "no crond daemon answers" in result.stderr
    assert copies(tmp_path) == [TWO]
    assert result.stderr.splitlines()[-1].startswith("edits left in ")


def test_no_daemon_no_editor(edit: Edit, daemon: FakeDaemon, tmp_path: Path) -> None:
    """Who cannot be asked for the text is found out before the editor is opened."""
    (daemon.state / "run" / "launcher.sock").rename(daemon.state / "away")
    result = edit(f"touch {tmp_path}/opened")
    assert result.exit_code == 3
    assert not (tmp_path / "opened").exists()


@pytest.mark.parametrize("yes_to_it", [True, False])
def test_somebody_else_changed_it(edit: Edit, daemon: FakeDaemon, tmp_path: Path, yes_to_it: bool) -> None:
    """What they changed is shown; a yes goes over exactly that text, a no keeps the edit."""
    holds(daemon, ONE)
    answers: list[Step] = [CHANGED, DONE]

    def installed(_message: Install) -> Iterable[Step]:
        holds(daemon, ONE + b"3 * * * * theirs\n", OTHER)
        return [yes({}, final=False), TakeText(), answers.pop(0)]

    daemon.edits[Install] = installed
    result = edit('echo "2 * * * * two" > "$1"', answers=b"y\n" if yes_to_it else b"n\n")
    assert "+3 * * * * theirs" in result.stderr
    assert result.stdout == "Install your edit in its place? (y/n) "
    bases = [message.base for message in daemon.edited if isinstance(message, Install)]
    if yes_to_it:
        assert (result.exit_code, bases) == (0, [DIGEST, OTHER])
        assert copies(tmp_path) == []
    else:
        assert (result.exit_code, bases) == (1, [DIGEST])
        assert copies(tmp_path) == [TWO]


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGTERM, signal.SIGINT])
def test_a_signal_while_we_wait_for_the_daemon(
    edit: Edit, daemon: FakeDaemon, tmp_path: Path, number: signal.Signals
) -> None:
    """A hang-up, TERM or Ctrl-C after the editor: ended, and the edit stays."""
    holds(daemon, ONE)
    daemon.edits[Install] = lambda _message: [lambda: os.kill(os.getpid(), number), Hang()]
    result = edit('echo "2 * * * * two" > "$1"')
    assert result.exit_code == 130
    assert f"ended by {number.name}" in result.stderr
    assert copies(tmp_path) == [TWO]


def test_signals_meant_for_the_editor(edit: Edit, daemon: FakeDaemon) -> None:
    """Ctrl-C and a hang-up while the editor runs are its business, and it does get them."""
    holds(daemon, ONE)
    takes(daemon, DONE)
    result = edit(
        f"kill -INT {os.getpid()}; kill -HUP {os.getpid()}; kill -QUIT {os.getpid()};"
        ' trap \'echo "2 * * * * two" > "$1"\' INT; kill -INT $$'
    )
    assert result.exit_code == 0, result.stderr
    assert daemon.texts == [TWO]


@pytest.mark.parametrize("folder", ["nosuch", "file"])
def test_a_copy_that_cannot_be_made(
    edit: Edit, daemon: FakeDaemon, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: str
) -> None:
    """TMPDIR is no folder: said, and no editor is opened."""
    holds(daemon, ONE)
    (tmp_path / "file").touch()
    monkeypatch.setenv("TMPDIR", str(tmp_path / folder))
    result = edit(":")
    assert result.exit_code == 1
    assert f"no copy can be made in {tmp_path}/{folder}" in result.stderr


def test_a_name_with_a_quote(
    edit: Edit, daemon: FakeDaemon, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The shell that runs the editor gets the file's name as one word, whatever TMPDIR is called."""
    folder = tmp_path / "it's $(touch owned) a;b"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.chdir(tmp_path)
    holds(daemon, ONE)
    takes(daemon, DONE)
    assert edit('echo "2 * * * * two" > "$1"').exit_code == 0
    assert daemon.texts == [TWO]
    assert not (tmp_path / "owned").exists()
    assert stat.S_ISDIR(folder.stat().st_mode)


def told(**changed: Any) -> dict[str, Any]:
    return {"user": "ann", "dialect": "debian", "size": 3, "digest": DIGEST, **changed}


@pytest.mark.parametrize(
    "steps",
    [
        [yes(told(size=-1), final=False)],
        [yes(told(size="3"), final=False)],
        [yes(told(digest=None), final=False)],
        [yes(told(), final=False), Piece(b"1234")],
        [yes(told(), final=False), Piece(b"12")],
        [yes(told(), final=False), yes({})],
    ],
)
def test_nonsense_for_a_text(ask: Client, daemon: FakeDaemon, steps: list[Step]) -> None:
    """No size, too much, too little, another message: status 3, and nothing on stdout."""
    daemon.edits[Fetch] = lambda _message: steps
    result = ask("-l")
    assert (result.exit_code, result.stdout) == (3, "")


NAMED = b"#: name=backup\n1 * * * * one\n"


@pytest.mark.parametrize(
    ("after", "told"),
    [
        (b"#: name=nightly\n1 * * * * one\n", True),
        (b"", True),
        (b"#: name=backup\n9 9 * * * other\n", False),
    ],
)
def test_who_edits_is_told_what_the_edit_loses(
    ask: Client, daemon: FakeDaemon, tmp_path: Path, after: bytes, told: bool
) -> None:
    """A paused job whose line is renamed runs again under its new name: whoever did that is told."""
    holds(daemon, NAMED)
    takes(daemon, DONE)
    jobs = [{"job": "ann/backup", "why": "is paused"}, {"job": "ann/other", "why": "is paused"}]
    daemon.scheduler["unsettled"] = lambda _arguments: [yes({"jobs": jobs})]
    (tmp_path / "new").write_bytes(after)
    result = ask(str(tmp_path / "new"))
    assert result.exit_code == 0
    note = "note: backup is paused, and no line is that job any longer\n"
    assert result.stderr.startswith(note) is told, result.stderr
