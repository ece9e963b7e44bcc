"""A real launcher sends messages: to whom, as whom, and one result for each, whatever a notifier does."""

from __future__ import annotations

import json
import os
import pwd
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from crond.launcher import targets
from crond.launcher.config import Config
from crond.model.messages import Heartbeat, News
from crond.model.orders import IN_HAND, Noted, Notified
from tests.launcher.alerting import Alerting, Begin, Make, RecorderWire
from tests.launcher.daemon import Daemon, Runner, Wire, alive, files_config, until

as_root = [
    pytest.mark.root,
    pytest.mark.system,
    pytest.mark.skipif(os.geteuid() != 0, reason="becoming users needs root"),
]
SLACK = "slack://tokenA/tokenB/tokenC"


def crontab(folder: Path, *lines: str, name: str = "tab") -> Path:
    path = folder / name
    path.write_text("".join(f"{line}\n" for line in lines))
    path.chmod(0o600)
    return path


def files(folder: Path, alerting: Alerting, *lines: str, **more: Any) -> Config:
    tab = crontab(folder, *(lines or (f"#: on_failure={SLACK}", "* * * * * true")))
    return files_config(folder, tab, **alerting.settings(**more))


def begun(config: Config, daemon: Begin, alerting: Alerting) -> tuple[Daemon, Wire, RecorderWire]:
    running = daemon(config)
    return running, running.wire(), alerting.recorder()


# --- to whom ---------------------------------------------------------------------------------------


def test_only_what_the_crontab_names_is_told(folder: Path, daemon: Begin, alerting: Alerting) -> None:
    """A digest that no line names now is nobody's, nor is one of another crontab, or of the settings."""
    config = files(
        folder,
        alerting,
        f"#: on_failure={SLACK} ping=https://example.net/p",
        "* * * * * true",
        on_trouble=("json://localhost/x",),
        defaults=(("on_late", "ops"),),
    )
    tab = config.files[0]
    _, _, recorder = begun(config, daemon, alerting)
    assert recorder.told("a.1", tab, "json://localhost/x").result == "gone"
    assert recorder.told("a.2", tab, "slack://tokenA").result == "gone"
    assert recorder.told("a.3", "/etc/passwd", SLACK).result == "gone"
    assert recorder.told("a.4", "", SLACK).result == "gone"
    assert recorder.told("a.5", tab, SLACK) == Notified("a.5", "sent", "as ?[told", ("abc",))
    for number, target in enumerate(("https://example.net/p", "ops")):
        assert recorder.told(f"b.{number}", tab, target).result == "sent"
    assert recorder.told("b.3", "", "json://localhost/x").result == "sent"
    messages = [order["order"]["messages"][0] for order in alerting.orders(4)]
    assert [(one["target"], one["kind"]) for one in messages] == [
        (SLACK, "apprise"),
        ("https://example.net/p", "ping"),
        ("ops", "tag"),
        ("json://localhost/x", "apprise"),
    ]
    Path(tab).write_text("* * * * * true\n")
    until(lambda: recorder.told(f"c.{len(recorder.facts)}", tab, SLACK).result == "gone")
    # What it wrote first is not asked for again, as its crontab now is.
    assert (
        recorder.told("d.1", f"{config.one_shots}/{pwd.getpwuid(os.getuid()).pw_name}", "ops").result
        == "sent"
    )


def test_thousands_of_entries_name_the_same_targets(monkeypatch: pytest.MonkeyPatch) -> None:
    """10,000 entries under defaults of 250 targets: the launcher digested two and a half million texts at the
    first message after each edit, and started no job meanwhile.
    """
    digested: list[str] = []

    def digest(text: str) -> str:
        digested.append(text)
        return text

    monkeypatch.setattr(targets, "target_digest", digest)
    told = tuple(f"json://h/{number}" for number in range(50))
    sayings = [{"on_failure": told, "ping": ("http://p",), "secret_env": ()} for _ in range(100)]
    named = targets._named(sayings)
    assert len(digested) == len(named.targets) == 51
    assert named.targets["http://p"].kind is targets.Kind.PING


