"""Real notifiers: services of Apprise, the tags of a user and of the host."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import parse_qs

import pytest
from apprise.cli import DEFAULT_CONFIG_PATHS

from crond.model.alert import target_digest
from crond.notifier.outcome import AGAIN, ELSEWHERE, NEVER, SENT, UNSURE
from crond.notifier.targets import PATHS
from tests.notifier.conftest import Begin
from tests.notifier.process import MESSAGE, item
from tests.receivers import http
from tests.receivers.http import HttpReceiver, answer

#: Calls everybody, ends the block it stands in, colours and a script.
HOSTILE = "<!channel> @everyone\n```\n<script>alert(1)</script> \x1b[31m&amp;\xff\n"


def test_a_json_webhook(notifier: Begin, web: HttpReceiver) -> None:
    """It gets title, text and tone, with our name and the key; nothing else comes with it."""
    url = f"json://{web.address}/hook?+X-Own=mine"
    found = notifier(item("1", url, left_out=512)).results()
    assert found["1"]["done"] == [target_digest(url)]
    request = web.wait_for(1)[0]
    said = request.json()
    assert (said["title"], said["type"], said["attachments"]) == (MESSAGE.title, "failure", [])
    assert "Output (512 bytes left out before):\n\n    boom\n" in said["message"]
    assert said["message"].endswith("\nalert 0123456789abcd")
    assert request.headers["idempotency-key"] == "0123456789abcd"
    assert request.headers["user-agent"].startswith("crontabx/")
    assert request.headers["x-own"] == "mine"
    assert request.path == "/hook"


def test_a_form(notifier: Begin, web: HttpReceiver) -> None:
    """The same as fields of a form."""
    assert notifier(item("1", f"form://{web.address}/hook")).results()["1"]["result"] == SENT
    fields = parse_qs(web.wait_for(1)[0].body.decode())
    assert fields["title"] == [MESSAGE.title]
    assert fields["message"][0].endswith("\nalert 0123456789abcd")


def test_a_long_message_stays_one(notifier: Begin, web: HttpReceiver) -> None:
    """What is too long for its service loses the beginning of the output, not the end, nor the key."""
    tail = "\n".join(f"line {number}" for number in range(20_000))
    assert (
        notifier(item("1", f"json://{web.address}?overflow=split", tail=tail)).results()["1"]["result"]
        == SENT
    )
    text = web.wait_for(1)[0].json()["message"]
    assert len(web.requests) == 1
    assert len(text) < 32768
    assert "    line 19999\n" in text
    assert text.endswith("\nalert 0123456789abcd")


def test_slack(notifier: Begin, certificate: tuple[str, str]) -> None:
    """Slack's own host and webhook, through a proxy: Markdown of its dialect, which calls nobody."""
    with HttpReceiver(tls=certificate, proxy=True) as slack:
        slack.then(answer(), answer(200, b"invalid_token"), answer(429, b"", Retry_After="1"), http.HANG)
        proxy = {"HTTPS_PROXY": slack.url, "REQUESTS_CA_BUNDLE": certificate[0]}
        url = "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/"
        running = notifier(*(item(str(n), url, tail=HOSTILE) for n in range(4)), limit=1, **proxy)
        found = running.results()
        request = slack.wait_for(4)[0]
    assert [found[str(n)]["result"] for n in range(4)] == [SENT, UNSURE, AGAIN, UNSURE]
    assert request.path == "/services/T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ"
    assert request.headers["host"] == "hooks.slack.com"
    assert request.headers["idempotency-key"] == "0123456789abcd"
    text = request.json()["attachments"][0]["text"]
    assert "<!channel>" not in text
    assert "@everyone" not in text
    assert text.count("```") == 2
    assert "<script>" not in text
    assert "alert 0123456789abcd" in text


def configure(home: Path, text: str, name: str = ".config/apprise.yml", mode: int = 0o600) -> None:
    path = home / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(mode)


def test_a_tag_of_the_user(notifier: Begin, web: HttpReceiver, tmp_path: Path) -> None:
    """All that it stands for get it, one by one; who has it is told, and gets it not again."""
    with HttpReceiver() as other:
        other.otherwise = answer(500)
        configure(tmp_path, f"urls:\n- json://{web.address}:\n    tag: ops, night\n")
        # The recipients of a copy have no order, and still it is the same target the next time.
        copies = "cc=a@example.org,b@example.org,c@example.org,d@example.org"
        configure(
            tmp_path, f"ops=json://{other.address}/?{copies}\nquiet=json://{web.address}/no\n", ".apprise"
        )
        first = notifier(item("1", "ops", "tag"), item("2", "night", "tag"), home=tmp_path).results()
        assert (first["1"]["result"], first["1"]["detail"]) == (
            AGAIN,
            "1 of 2: answered 500 (Internal Server Error)",
        )
        assert first["2"]["result"] == SENT
        assert first["2"]["done"] == first["1"]["done"]
        other.otherwise = answer()
        second = notifier(item("1", "ops", "tag", done=first["1"]["done"]), home=tmp_path).results()
        assert second["1"]["result"] == SENT
        assert len(second["1"]["done"]) == 2
        assert (len(web.requests), len(other.requests)) == (2, 2)
        third = notifier(item("1", "ops", "tag", done=second["1"]["done"]), home=tmp_path).results()
        assert third["1"]["result"] == SENT
        assert (len(web.requests), len(other.requests)) == (2, 2)


