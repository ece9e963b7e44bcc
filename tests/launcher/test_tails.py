"""The end of an output in messages and in mail: whole lines of it, and no secret."""

from __future__ import annotations

import base64
import os
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from crond.launcher import tails
from crond.launcher.config import Config
from crond.launcher.loop import Loop
from crond.launcher.masking import MASK, Mask
from crond.launcher.tailing import last_lines
from crond.launcher.targets import Owner
from crond.model.messages import TableText
from tests.launcher.alerting import Alerting, Begin
from tests.launcher.client import NOBODY
from tests.launcher.daemon import Runner, files_config
from tests.launcher.test_mail import Box, mailed

SLACK = "slack://tokenA/tokenB/tokenC"
SECRET = b"pa55 w/rd+more"


@pytest.fixture
def box(folder: Path) -> Box:
    return Box(folder)


@pytest.mark.parametrize(
    ("data", "whole", "end"),
    [
        (b"one\ntwo\n", True, b"one\ntwo\n"),
        (b"one\ntwo\nfour\n", True, b"four\n"),
        (b"one two\n", False, b"one two\n"),
        (b"\none two\n", False, b"one two\n"),
        (b"x" * 20, False, b"x" * 8),
        (b"x" * 20 + b"\n", False, b"x" * 7 + b"\n"),
        (b"", True, b""),
    ],
)
def test_whole_lines(data: bytes, whole: bool, end: bytes) -> None:
    """At most 8 bytes, from the beginning of a line on; of a longer line its end."""
    assert last_lines(data, 8, whole=whole) == end


def test_forms_of_a_secret() -> None:
    """As it is, in base64, in a URL, each of its lines; nothing that is too short to be one."""
    mask = Mask([SECRET, b"first line\nab\nlast line", b"abc"])
    coded = base64.b64encode(SECRET)
    printed = b"|".join(
        [SECRET, coded, base64.urlsafe_b64encode(SECRET), b"pa55%20w%2Frd%2Bmore", b"pa55+w%2Frd%2Bmore"]
    )
    assert mask.masked(printed).replace(b"=", b"") == b"|".join([b"***"] * 5)
    assert mask.masked(b"the first line, the last line, abc, ab") == b"the ***, the ***, abc, ab"
    assert mask.masked(b"first line\nab\nlast line") == b"***"


def test_a_secret_that_is_cut_in_two() -> None:
    """Pieces of a file end anywhere."""
    mask = Mask([SECRET])
    text = b"a " + SECRET + b" b\n" + b"x" * 2_000_000 + SECRET + b"\n"
    found = [text[at : at + 7] for at in range(0, 40, 7)] + [text[42:2_000_025], text[2_000_025:]]
    assert b"".join(p for p in mask.through(found) if isinstance(p, bytes)) == text.replace(SECRET, b"***")
    assert list(mask.through([b"a", 5, b"b"])) == [b"a", 5, b"b"]


def test_a_secret_at_the_edge_of_what_is_read() -> None:
    """A line of tokens: of the first one that was read only a part was, and the masked rest was so much
    shorter that this part was sent, all but its first character.
    """
    mask = Mask([SECRET])
    for cut in range(1, len(SECRET)):
        data = (SECRET * 100)[cut:]
        assert last_lines(mask.masked(mask.without_rest(data)), 1000, whole=False) == MASK * 99, cut


def test_a_secret_within_base64() -> None:
    """`curl -v` prints a login: base64 of user and password, which begins anywhere in a group of three."""
    secret = b"correct horse battery"
    mask = Mask([secret])
    for user in (b"", b"a:", b"ab:", b"ann:", b"annabel:"):
        for end in (b"", b"!", b"!!"):
            masked = mask.masked(base64.b64encode(user + secret + end))
            assert MASK in masked, (user, end)
            assert len(masked) <= len(base64.b64encode(user + b"abc" + end)) + 6


def masked_tail(
    folder: Path, daemon: Begin, alerting: Alerting, secret: Path, size: int = 4096
) -> dict[str, object]:
    """Return what a notifier gets of the output of a job that prints a secret, after much else."""
    tab = folder / "tab"
    tab.write_text(
        f"#: on_failure={SLACK} secret_env=S=file:{secret}\n* * * * * true\n"
        "* * * * * seq 1000; echo it is 'pa55 w/rd+more'.; echo done\n"
    )
    config = files_config(folder, tab, **alerting.settings(tail=size))
    running = daemon(config)
    wire, recorder = running.wire(), alerting.recorder()
    runner = Runner(wire)
    key = runner.start(runner.table(tab), 1)
    runner.result(key)
    assert recorder.told("a.1", tab, SLACK, attempt=key).result == "sent"
    [told] = alerting.orders(1)
    assert "pa55" not in told["public"]
    message: dict[str, object] = told["order"]["messages"][0]
    return message


def test_a_secret_whose_line_was_edited_is_masked(folder: Path, daemon: Begin, alerting: Alerting) -> None:
    """`secret_env` was taken out of the crontab while the alert waited, and the secret was in its message."""
    secret, tab = folder / "secret", folder / "tab"
    secret.write_bytes(SECRET + b"\n")
    tab.write_text(f'#: on_failure={SLACK} secret_env=S=file:{secret}\n* * * * * echo "it is $S."\n')
    running = daemon(files_config(folder, tab, **alerting.settings()))
    wire, recorder = running.wire(), alerting.recorder()
    runner = Runner(wire)
    before = runner.table(tab)
    key = runner.start(before)
    runner.result(key)
    fresh = folder / "fresh"
    fresh.write_text(f"#: on_failure={SLACK}\n* * * * * true\n")
    fresh.rename(tab)
    wire.read_until(lambda fact: isinstance(fact, TableText) and fact.version > before.version)
    assert recorder.told("a.1", tab, SLACK, attempt=key).result == "sent"
    [told] = alerting.orders(1)
    assert told["order"]["messages"][0]["tail"] == "it is ***.\n"