def test_the_order_is_nobodys_to_read(folder: Path, daemon: Begin, alerting: Alerting) -> None:
    """Neither target nor text is in an argument or the environment, which has next to nothing in it."""
    config = files(folder, alerting, message_time_limit=7.0)
    daemon_environment = {"https_proxy": "http://proxy:3128", "SECRET": "x", "HOME": "/nowhere"}
    running = daemon(config, env=daemon_environment)
    running.wire()
    recorder = alerting.recorder()
    recorder.told("a.1", config.files[0], SLACK, why="a text")
    [told] = alerting.orders(1)
    assert "token" not in told["public"]
    assert "a text" not in told["public"]
    assert told["environment"].keys() - {"LC_CTYPE"} == {"HOME", "PATH", "https_proxy"}
    assert (told["cwd"], told["session"]) == ("/", told["pid"])
    order = told["order"]
    assert (order["limit"], order["host"], order["system_config"]) == (7.0, os.uname().nodename, False)
    assert json.loads(order["messages"][0]["message"])["why"] == "a text"
    assert told["configuration"] is None


class TestUsers:
    """On a host, where each user's messages go with that user's rights."""

    pytestmark = as_root

    def host(self, make: Make, alerting: Alerting, folder: Path, **more: Any) -> Config:
        lines = [f"#: on_failure={SLACK} on_failure=ops", "* * * * * echo out of it"]
        for user in ("nobody", "bin"):
            tab = crontab(folder / "spool", "HOME=/", *lines, name=user)
            os.chown(tab, pwd.getpwnam(user).pw_uid, -1)
        system = crontab(folder, lines[0], "* * * * * root echo roots", name="crontab")
        system.chmod(0o644)
        apprise = folder / "apprise.yml"
        apprise.write_text("the host's")
        apprise.chmod(0o600)
        return make(**alerting.settings(apprise=str(apprise), **more))

    def test_who_sends(self, folder: Path, host: Make, daemon: Begin, alerting: Alerting) -> None:
        """The owner; for root the daemon's account in a group of nobody's, with the host's configuration."""
        _, _, recorder = begun(self.host(host, alerting, folder), daemon, alerting)
        assert recorder.told("a.1", folder / "spool" / "nobody", SLACK).result == "sent"
        assert recorder.told("a.2", folder / "crontab", "ops").result == "sent"
        users, roots = alerting.orders(2)
        nobody, account = pwd.getpwnam("nobody"), pwd.getpwnam("daemon")
        assert (users["uid"], users["gid"], users["argument"]) == (nobody.pw_uid, nobody.pw_gid, "nobody")
        assert users["environment"]["HOME"] == nobody.pw_dir
        assert users["configuration"] is None
        assert (roots["uid"], roots["gid"]) == (account.pw_uid, 65534)
        assert (roots["configuration"], roots["order"]["system_config"]) == ("the host's", True)

    def test_a_tag_of_the_hosts(self, folder: Path, host: Make, daemon: Begin, alerting: Alerting) -> None:
        """What the user does not have is looked up by the daemon's account, so often in an hour."""
        config = self.host(host, alerting, folder, messages_per_hour=2)
        _, _, recorder = begun(config, daemon, alerting)
        tab = folder / "spool" / "nobody"
        for number in range(2):
            assert recorder.told(f"a.{number}", tab, "ops", "elsewhere").result == "sent"
        more = recorder.told("a.3", tab, "ops", "elsewhere")
        assert (more.result, more.detail.partition(" in ")[0]) == ("again", "more than 2 messages")
        assert recorder.told("b.1", folder / "spool" / "bin", "ops", "elsewhere").result == "sent"
        assert recorder.told("b.2", tab, SLACK, "elsewhere").result == "never"
        uids = [order["uid"] for order in alerting.orders(8)]
        account, nobody = pwd.getpwnam("daemon").pw_uid, pwd.getpwnam("nobody").pw_uid
        assert uids[:5] == [nobody, account, nobody, account, nobody]

    def test_nobody_gets_the_output_of_another(
        self, folder: Path, host: Make, daemon: Begin, alerting: Alerting
    ) -> None:
        """The recorder says which attempt; the launcher looks only where the owner's lie."""
        _, wire, recorder = begun(self.host(host, alerting, folder), daemon, alerting)
        runner = Runner(wire)
        tabs = {name: folder / "spool" / name for name in ("nobody", "bin")}
        keys = {name: runner.start(runner.table(tab)) for name, tab in tabs.items()}
        for key in keys.values():
            runner.result(key)
        recorder.told("a.1", tabs["nobody"], SLACK, attempt=keys["bin"])
        recorder.told("a.2", tabs["nobody"], SLACK, attempt=keys["nobody"])
        recorder.told("a.3", tabs["nobody"], SLACK, attempt="none.1")
        tails = [order["order"]["messages"][0]["tail"] for order in alerting.orders(3)]
        assert tails == ["", "out of it\n", ""]

    def test_one_users_receiver_hangs(
        self, folder: Path, host: Make, daemon: Begin, alerting: Alerting
    ) -> None:
        """Others are told meanwhile."""
        _, _, recorder = begun(self.host(host, alerting, folder), daemon, alerting)
        recorder.notify("a.1", folder / "spool" / "nobody", SLACK, "waits")
        recorder.notify("a.2", folder / "spool" / "nobody", SLACK)
        alerting.orders(1)
        assert recorder.told("b.1", folder / "spool" / "bin", SLACK).result == "sent"
        assert not [one for one in recorder.facts if isinstance(one, Notified) and one.delivery[0] == "a"]
        alerting.go()
        assert recorder.result("a.2").result == "sent"