def test_each_of_a_tag_has_its_share_of_time(notifier: Begin, web: HttpReceiver, tmp_path: Path) -> None:
    """One that hangs does not eat up the time of those after it."""
    with HttpReceiver() as silent:
        silent.otherwise = http.HANG
        configure(tmp_path, f"ops=json://{silent.address}\nops=json://{web.address}\n", ".apprise")
        found = notifier(item("1", "ops", "tag"), home=tmp_path, limit=1).results()["1"]
    assert found["result"] == UNSURE
    assert len(found["done"]) == len(web.requests) == 1


def test_a_tag_with_priorities(notifier: Begin, web: HttpReceiver, tmp_path: Path) -> None:
    """As with Apprise: who is behind is told only if somebody before was not reached. Tags have no case."""
    configure(tmp_path, f"2:ops=json://{web.address}/pager\nOps=json://{web.address}/chat\n", ".apprise")
    web.then(answer(), answer(503), answer())
    found = notifier(item("1", "OPS", "tag"), item("2", "ops", "tag"), home=tmp_path).results()
    assert [found[name]["result"] for name in "12"] == [SENT, SENT]
    assert [request.path for request in web.requests] == ["/chat", "/chat", "/pager"]
    assert len(found["2"]["done"]) == 1
    assert not set(found["1"]["done"]) & set(found["2"]["done"])


def test_a_configuration_that_is_being_mended(notifier: Begin) -> None:
    """A mistake in the host's file must not cost all users their alerts: they are tried again."""
    found = notifier(item("1", "ops", "tag"), system="urls: [json://x\n  tag: {").results()["1"]
    assert found["result"] == AGAIN


def test_a_tag_that_the_user_does_not_have(notifier: Begin, web: HttpReceiver, tmp_path: Path) -> None:
    """The host's configuration is to be asked; a file that others may write to is none of the user's."""
    configure(tmp_path, f"ops=json://{web.address}\n", ".apprise", mode=0o602)
    configure(tmp_path, f"broken = = json://s3cret@{web.address}\n", ".apprise.conf")
    found = notifier(item("1", "ops", "tag"), home=tmp_path).results()["1"]
    assert found["result"] == ELSEWHERE
    assert "~/.apprise is not read: others may write to it" in found["detail"]
    assert web.requests == []


def test_a_user_may_include_files(notifier: Begin, web: HttpReceiver, tmp_path: Path) -> None:
    """Apprise's include works in a user's own configuration, from where that stands."""
    configure(tmp_path, "include more.conf\n", ".config/apprise.conf")
    configure(tmp_path, f"ops=json://{web.address}\n", ".config/more.conf")
    assert notifier(item("1", "ops", "tag"), home=tmp_path).results()["1"]["result"] == SENT


@pytest.mark.parametrize("kind", ["text", "yaml"])
def test_a_tag_of_the_host(notifier: Begin, web: HttpReceiver, tmp_path: Path, kind: str) -> None:
    """It comes through a descriptor; the user's own is not looked at, and no other file is read."""
    configure(tmp_path, f"mine=json://{web.address}/mine\n", ".apprise")
    more = tmp_path / "more.conf"
    more.write_text(f"more=json://{web.address}/more\n")
    system = {
        "text": f"include {more}\ninclude file://{more}\nops=json://{web.address}/ops\n",
        "yaml": f"include: file://{more}\nurls:\n- json://{web.address}/ops:\n    tag: ops\n",
    }[kind]
    running = notifier(
        *(item(tag, tag, "tag") for tag in ("ops", "mine", "more")), system=system, home=tmp_path
    )
    found = running.results()
    assert [found[tag]["result"] for tag in ("ops", "mine", "more")] == [SENT, NEVER, NEVER]
    assert [request.path for request in web.requests] == ["/ops"]
    assert found["mine"]["detail"] == "the host's configuration of Apprise has no tag mine"


def test_where_apprise_looks() -> None:
    """A user's configuration is looked for where Apprise's own command looks for it."""
    assert PATHS == DEFAULT_CONFIG_PATHS


def test_no_plugins_of_others(notifier: Begin, tmp_path: Path) -> None:
    """A decorated function in a plugin folder is not loaded: it would be code that runs for each alert."""
    folder = tmp_path / ".apprise" / "plugins"
    folder.mkdir(parents=True)
    made = tmp_path / "made"
    code = f"open({str(made)!r}, 'w')\nfrom apprise.decorators import notify\n"
    code += "@notify(on='own')\ndef f(*a, **k): ...\n"
    (folder / "own.py").write_text(code)
    found = notifier(item("1", "own://x"), home=tmp_path).results()["1"]
    assert found["result"] == NEVER
    assert not made.exists()
    assert not re.search(r"\.py", found["detail"])
