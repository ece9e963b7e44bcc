"""Messages to mail addresses, what `mail=` says of cron's own mail, and messages to try out who is told."""

from __future__ import annotations

import email
import email.policy
import json
import os
from pathlib import Path
from typing import Any

import pytest

from crond.launcher.lettering import letter
from crond.model.message import Message
from crond.model.messages import Ask
from tests.launcher.alerting import Alerting, Begin
from tests.launcher.client import NOBODY, Client, as_nobody, ask
from tests.launcher.daemon import Daemon, Runner, files_config
from tests.launcher.test_mail import Box, crontab, mailed

SLACK = "slack://tokenA/tokenB/tokenC"
TITLE = "[vm] backup failed (exit 2) — crontabx"


@pytest.fixture
def box(folder: Path) -> Box:
    return Box(folder)


# --- the letter ------------------------------------------------------------------------------------


def order(**more: Any) -> dict[str, Any]:
    said = Message(key="ab12", title=TITLE, facts=(("Exit", "2"),), **more)
    told = {"from": '"(Cron Daemon)" <alice>', "to": "ops@example.com", "host": "vm"}
    return {**told, "message": said.to_json(), "tail": "la\xc3\xa4st\nlines\n", "left_out": 5}


def test_the_letter() -> None:
    """Headers as cron's mail has them, the title as the subject, the key in the Message-ID; then the text."""
    made = email.message_from_bytes(letter(order()), policy=email.policy.default)
    assert made["Subject"] == TITLE
    assert (made["To"], made["From"]) == ("ops@example.com", '"(Cron Daemon)" <alice>')
    assert made["Message-ID"].startswith("<crontabx.ab12.")
    assert made["Message-ID"].endswith("@vm>")
    assert (made["Auto-Submitted"], made["Precedence"]) == ("auto-generated", "bulk")
    body = made.get_content()
    assert "Exit: 2" in body
    assert "    laäst\n    lines\n" in body


def test_no_text_becomes_a_header() -> None:
    """Not by a line break of any kind, and not by what makes no sense at all."""
    hostile = Message(key="k\nX-A: 1", title="x\r\nBcc: all@example.com\u2028Y: 1\x85Z: 1", why="\n\nBcc: b")
    for message in (hostile.to_json(), "{", "[1]", '{"tone": 1}', "[" * 5000):
        data = letter({**order(), "message": message, "to": "a@b\nBcc: c"})
        head = data.partition(b"\n\n")[0].decode()
        names = [line.partition(":")[0] for line in head.split("\n")]
        assert names == [
            "From",
            "To",
            "Subject",
            "Message-ID",
            "MIME-Version",
            "Content-Type",
            "Content-Transfer-Encoding",
            "Auto-Submitted",
            "Precedence",
        ]


# --- its way ---------------------------------------------------------------------------------------


def begun(folder: Path, daemon: Begin, alerting: Alerting, box: Box, target: str, **more: Any) -> Any:
    tab = crontab(folder, f"#: on_failure={target}", "* * * * * true")
    settings = {"sendmail": box.path, "mail_pauses": (0.0,)} | more
    running = daemon(files_config(folder, tab, **alerting.settings(**settings)))
    running.wire()
    return tab, alerting.recorder()


def test_an_address_is_told_by_mail(folder: Path, daemon: Begin, alerting: Alerting, box: Box) -> None:
    """By cron's own mail command, to that address alone; one try for each time that the recorder asks."""
    tab, recorder = begun(folder, daemon, alerting, box, "ops@example.com")
    assert recorder.told("a.1", tab, "ops@example.com", TITLE, why="for a test").result == "sent"
    [sent] = box.letters(1)
    assert sent.arguments.endswith("ops@example.com")
    assert " -t" not in sent.arguments
    assert b"for a test" in sent.body
    assert sent.uid == os.getuid()
    for status, result in ((75, "again"), (67, "never")):
        box.be(f"sys.exit({status})")
        told = recorder.told(f"b.{status}", tab, "ops@example.com")
        assert (told.result, told.detail) == (result, f"the mail command ended with status {status}")
    assert len(box.letters(1)) == 1


def test_no_mail_command(folder: Path, daemon: Begin, alerting: Alerting, box: Box) -> None:
    """One that is missing may come; one that takes too long is ended."""
    tab, recorder = begun(folder, daemon, alerting, box, "ops@example.com", mail_time_limit=0.3)
    box.be("time.sleep(1000)")
    told = recorder.told("b.1", tab, "ops@example.com")
    assert (told.result, told.detail) == ("again", "the mail command took longer than 0.3 s")
    os.unlink(box.path)
    assert recorder.told("c.1", tab, "ops@example.com").result == "again"


