"""Real notifiers: batches, rubbish, an end in the middle, and what nobody may see."""

from __future__ import annotations

import json
from typing import Any

import pytest

from crond.model.message import Message
from crond.notifier.outcome import AGAIN, NEVER, SENT, UNSURE
from tests.notifier.conftest import Begin
from tests.notifier.process import MESSAGE, Notifier, item, ping
from tests.receivers import http
from tests.receivers.http import HttpReceiver, answer
from tests.receivers.smtp import SmtpReceiver


def test_one_that_hangs_holds_up_nobody(notifier: Begin, web: HttpReceiver) -> None:
    """The first and the third message of a batch are sent though the second's receiver says nothing."""
    url = f"json://{web.address}/"
    web.then(answer(), http.HANG)
    running = notifier(item("1", url), item("2", url), item("3", url), limit=0.5)
    running.results()
    assert running.status == 0
    said = [(one["delivery"], one["result"]) for one in running.answers]
    assert said == [(n, r) for n, end in (("1", SENT), ("2", UNSURE), ("3", SENT)) for r in ("trying", end)]


def test_killed_in_the_middle_it_has_said_what_was(notifier: Begin, web: HttpReceiver) -> None:
    """After kill -9 the answers are: sent, and one try of which nobody knows. Each is said at once."""
    url = f"json://{web.address}/"
    web.then(answer(), http.HANG)
    running = notifier(item("1", url), item("2", url), item("3", url))
    web.wait_for(2)
    running.kill()
    running.results()
    assert running.status == -9
    said = [(one["delivery"], one["result"]) for one in running.answers]
    assert said == [("1", "trying"), ("1", SENT), ("2", "trying")]
    assert len(web.requests) == 2


def test_without_a_listener_nothing_goes_out(notifier: Begin, web: HttpReceiver) -> None:
    """A launcher that is gone would have it sent again."""
    running = notifier(item("1", f"json://{web.address}/"))
    running.hang_up()
    assert running.wait() == 1
    assert web.requests == []
    assert running.stderr == ""


ITEM = item("1", "json://127.0.0.1:1/")


@pytest.mark.parametrize(
    ("order", "words"),
    [
        (b"", "is not JSON"),
        (b"\xff\x00", "is not JSON"),
        (b"[" * 100_000, "is not JSON"),
        ([], "is no object"),
        ({"limit": 5}, "no messages"),
        ({"limit": 5, "messages": []}, "no messages"),
        ({"limit": 5, "messages": [ITEM] * 1000}, "too many"),
        ({"limit": "s3cret", "messages": [ITEM]}, "no time limit"),
        ({"limit": True, "messages": [ITEM]}, "no time limit"),
        ({"limit": -1, "messages": [ITEM]}, "no time limit"),
        ({"limit": 5, "messages": ["s3cret" * 1000]}, "no message"),
        ({"limit": 5, "messages": [{"delivery": 7}]}, "no message"),
    ],
)
def test_an_order_that_makes_no_sense(order: object, words: str) -> None:
    """It is said why in one line, which quotes nothing; the exit status is 2."""
    running = Notifier(order)
    try:
        assert running.results() == {}
        assert running.status == 2
        assert words in running.stderr
        assert running.stderr.count("\n") == 1
        assert len(running.stderr) < 100
        assert "s3cret" not in running.stderr
    finally:
        running.close()


def test_one_message_that_makes_no_sense(notifier: Begin, web: HttpReceiver) -> None:
    """It is refused for good, and the others of the batch go out."""
    url = f"json://{web.address}/"
    wrong = [
        item("a", url, message=MESSAGE) | {"message": {"key": "k"}},
        item("b", url) | {"message": 7},
        item("c", url) | {"tail": "\u20ac"},
        item("d", url) | {"kind": "pigeon"},
        item("e", url) | {"left_out": "many"},
        item("f", url) | {"done": 7},
        {"delivery": "g"},
        item("i", url, message=Message(key="k\r\nX-Forged: yes")),
        item("h", url, "ping", message=Message(key="k", ping="sideways")),
    ]
    running = notifier(*wrong, item("good", url))
    found = running.results()
    assert found.pop("good")["result"] == SENT
    assert {one["result"] for one in found.values()} == {NEVER}
    assert running.stderr == ""


def test_the_message_may_come_as_text(notifier: Begin, web: HttpReceiver) -> None:
    """The recorder makes JSON of it, and the launcher passes on what it does not read."""
    url = f"json://{web.address}/"
    notifier(item("1", url) | {"message": MESSAGE.to_json()}).results()
    assert web.wait_for(1)[0].json()["title"] == MESSAGE.title


SECRETS = ("s3cretuser", "s3cretpass", "s3crettoken", "T1JJ3T3L2", "TIiajkdnlazkcOXrIdevi7FQ")


