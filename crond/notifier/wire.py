"""Sees what passes between Apprise and a receiver: Apprise itself only says whether it is content.

Owns two seams, put in by `put_in` once and before Apprise is imported. HTTP: Apprise speaks through
`requests.request`, so each call has a session of its own, and a session mounts the transport adapter that
`requests.sessions` calls HTTPAdapter. Ours, a subclass as the documentation of requests describes, is put in
its place: this is one name, and what passes there is all that goes out, redirects too. SMTP: Apprise's
mail makes `smtplib.SMTP` or `SMTP_SSL`; subclasses of ours take their places. What is seen goes to `Sight`.
Knows no service. Called by targets.
"""

from __future__ import annotations

import errno
import re
import smtplib
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from hashlib import blake2s
from typing import IO, Any

import requests
import requests.sessions
from requests.adapters import HTTPAdapter

from crond import __version__
from crond.notifier.causes import how_it_ended
from crond.notifier.outcome import AGAIN, NEVER, SENT, Outcome, of_reply, of_silence, of_status

#: No answer is read further, bytes: what an endless one says is of no use.
_LONGEST_ANSWER = 1024 * 1024
#: Bytes of one reply of a mail server: smtplib keeps all lines of it, however many come.
_LONGEST_REPLY = 64 * 1024
#: Seconds: what a time limit is at least, lest it mean none.
_LEAST = 0.05


class Sight:
    """What is seen of one message to one target. `key` goes along, `until` (monotonic) is its last moment."""

    def __init__(self, key: str, until: float, mask: Callable[[str], str]) -> None:
        self.key = key
        self.mask = mask
        self.seen: list[Outcome] = []
        self.began = False  #: something of it passed here
        self.asked = False  #: the message is on its way, and no answer came yet
        self._until = until

    def left(self) -> float:
        """Return how many seconds are left."""
        return max(_LEAST, self._until - time.monotonic())

    def add(self, outcome: Outcome) -> None:
        """One request is over."""
        self.seen.append(outcome)
        self.asked = False


class _Eyes:
    """Whose sight it is now; one message is sent after the other."""

    sight: Sight | None = None


def put_in() -> None:
    """See what passes from now on."""
    # Plugins of Apprise look these names up when they send; a type checker lets nobody put others there.
    requests.sessions.HTTPAdapter = _Adapter  # type: ignore[attr-defined]
    smtplib.SMTP = _Smtp  # type: ignore[misc]
    smtplib.SMTP_SSL = _SmtpOverTls  # type: ignore[misc]


def look(sight: Sight | None) -> None:
    """What passes from now on is told to `sight`."""
    _Eyes.sight = sight


# --- HTTP ------------------------------------------------------------------------------------------


class _Adapter(HTTPAdapter):
    """Sends one request of a session, bounded, with the key, and says what came back."""

    def send(
        self,
        request: requests.PreparedRequest,
        stream: bool = False,
        timeout: Any = None,
        verify: Any = True,
        cert: Any = None,
        proxies: Mapping[str, str] | None = None,
    ) -> requests.Response:
        sight = _Eyes.sight
        told: dict[str, Any] = {"verify": verify, "cert": cert, "proxies": proxies}
        if sight is None:
            return super().send(request, stream=stream, timeout=timeout, **told)
        sight.began = True
        request.headers["Idempotency-Key"] = sight.key
        request.headers["User-Agent"] = f"crontabx/{__version__}"
        try:
            response = super().send(request, stream=True, timeout=_bounded(timeout, sight.left()), **told)
            response.raw = _Capped(response.raw)
            if not stream:
                _ = response.content  # read here, where its errors can be told
        except requests.exceptions.RequestException as error:
            sight.add(_of_error(error, asked=sight.asked))
            raise
        sight.add(of_status(response.status_code, response.headers.get("Retry-After", "")))
        return response

    def get_connection_with_tls_context(self, *arguments: Any, **named: Any) -> Any:
        pool = super().get_connection_with_tls_context(*arguments, **named)
        pool.ConnectionCls = _noticing(pool.ConnectionCls)
        return pool


def _noticing(kind: Any) -> Any:
    """Return the class of connections `kind`, but that it notices when it is connected, TLS included.

    What fails before then was surely not delivered. Nothing else tells: an error of TLS may come later too.
    """

    class Noticing(kind):  # type: ignore[misc] # it is known when there is a connection
        def connect(self) -> None:
            super().connect()
            self.notice()

        def request(self, *arguments: Any, **named: Any) -> None:
            if self.sock is not None:
                self.notice()
            super().request(*arguments, **named)

        @staticmethod
        def notice() -> None:
            if _Eyes.sight is not None:
                _Eyes.sight.asked = True

    return Noticing


class _Capped:
    """The body of an answer, as requests reads it, that ends when it is long enough."""

    def __init__(self, raw: Any) -> None:
        self._raw = raw

    def stream(self, size: int, decode_content: bool | None = None) -> Iterator[bytes]:
        left = _LONGEST_ANSWER
        for piece in self._raw.stream(size, decode_content=decode_content):
            yield piece
            left -= len(piece)
            if left <= 0:
                return

    def __getattr__(self, name: str) -> Any:
        return getattr(self._raw, name)