# --- what becomes of it ----------------------------------------------------------------------------


def test_a_notifier_that_dies(folder: Path, daemon: Begin, alerting: Alerting) -> None:
    """What it had begun may have arrived; what it had not, surely did not; what it finished, it did."""
    config = files(folder, alerting)
    _, _, recorder = begun(config, daemon, alerting)
    tab = config.files[0]
    for number, how in enumerate(("sent", "dies", "sent")):
        recorder.notify(f"a.{number}", tab, SLACK, how)
    results = [recorder.result(f"a.{number}") for number in range(3)]
    assert [one.result for one in results] == ["sent", "unsure", "again"]
    assert "killed by signal 9 while it sent this" in results[1].detail
    assert recorder.told("b.1", tab, SLACK, "dies before").result == "again"
    assert recorder.told("b.2", tab, SLACK).result == "sent"


@pytest.mark.parametrize("how", ["hangs", "floods", "rubbish"])
def test_a_notifier_that_misbehaves(folder: Path, daemon: Begin, alerting: Alerting, how: str) -> None:
    """It is killed, and the next one sends."""
    config = files(folder, alerting, message_time_limit=0.1 if how == "hangs" else 20.0)
    running, _, recorder = begun(config, daemon, alerting)
    tab = config.files[0]
    recorder.notify("a.1", tab, SLACK, how)
    recorder.notify("a.2", tab, SLACK)
    assert recorder.result("a.1").result == "unsure"
    assert recorder.result("a.2").result == "again"
    running.wait_for(running.errors, "was ended: it finished nothing" if how == "hangs" else "make no sense")
    assert not alive(alerting.orders(1)[0]["pid"])
    assert recorder.told("a.3", tab, SLACK).result == "sent"


def test_what_a_notifier_says_fills_no_log(folder: Path, daemon: Begin, alerting: Alerting) -> None:
    """Of each process some lines."""
    config = files(folder, alerting)
    running, _, recorder = begun(config, daemon, alerting)
    assert recorder.told("a.1", config.files[0], SLACK, "writes much").result == "sent"
    running.wait_for(running.errors, "notifier: word 19")
    assert not [line for line in running.errors if "word 20" in line]


def test_what_a_notifier_leaves_behind_holds_nothing_of_ours(
    folder: Path, daemon: Begin, alerting: Alerting
) -> None:
    """A user's notifier whose child outlived it kept the launcher listening to its stderr: one more
    descriptor of the daemon for each message, until none was left.
    """
    config = files(folder, alerting)
    running, _, recorder = begun(config, daemon, alerting)
    recorder.told("a.0", config.files[0], SLACK)

    def descriptors() -> int:
        return len(os.listdir(f"/proc/{running.process.pid}/fd"))

    before = descriptors()
    for number in range(1, 4):
        assert recorder.told(f"a.{number}", config.files[0], SLACK, "leaves a child").result == "sent"
    try:
        until(lambda: descriptors() <= before)
    finally:
        alerting.go()