def test_secrets_are_told_to_nobody(notifier: Begin, web: HttpReceiver, post: SmtpReceiver) -> None:
    """A target is in no argument, no environment, no answer, no word on stderr; nor if a server quotes it."""
    post.at["RCPT"] = "550 who is s3crettoken@example.net, s3cretuser?"
    web.otherwise = http.RESET
    path = "s3crettoken?verify=no&+X-Token=s3cretpass"
    running = notifier(
        item("1", f"json://s3cretuser:s3cretpass@{web.address}/{path}"),
        item("2", f"jsons://s3cretuser:s3cretpass@{web.address}/{path}"),
        item("3", f"mailto://{post.address}?from=s3cretuser@example.org&to=s3crettoken@example.net"),
        item("4", "slack://T1JJ3T3L2/s3crettoken/TIiajkdnlazkcOXrIdevi7FQ/?mode=s3cretpass"),
        item("5", f"http://s3cretuser:s3cretpass@{web.address}/s3crettoken", "ping", message=ping("fail")),
        item("6", "json://s3cretuser:s3cretpass@host.invalid/s3crettoken"),
        item("7", "s3crettoken", "tag"),
    )
    running.next()
    everywhere = running.seen_in_proc()
    assert "crond-notifier\n" in everywhere
    assert "alerts of ann" in everywhere
    found = running.results()
    assert "7" in found
    del found["7"]  # a tag is no secret
    everywhere += running.stderr + json.dumps(found)
    assert [secret for secret in SECRETS if secret in everywhere] == []
    assert found["3"]["detail"] == "answered 550 who is ***@***, ***?"
    assert {found[name]["result"] for name in ("1", "5")} == {UNSURE}
    assert {found[name]["result"] for name in ("2", "6")} == {AGAIN}
    assert web.requests[0].headers["authorization"].startswith("Basic ")
    assert web.requests[-1].headers["authorization"].startswith("Basic ")


def odd_header(handler: Any) -> None:
    """Answer with what urllib3 warns of, and quotes the URL."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nno colon\r\n\r\nok")


def test_libraries_are_silent(notifier: Begin, web: HttpReceiver, certificate: tuple[str, str]) -> None:
    """What they log and warn of names hosts and paths: none of it gets to stderr, which goes into the log."""
    web.then(odd_header)
    with HttpReceiver(tls=certificate) as tls:
        running = notifier(
            item("1", f"json://{web.address}/s3crettoken"),
            item("2", f"jsons://{tls.address}/s3crettoken?verify=no"),
            item("3", "json://s3cret user@:x/"),
        )
        found = running.results()
    assert [found[name]["result"] for name in "123"] == [SENT, SENT, NEVER]
    assert running.stderr == ""


def test_what_a_ping_asks_for(notifier: Begin, web: HttpReceiver) -> None:
    """The path grows before the query; start and end have one `rid`; a failure tells the output's end."""
    url = f"{web.url}/uuid?create=1#no"
    tail = "x" * 20_000 + "\nthe end\n"
    running = notifier(
        item("1", url, "ping", message=ping("start")),
        item("2", url, "ping", message=ping("success")),
        item("3", f"{web.url}/uuid/", "ping", message=ping("fail"), tail=tail, left_out=9),
        item("4", url, "ping", message=ping("start", run="another")),
        item("5", web.url, "ping", message=ping("success", run="")),
    )
    found = running.results()
    assert {one["result"] for one in found.values()} == {SENT}
    asked = [request.path for request in web.requests]
    rid = asked[0].partition("rid=")[2]
    assert asked[:3] == [
        f"/uuid/start?create=1&rid={rid}",
        f"/uuid?create=1&rid={rid}",
        f"/uuid/fail?rid={rid}",
    ]
    assert rid not in asked[3]
    assert asked[4] == "/"
    assert {request.method for request in web.requests} == {"POST"}
    assert web.requests[0].body == b"run 01JD3"
    failure = web.requests[2].body
    assert len(failure) == 10_000
    assert failure.startswith(b"run 01JD3\n...\nxxx")
    assert failure.endswith(b"xxx\nthe end")
    assert web.requests[0].headers["user-agent"].startswith("crontabx/")
    assert web.requests[0].headers["idempotency-key"] == ping("start").key


def test_without_apprise_pings_go_out(notifier: Begin, web: HttpReceiver) -> None:
    """A ping needs the standard library alone; a message waits until somebody has installed Apprise."""
    message, beat = item("1", f"json://{web.address}"), item("2", web.url, "ping", message=ping("start"))
    found = notifier(message, beat, flags="-IS").results()
    assert (found["1"]["result"], found["2"]["result"]) == (AGAIN, SENT)
    assert found["1"]["detail"].startswith("Apprise is not installed")


def test_a_ping_is_light(notifier: Begin, web: HttpReceiver) -> None:
    """Most of what is sent are pings: Apprise is not imported for one."""
    messages = [item("1", web.url, "ping", message=ping("start"))]
    alone = notifier(*messages)
    alone.results()
    with_apprise = notifier(*messages, item("2", f"json://{web.address}"))
    with_apprise.results()
    cpu = [one.usage.ru_utime + one.usage.ru_stime for one in (alone, with_apprise)]
    assert cpu[0] < cpu[1] / 2
