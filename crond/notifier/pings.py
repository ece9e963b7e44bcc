"""Tells a watcher of jobs, as healthchecks does it, that a run began, succeeded or failed.

Owns the URL that is asked and what the answer means. Of the standard library only: of all that is sent this
is most, and importing Apprise would cost more than the job. Knows no tag, no form. Called by main.
"""

from __future__ import annotations

import base64
import http.client
import urllib.error
import urllib.request
import uuid
from typing import IO, TYPE_CHECKING
from urllib.parse import unquote, urlencode, urlsplit, urlunsplit

from crond import __version__
from crond.model.alert import target_digest
from crond.model.plain import heading
from crond.notifier.causes import how_it_ended
from crond.notifier.outcome import NEVER, SENT, Outcome, OutOfTime, of_silence, of_status

if TYPE_CHECKING:
    from crond.notifier.limit import Limit
    from crond.notifier.text import Text

#: What is added to the path.
_PATHS = {"start": "/start", "success": "", "fail": "/fail"}
#: Of our runs the ids that watchers want, UUIDs, are made within this one.
_RUNS = uuid.UUID("8f0f6d0e-5f5c-4b0a-9a3e-2d9c6c1f7b1d")
_LONGEST_BODY = 10_000


def ping(url: str, text: Text, limit: Limit) -> Outcome:
    """Ask `url` as `text` says. The detail holds nothing of the URL."""
    message = text.message
    try:
        asked = url_of(url, message.ping, message.run)
        request = urllib.request.Request(  # noqa: S310 - url_of lets nothing but HTTP pass
            asked, _body(text), _headers(message.key), method="POST"
        )
    except (ValueError, KeyError):
        return Outcome(NEVER, "its URL cannot be used")
    if login := _login(url):
        # Whereto it is redirected, it does not go along.
        request.add_unredirected_header("Authorization", login)
    opened = _Opened()
    try:
        with limit.part(limit.left()):
            found = opened.ask(request, limit.left())
    except OutOfTime:
        return of_silence("said nothing within the time limit", asked=opened.asked)
    except (http.client.InvalidURL, UnicodeError):
        return Outcome(NEVER, "its URL cannot be used")
    except (OSError, http.client.HTTPException) as error:
        return of_silence(how_it_ended(error), asked=opened.asked)
    return Outcome(found.result, found.detail, (target_digest(url),)) if found.result == SENT else found


def url_of(url: str, what: str, run: str) -> str:
    """Return what is asked for `what`, "start", "success" or "fail".

    The path grows, and the query stays behind it; user and password are left out. `rid` says which start
    belongs to which end; without a `run` it is left out. Raises ValueError, KeyError.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError
    added = _PATHS[what]
    path = parts.path.rstrip("/") + added if added else parts.path
    query = "&".join(filter(None, (parts.query, urlencode({"rid": run_uuid(run)}) if run else "")))
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], path or "/", query, ""))


def run_uuid(run: str) -> str:
    """Return the UUID of the run `run`, always the same."""
    return str(uuid.uuid5(_RUNS, run))


def _login(url: str) -> str:
    """Return the header for the user and password in `url`, "" without."""
    parts = urlsplit(url)
    if parts.username is None:
        return ""
    pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    return "Basic " + base64.b64encode(pair.encode()).decode("ascii")


def _body(text: Text) -> bytes:
    lines = [f"run {text.message.run}"] if text.message.run else []
    if text.message.ping == "fail" and text.tail:
        lines += [heading(text.left_out), "", text.tail]
    body = "\n".join(lines).encode()
    if len(body) > _LONGEST_BODY:
        # The end of an output says why.
        head = lines[0].encode() + b"\n...\n"
        body = head + body[len(head) - _LONGEST_BODY :]
        body = body.decode("utf-8", "ignore").encode()
    return body


def _headers(key: str) -> dict[str, str]:
    return {
        "User-Agent": f"crontabx/{__version__}",
        "Idempotency-Key": key,
        "Content-Type": "text/plain; charset=utf-8",
    }


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows as the base does, and a POST that is to stay one too."""

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: http.client.HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        # The base gives it to whoever comes next; where a proxy is asked again, it is added again.
        req.headers.pop("Proxy-authorization", None)
        if code not in (307, 308):
            return super().redirect_request(req, fp, code, msg, headers, newurl)
        # Not `header_items`: the login among them is for nobody but whom the URL names.
        return urllib.request.Request(  # noqa: S310 - the base has looked at it
            newurl, req.data, dict(req.headers), method=req.get_method()
        )


class _Opened:
    """One request, that knows whether it has gone out."""

    def __init__(self) -> None:
        self.asked = False
        noticing = self

        class Plain(http.client.HTTPConnection):
            def connect(self) -> None:
                super().connect()
                noticing.asked = True

        class Secure(http.client.HTTPSConnection):
            def connect(self) -> None:
                super().connect()
                noticing.asked = True

        class Http(urllib.request.HTTPHandler):
            def http_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
                return self.do_open(Plain, req)

        class Https(urllib.request.HTTPSHandler):
            def https_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
                return self.do_open(Secure, req)

        self._opener = urllib.request.OpenerDirector()
        for handler in (
            urllib.request.ProxyHandler(),
            Http(),
            Https(),
            _Redirects(),
            urllib.request.HTTPDefaultErrorHandler(),
            urllib.request.HTTPErrorProcessor(),
            urllib.request.UnknownHandler(),
        ):
            self._opener.add_handler(handler)
        # The base adds its own, and sends it first.
        self._opener.addheaders = []

    def ask(self, request: urllib.request.Request, patience: float) -> Outcome:
        """Return what the answer means. Raises OSError, HTTPException."""
        try:
            with self._opener.open(request, timeout=patience) as answer:
                # Its status is all that a ping is answered with: nobody reads what follows.
                return _read(answer.status, str(answer.headers.get("Retry-After", "")))
        except urllib.error.HTTPError as error:
            with error:
                return _read(error.code, str(error.headers.get("Retry-After", "")))


def _read(status: int, retry_after: str) -> Outcome:
    # A redirect that comes here is one that was not followed.
    if 300 <= status < 400:
        return Outcome(NEVER, f"answered {status}, and leads nowhere")
    return of_status(status, retry_after)