def test_secrets_of_the_crontab_are_masked(folder: Path, daemon: Begin, alerting: Alerting) -> None:
    """Also what another of its jobs prints; the end is that of whole lines."""
    secret = folder / "secret"
    secret.write_bytes(SECRET + b"\n")
    message = masked_tail(folder, daemon, alerting, secret, size=30)
    assert message["tail"] == "998\n999\n1000\nit is ***.\ndone\n"
    assert message["left_out"] == len("".join(f"{number}\n" for number in range(1, 998)))


def _keep(told: list[str], name: str, _tail: object) -> None:
    told.append(name)


def test_whoever_waits_has_a_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Four messages of one user whose secrets hang held up everybody's; and where outputs were pruned while
    they waited, those behind them were never sent.
    """
    monkeypatch.setattr(tails, "kill_tree", lambda _pid: None)
    loop, masking, told = Loop(), list[int](), list[str]()
    there = [True]

    def run(*_: object, descriptors: Sequence[int], **__: object) -> int:
        masking.append(os.dup(descriptors[2]))
        return 1

    parts: Any = SimpleNamespace(
        config=SimpleNamespace(tail=100, mode="files"), own=None, accounts=None, loop=loop,
        outputs=SimpleNamespace(open=lambda *_: os.open(os.devnull, os.O_RDONLY) if there[0] else None),
    )  # fmt: skip
    assistants: Any = SimpleNamespace(run=run)
    tested = tails.Tails(parts, assistants)
    for number, uid in enumerate([1000] * 9 + [1001]):
        owner = Owner(f"u{uid}", uid, privileged=False)
        tested.take(owner, f"r.{number}", (("S", "file:/s"),), partial(_keep, told, str(number)))
    assert len(masking) == 2, "one of each user"
    there[0] = False
    loop.after(5, lambda: told.extend("?" * 10))
    for fd in masking:
        os.close(fd)
    while len(told) < 10:
        loop.turn()
    assert sorted(told) == [str(number) for number in range(10)]


@pytest.mark.parametrize("what", ["none", "pipe", "everybodys"])
def test_what_cannot_be_masked_is_not_sent(
    folder: Path, daemon: Begin, alerting: Alerting, what: str
) -> None:
    """A secret that nobody can read: the message goes out, and says why it shows nothing."""
    secret = folder / "secret"
    if what == "pipe":
        os.mkfifo(secret)
    elif what == "everybodys":
        secret.write_bytes(SECRET)
        secret.chmod(0o666)
    message = masked_tail(folder, daemon, alerting, secret)
    assert str(message["tail"]).startswith(f"[the output is left out: secret S: {secret}")


def test_mail_is_masked(folder: Path, daemon: Begin, box: Box) -> None:
    """Mail of cron's own about a job with secrets has none of them, wherever they lie."""
    secret = folder / "secret"
    secret.write_bytes(SECRET + b"\n")
    tab = folder / "tab"
    tab.write_text(
        "MAILTO=ops\n"
        f'#: secret_env=S=file:{secret}\n* * * * * echo "it is $S"\n'
        '#: secret_env=S=env:GIVEN\n* * * * * echo "it is $S, too"\n'
        f'#: secret_env=S=file:{secret}\n* * * * * rm {secret}; echo "$S"\n'
    )
    running = daemon(files_config(folder, tab, sendmail=box.path), env={"GIVEN": "from outside"})
    wire = running.wire()
    runner = Runner(wire)
    for entry in range(3):
        mailed(runner, wire, tab, entry)
        box.letters(entry + 1)
    bodies = [letter.body.decode() for letter in box.letters(3)]
    assert bodies == [
        "it is ***\n",
        "it is ***, too\n",
        f"[the output is left out: secret S: {secret}: No such file or directory]\n",
    ]


@pytest.mark.root
@pytest.mark.system
@pytest.mark.skipif(os.geteuid() != 0, reason="becoming users needs root")
def test_secrets_are_read_by_whose_they_are(
    folder: Path, host: Callable[..., Config], daemon: Begin, alerting: Alerting, box: Box
) -> None:
    """On a host: what only the user may read is masked in that user's mail and messages; what only root may
    read is not read for a user.
    """
    secret = folder / "secret"
    secret.write_bytes(SECRET)
    secret.chmod(0o400)
    tab = folder / "spool" / "nobody"
    line = f'#: on_failure={SLACK} secret_env=S=file:{secret}\n* * * * * echo it is "$S"\n'
    tab.write_text(f"HOME=/\nMAILTO=ops\n{line}")
    tab.chmod(0o600)
    for path in (tab, secret):
        os.chown(path, NOBODY.pw_uid, -1)
    running = daemon(host(**alerting.settings(mail="sendmail", sendmail=box.path)))
    wire, recorder = running.wire(), alerting.recorder()
    runner = Runner(wire)
    key = mailed(runner, wire, tab)
    [letter] = box.letters(1)
    assert (letter.uid, letter.body) == (NOBODY.pw_uid, b"it is ***\n")
    recorder.told("a.1", tab, SLACK, attempt=key)
    os.chown(secret, 0, 0)
    recorder.told("a.2", tab, SLACK, attempt=key)
    tails = [told["order"]["messages"][0]["tail"] for told in alerting.orders(2)]
    assert tails == ["it is ***\n", f"[the output is left out: secret S: {secret}: Permission denied]"]