def test_mail_as_its_entry_says(folder: Path, daemon: Begin, box: Box) -> None:
    """`never`, `failure` also without output and by its own codes, `always` also without output."""
    entries = {
        "mail=never": "echo never; exit 1",
        "mail=failure": "echo fine",
        "mail=failure success_codes=3": "echo three; exit 3",
        "mail=failure retries=0": "exit 4",
        "mail=failure tags=x": "echo five; exit 5",
        "mail=always": "true",
        "mail=always tags=x": "echo six; exit 6",
    }
    lines = [line for said, command in entries.items() for line in (f"#: {said}", f"* * * * * {command}")]
    tab = crontab(folder, "MAILTO=ops", *lines)
    wire = daemon(files_config(folder, tab, sendmail=box.path)).wire()
    runner = Runner(wire)
    for entry in range(len(entries)):
        mailed(runner, wire, tab, entry)
    letters = {sent.head.partition("Subject: ")[2].split("\n")[0]: sent.body for sent in box.letters(4)}
    subjects = {subject.partition("> ")[2]: body for subject, body in letters.items()}
    assert subjects == {
        "exit 4 (exit status 4)": b"[no output]\n",
        "echo five; exit 5 (exit status 5)": b"five\n",
        "true": b"[no output]\n",
        "echo six; exit 6 (exit status 6)": b"six\n",
    }


# --- trying it out ---------------------------------------------------------------------------------


def tried(running: Daemon, **arguments: str) -> list[dict[str, Any]]:
    client = Client(running)
    client.send(Ask("notify-test", tuple(arguments.items())))
    answers = [client.body()]
    while not answers[-1]["final"]:
        answers.append(client.body())
    assert client.next() is None
    client.sock.close()
    return answers


def test_a_trial(folder: Path, daemon: Begin, alerting: Alerting, box: Box) -> None:
    """All targets of the crontab, or one; by the way of real messages; each is answered."""
    tab = crontab(
        folder,
        f"#: on_failure={SLACK} on_late=ops on_skip=a@example.com ping=https://example.net/p",
        "* * * * * true",
    )
    config = files_config(folder, tab, **alerting.settings(sendmail=box.path, on_trouble=("pager",)))
    running = daemon(config)
    running.wire()
    answers = tried(running)
    assert sorted((one["target"], one["result"]) for one in answers) == [
        ("a@example.com", "sent"),
        ("https://...", "sent"),
        ("ops", "sent"),
        ("slack://...", "sent"),
    ]
    assert [one["final"] for one in answers] == [False] * 3 + [True]
    assert b"crontab of" in box.letters(1)[0].body
    [one] = tried(running, target="json://user:password@localhost/")
    assert (one["target"], one["result"], one["detail"]) == ("json://...", "sent", "as ?[told")
    assert [one["target"] for one in tried(running, host="yes")] == ["pager"]
    assert tried(running, target="-oQ/tmp@x")[0]["result"] == "never"
    kinds = [each["kind"] for told in alerting.orders(3) for each in told["order"]["messages"]]
    assert sorted(kinds) == ["apprise", "apprise", "ping", "tag", "tag"]


def test_a_trial_is_bounded(folder: Path, daemon: Begin, alerting: Alerting) -> None:
    """One at a time of a user, and so many targets; nobody named is nobody told; an error is said."""
    tab = crontab(folder, "* * * * * true")
    running = daemon(files_config(folder, tab, **alerting.settings()))
    running.wire()
    assert tried(running) == [{"ok": True, "final": True}]
    assert ask(running, Ask("notify-test", (("user", "nobody"),)))["code"] == "permission"
    many = " ".join(f"on_failure=tag{number}" for number in range(17))
    other = crontab(folder, f"#: {many}", "* * * * * true", name="other")
    second = daemon(
        files_config(
            folder, other, **alerting.settings(state=str(folder / "s2"), run=str(folder / "s2" / "run"))
        )
    )
    second.wire()
    assert "at most 16" in ask(second, Ask("notify-test"))["error"]


@pytest.mark.root
@pytest.mark.system
@pytest.mark.skipif(os.geteuid() != 0, reason="becoming users needs root")
def test_who_may_try_what(folder: Path, host: Any, daemon: Begin, alerting: Alerting) -> None:
    """A user is that user, whatever is asked; root may ask for all."""
    running = daemon(host(**alerting.settings(on_trouble=("pager",))))
    running.wire()
    for name, value in (("user", "root"), ("host", "yes")):
        assert as_nobody(running, Ask("notify-test", ((name, value),)))["code"] == "permission"
    told = as_nobody(running, Ask("notify-test", (("target", "json://localhost"),)))
    assert (told["target"], told["result"]) == ("json://...", "sent")
    assert tried(running, user="nobody", target="json://localhost")[0]["result"] == "sent"
    assert tried(running, host="yes")[0]["target"] == "pager"
    uids = [order["uid"] for order in alerting.orders(3)]
    assert uids[:2] == [NOBODY.pw_uid] * 2
    assert json.dumps(uids[2]) != "0"
