"""Real notifiers, and real receivers that misbehave: each fault has the result that decides what follows."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from pathlib import Path

import pytest

from crond.notifier.outcome import AGAIN, NEVER, SENT, UNSURE
from tests.notifier.conftest import Begin
from tests.notifier.process import item, ping
from tests.receivers import http, smtp
from tests.receivers.http import HttpReceiver, answer, redirect
from tests.receivers.smtp import SmtpReceiver

DRIP = http.drip()
HTTP = [
    ("ok", answer(200), SENT, "answered 200 (OK)"),
    ("no content", answer(204, b""), SENT, "answered 204 (No Content)"),
    ("server error", answer(500), AGAIN, "answered 500 (Internal Server Error)"),
    (
        "busy",
        answer(429, Retry_After="30"),
        AGAIN,
        "429 (Too Many Requests), and asks to wait for 30 s",
    ),
    ("too slow", answer(408), AGAIN, "answered 408 (Request Timeout)"),
    ("unavailable", answer(503, Retry_After="rubbish"), AGAIN, "answered 503 (Service Unavailable)"),
    ("bad request", answer(400), NEVER, "answered 400 (Bad Request)"),
    ("no leave", answer(403), NEVER, "answered 403 (Forbidden)"),
    ("not found", answer(404), NEVER, "answered 404 (Not Found)"),
    ("gone", answer(410), NEVER, "answered 410 (Gone)"),
    ("dropped", http.DROP, UNSURE, "closed the connection after the message went out"),
    ("reset", http.RESET, UNSURE, "closed the connection after the message went out"),
    ("half", http.HALF, UNSURE, "closed the connection after the message went out"),
    ("silent", http.HANG, UNSURE, "after the message went out"),
    ("drips", DRIP, UNSURE, "said nothing within the time limit after the message went out"),
]


@pytest.mark.parametrize("kind", ["apprise", "ping"])
def test_what_a_receiver_of_http_does(notifier: Begin, web: HttpReceiver, kind: str) -> None:
    """What was surely not taken is tried again, what may have been is unsure, a refusal is final."""
    url = {"apprise": f"json://{web.address}/hook", "ping": f"{web.url}/hook"}[kind]
    more = {"message": ping("success")} if kind == "ping" else {}
    web.then(*(fault for _, fault, _, _ in HTTP))
    running = notifier(*(item(name, url, kind, **more) for name, _, _, _ in HTTP), limit=0.7)
    found = running.results()
    # Of the answer to a ping nothing but its status is read.
    status_only = {DRIP, http.HALF} if kind == "ping" else set()
    read = [(name, *((SENT, "200") if fault in status_only else rest)) for name, fault, *rest in HTTP]
    assert {name: found[name]["result"] for name in found} == {name: want for name, want, _ in read}
    assert [name for name, _, words in read if words not in found[name]["detail"]] == []
    assert running.stderr == ""
    tries = [one["delivery"] for one in running.answers if one["result"] == "trying"]
    assert tries == [name for name, *_ in HTTP]


@pytest.mark.parametrize("kind", ["apprise", "ping"])
def test_what_never_was_a_connection(
    notifier: Begin, certificate: tuple[str, str], web: HttpReceiver, kind: str
) -> None:
    """A refused connection, a name that is none, a certificate that nobody vouches for: surely not taken."""
    plain, secure = {"apprise": ("json", "jsons"), "ping": ("http", "https")}[kind]
    more = {"message": ping("success")} if kind == "ping" else {}
    with HttpReceiver(tls=certificate) as tls, socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))  # and does not listen
        port = unused.getsockname()[1]
        running = notifier(
            item("refused", f"{plain}://127.0.0.1:{port}/x", kind, **more),
            item("no name", f"{plain}://host.invalid/x", kind, **more),
            item("distrusted", f"{secure}://{tls.address}/x", kind, **more),
            item("no TLS", f"{secure}://{web.address}/x", kind, **more),
        )
        found = running.results()
        assert tls.requests == []
    assert {one["result"] for one in found.values()} == {AGAIN}
    details = {name: one["detail"] for name, one in found.items()}
    assert details["refused"] == "refused the connection"
    assert details["no name"] == "its name cannot be resolved"
    assert details["distrusted"].startswith("its certificate is not to be trusted")
    assert details["no TLS"] == "TLS failed"


@pytest.mark.parametrize("kind", ["apprise", "ping"])
def test_a_redirect_is_followed(notifier: Begin, web: HttpReceiver, kind: str) -> None:
    """A POST that is to stay one does, with its key; one that leads to itself is no success."""
    more = {"message": ping("fail")} if kind == "ping" else {}
    scheme = {"apprise": "json", "ping": "http"}[kind]
    with HttpReceiver() as other:
        web.then(redirect(f"{other.url}/there", 307))
        web.otherwise = redirect("/loop", 308)
        running = notifier(
            item("1", f"{scheme}://{web.address}/here", kind, **more),
            item("2", f"{scheme}://{web.address}/loop", kind, **more),
        )
        found = running.results()
        request = other.wait_for(1)[0]
    assert found["1"]["result"] == SENT
    assert (request.method, request.path) == ("POST", "/there")
    assert request.body == web.requests[0].body
    assert request.headers["idempotency-key"] == web.requests[0].headers["idempotency-key"]
    assert found["2"]["result"] in {NEVER, UNSURE}


def test_a_login_is_not_passed_on(notifier: Begin, web: HttpReceiver) -> None:
    """A watcher that sent a ping on with 307 or 308 gave the password of its URL to another host."""
    with HttpReceiver() as other:
        for number, status in enumerate((302, 307, 308)):
            web.then(redirect(f"http://localhost:{other.port}/there", status))
            url = f"http://ann:s3cret@{web.address}/here"
            notifier(item(str(number), url, "ping", message=ping("success"))).results()
        elsewhere = other.wait_for(3)
    assert all("authorization" in one.headers for one in web.requests)
    assert [one.headers.get("authorization") for one in elsewhere] == [None] * 3


MAIL = [
    ("", "", SENT, "taken by the mail server"),
    ("CONNECT", smtp.DROP, AGAIN, "closed the connection"),
    ("MAIL", "451 not now", AGAIN, "answered 451 not now"),
    ("RCPT", "450 greylisted", AGAIN, "answered 450 greylisted"),
    ("RCPT", "550 no such user", NEVER, "answered 550 no such user"),
    ("RCPT", smtp.DROP, AGAIN, "closed the connection"),
    ("DATA", "452 disk full", AGAIN, "answered 452 disk full"),
    ("DATA", "554 spam", NEVER, "answered 554 spam"),
    ("DATA", smtp.DROP, UNSURE, "closed the connection after the message went out"),
    ("DATA", smtp.HANG, UNSURE, "after the message went out"),
]


def test_what_a_mail_server_does(notifier: Begin) -> None:
    """4xx may pass, 5xx does not; without an answer after the letter nobody knows."""
    receivers = [SmtpReceiver() for _ in MAIL]
    try:
        messages = []
        for number, (receiver, (stage, fault, _, _)) in enumerate(zip(receivers, MAIL, strict=True)):
            receiver.at[stage] = fault
            url = f"mailto://{receiver.address}?from=cron@example.org&to=ann@example.net"
            messages.append(item(str(number), url))
        running = notifier(*messages, limit=1)
        found = running.results()
    finally:
        for receiver in receivers:
            receiver.close()
    results = [(found[str(number)]["result"], found[str(number)]["detail"]) for number in range(len(MAIL))]
    assert [result for result, _ in results] == [want for _, _, want, _ in MAIL]
    assert [said for said, (_, _, _, want) in zip(results, MAIL, strict=True) if want not in said[1]] == []
    assert running.stderr == ""


def test_a_reply_without_an_end(notifier: Begin) -> None:
    """A mail server that went on with its greeting for ever took a gigabyte of memory in a few seconds."""

    def talk() -> None:
        connection, _ = listening.accept()
        with connection, suppress(OSError):
            while True:
                connection.sendall(b"220-" + b"x" * 4000 + b"\r\n")

    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = threading.Thread(target=talk, daemon=True)
        server.start()
        address = f"127.0.0.1:{listening.getsockname()[1]}"
        running = notifier(item("1", f"mailto://{address}?from=cron@example.org&to=ann@example.net"))
        found = running.results()["1"]
        server.join(10)
    assert (found["result"], found["detail"]) == (AGAIN, "Message too long")


def test_a_letter_is_known_by_its_id(notifier: Begin, post: SmtpReceiver) -> None:
    """Tried again it has the same Message-ID, made of the key; another recipient's letter has another."""
    ann, bob = (
        f"mailto://{post.address}?from=cron@example.org&to={who}@example.net" for who in ("ann", "bob")
    )
    notifier(item("1", ann), item("2", ann), item("3", bob)).results()
    letters = post.wait_for(3)
    ids = [letter.message["Message-ID"] for letter in letters]
    assert ids[0] == ids[1] != ids[2]
    assert all("0123456789abcd" in one for one in ids)
    assert [letter.recipients for letter in letters] == [["ann@example.net"]] * 2 + [["bob@example.net"]]
    assert letters[0].message["Subject"] == "[vm] backup failed (exit 2) — crontabx"
    html = letters[0].message.get_body(("html",))
    assert html is not None
    assert "<pre>boom</pre>" in html.get_content()


def test_an_unusable_url_never_gets_it(notifier: Begin) -> None:
    """Of Apprise or of a ping: it is not tried again, and the words do not hold it."""
    urls = ["nonsense://x/y", "json://", "slack://bad", "http://", "ftp://x/y", "http://[x/y", "x", ""]
    pings = [item(f"ping {url}", url, "ping", message=ping("success")) for url in urls]
    found = notifier(*(item(url, url) for url in urls), *pings).results()
    assert {url: one["result"] for url, one in found.items() if one["result"] != NEVER} == {}
    assert not any("x/y" in one["detail"] for one in found.values())


def test_what_fails_unseen_is_unsure(notifier: Begin, tmp_path: Path) -> None:
    """Where no connection was seen, Apprise's own words are told, without what its URL is made of."""
    url = f"slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/?template={tmp_path}/none.json"
    found = notifier(item("1", url)).results()["1"]
    assert found["result"] == UNSURE
    assert found["detail"].startswith("Could not access Slack ")
    assert "none.json" not in found["detail"]