def _bounded(timeout: Any, left: float) -> tuple[float, float]:
    """Return the (connect, read) limits that were asked for, or `left` where that is less, in seconds."""
    connect, read = timeout if isinstance(timeout, tuple) else (timeout, timeout)
    return (min(connect or left, left), min(read or left, left))


def _of_error(error: requests.exceptions.RequestException, *, asked: bool) -> Outcome:
    if isinstance(error, ValueError) and not isinstance(error, requests.exceptions.JSONDecodeError):
        return Outcome(NEVER, "its URL cannot be used")
    if isinstance(error, requests.exceptions.ConnectTimeout):
        return Outcome(AGAIN, "took no connection in time")
    if isinstance(error, requests.exceptions.Timeout):
        return of_silence("said nothing in time", asked=asked)
    return of_silence(how_it_ended(error), asked=asked)


# --- SMTP ------------------------------------------------------------------------------------------


class _Noticed(smtplib.SMTP):
    """What is added to a client of SMTP: the key as Message-ID, and what the server says is told."""

    _in_data = False

    def __init__(self, *arguments: Any, **named: Any) -> None:
        sight = _Eyes.sight
        if sight is not None:
            sight.began = True
            named["timeout"] = min(named.get("timeout") or sight.left(), sight.left())
        with _told():
            super().__init__(*arguments, **named)

    def getreply(self) -> tuple[int, bytes]:
        if self.file is None and self.sock is not None:
            self.file = _Replies(self.sock.makefile("rb"))
        if isinstance(self.file, _Replies):
            self.file.left = _LONGEST_REPLY
        return super().getreply()

    def starttls(self, *arguments: Any, **named: Any) -> Any:
        with _told():
            return super().starttls(*arguments, **named)

    def login(self, *arguments: Any, **named: Any) -> Any:
        with _told():
            return super().login(*arguments, **named)

    def sendmail(self, from_addr: str, to_addrs: Any, msg: Any, *arguments: Any, **named: Any) -> Any:
        sight = _Eyes.sight
        if sight is not None and isinstance(msg, str):
            msg = _with_key(msg, sight.key, to_addrs)
        with _told():
            refused = super().sendmail(from_addr, to_addrs, msg, *arguments, **named)
        if sight is not None:
            for code, text in refused.values():
                sight.add(of_reply(code, sight.mask(_text(text))))
            if not refused:
                sight.add(Outcome(SENT, "taken by the mail server"))
        return refused

    def data(self, msg: Any) -> Any:
        self._in_data = True
        answer = super().data(msg)
        self._in_data = False
        if _Eyes.sight is not None:
            _Eyes.sight.asked = False
        return answer

    def send(self, s: Any) -> None:
        # Commands are text; within `data` the letter itself is bytes.
        if self._in_data and isinstance(s, bytes) and _Eyes.sight is not None:
            _Eyes.sight.asked = True
        super().send(s)


class _Replies:
    """What a mail server says, as smtplib reads it; `left` are the bytes that are read of this reply."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.left = 0

    def readline(self, size: int) -> bytes:
        line = self._file.readline(size)
        self.left -= len(line)
        if self.left < 0:
            raise OSError(errno.EMSGSIZE, "a reply without an end")
        return line

    def close(self) -> None:
        self._file.close()


class _Smtp(_Noticed):
    """In the place of smtplib.SMTP."""


class _SmtpOverTls(_Noticed, smtplib.SMTP_SSL):
    """In the place of smtplib.SMTP_SSL."""


@contextmanager
def _told() -> Iterator[None]:
    """Tell the sight what an exception says."""
    sight = _Eyes.sight
    try:
        yield
    except (OSError, ValueError) as error:  # all exceptions of smtplib are an OSError
        if sight is not None:
            for outcome in _of_smtp(error, sight):
                sight.add(outcome)
        raise


def _of_smtp(error: Exception, sight: Sight) -> list[Outcome]:
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return [of_reply(code, sight.mask(_text(text))) for code, text in error.recipients.values()]
    if isinstance(error, smtplib.SMTPResponseException):
        return [of_reply(error.smtp_code, sight.mask(_text(error.smtp_error)))]
    if isinstance(error, smtplib.SMTPNotSupportedError):
        return [Outcome(NEVER, "its mail server does not offer what the URL asks for, STARTTLS or a login")]
    if isinstance(error, ValueError):
        return [Outcome(NEVER, "its URL cannot be used")]
    return [of_silence(how_it_ended(error), asked=sight.asked)]


def _with_key(letter: str, key: str, recipients: Any) -> str:
    """Return `letter` with a Message-ID that is the same each time it is tried for `recipients`."""
    whose = blake2s(" ".join(recipients).encode("utf-8", "replace"), digest_size=4).hexdigest()
    key = re.sub(r"[^A-Za-z0-9.-]", "", key)
    head, mark, rest = letter.partition("\n\n")
    head = re.sub(r"(?im)^(Message-ID:\s*)<[^@>]*@", rf"\1<crontabx.{key}.{whose}@", head, count=1)
    return head + mark + rest


def _text(reply: bytes | str) -> str:
    return reply.decode("utf-8", "replace") if isinstance(reply, bytes) else str(reply)