def test_a_result_is_told_until_it_is_noted(folder: Path, daemon: Begin, alerting: Alerting) -> None:
    """Each new life of the recorder hears first what is in hand; what is sent is not sent again."""
    config = files(folder, alerting)
    running, wire, recorder = begun(config, daemon, alerting)
    tab = config.files[0]
    assert recorder.in_hand() == set()
    wire.send(News())
    recorder.read_until(lambda report: isinstance(report, News))
    recorder.told("a.1", tab, SLACK)
    recorder.told("a.2", tab, SLACK)
    recorder.notify("a.3", tab, SLACK, "waits")
    alerting.orders(3)
    recorder.send(Noted("a.1"), Heartbeat())
    os.kill(recorder.pid, signal.SIGKILL)
    recorder.leave()
    second = alerting.recorder()
    assert second.in_hand() == {"a.2", "a.3"}
    assert second.result("a.2").result == "sent"
    second.notify("a.2", tab, SLACK)
    second.notify("a.3", tab, SLACK)
    alerting.go()
    assert second.result("a.3").result == "sent"
    alerting.orders(3)
    running.wait_for(running.errors, "recorder: ended")


def test_a_recorder_without_bounds_is_replaced(folder: Path, daemon: Begin, alerting: Alerting) -> None:
    """More than so many at once, and it is another's turn, which hears of all of them."""
    config = files(folder, alerting)
    running, _, recorder = begun(config, daemon, alerting)
    for number in range(IN_HAND + 1):
        recorder.notify(f"a.{number}", config.files[0], "slack://unnamed")
    running.wait_for(running.errors, f"recorder: wants more than {IN_HAND} deliveries at once")
    assert len(alerting.recorder().in_hand()) == IN_HAND


def test_the_daemon_ends(folder: Path, daemon: Begin, alerting: Alerting) -> None:
    """What is on its way arrives, and the recorder notes it: else the next life would send it again."""
    config = files(folder, alerting)
    running, wire, recorder = begun(config, daemon, alerting)
    recorder.notify("a.1", config.files[0], SLACK, "waits")
    alerting.orders(1)
    running.process.send_signal(signal.SIGTERM)
    wire.is_closed()
    wire.leave()
    alerting.go()
    assert recorder.result("a.1").result == "sent"
    recorder.send(Noted("a.1"))
    assert recorder.is_closed()
    alerting.close()
    running.leave()
    assert running.wait() == 0


# --- the daemon's own heartbeat --------------------------------------------------------------------


def test_the_heartbeat_needs_a_scheduler(folder: Path, daemon: Begin, alerting: Alerting) -> None:
    """None before it was heard, and none when it is heard no more."""
    url = "https://example.net/beat"
    config = files(folder, alerting, heartbeat=url, heartbeat_interval=0.1, heartbeat_timeout=5.0)
    running, wire, _ = begun(config, daemon, alerting)
    wire.send(Heartbeat())
    until(lambda: len(list((folder / "orders").iterdir())) > 2)
    message = json.loads(next(iter((folder / "orders").glob("*[0-9]"))).read_text())["order"]["messages"][0]
    assert (message["target"], message["kind"]) == (url, "ping")
    assert {**json.loads(message["message"]), "key": ""}["ping"] == "success"
    os.kill(wire.pid, signal.SIGKILL)
    wire.leave()
    running.wait_for(running.errors, "scheduler: ended")
    running.wire()
    beats = len(list((folder / "orders").glob("*[0-9]")))
    # As long as several would take: the one that was under way may still come.
    with pytest.raises(AssertionError):
        _until_within(lambda: len(list((folder / "orders").glob("*[0-9]"))) > beats + 1, 0.6)


def _until_within(true: Callable[[], object], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)
