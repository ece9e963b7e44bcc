"""Sends one message through Apprise: to a URL, or to what a tag stands for in a configuration of Apprise.

Owns what we ask of Apprise: one server at a time, once, one message as one, nothing on disk, no attachments,
no plugins of others. What became of it is told by what was seen on the wire. Called by main; Apprise is
imported when the first message needs it.
"""

from __future__ import annotations

import logging
import os
import re
import stat
import time
from collections.abc import Iterable, Mapping
from typing import Any

from crond.model.alert import target_digest, target_label
from crond.model.message import Tone
from crond.notifier import forms, wire
from crond.notifier.limit import Limit
from crond.notifier.masking import masked
from crond.notifier.outcome import (
    AGAIN,
    ELSEWHERE,
    NEVER,
    SENT,
    UNSURE,
    Outcome,
    OutOfTime,
    of_silence,
    together,
)
from crond.notifier.text import Text

#: Where Apprise's own command looks for a user's configuration (apprise.cli.DEFAULT_CONFIG_PATHS).
PATHS = (
    *(f"~/.{name}" for name in ("apprise", "apprise.conf", "apprise.yml", "apprise.yaml")),
    *(f"~/.config/{name}" for name in ("apprise", "apprise.conf", "apprise.yml", "apprise.yaml")),
    *(f"~/.apprise/{name}" for name in ("apprise", "apprise.conf", "apprise.yml", "apprise.yaml")),
    *(f"~/.config/apprise/{name}" for name in ("apprise", "apprise.conf", "apprise.yml", "apprise.yaml")),
    *(f"/etc/{name}" for name in ("apprise", "apprise.yml", "apprise.yaml")),
    *(f"/etc/apprise/{name}" for name in ("apprise", "apprise.conf", "apprise.yml", "apprise.yaml")),
)
#: Apprise reads no longer configuration, bytes.
_LONGEST_CONFIGURATION = 128 * 1024
#: Room for what a service's own dialect makes longer, characters.
_MARGIN = 200
_KINDS = {Tone.FAILURE: "failure", Tone.WARNING: "warning", Tone.SUCCESS: "success", Tone.INFO: "info"}


class Targets:
    """Sends through Apprise. `system` is the text of the host's configuration; None: tags are the user's."""

    def __init__(self, system: str | None = None) -> None:
        wire.put_in()
        import apprise

        self._apprise = apprise
        self._words = _Words()
        self._system = system
        self._configured: tuple[dict[str, Any], str] | None = None
        self._asset = apprise.AppriseAsset(
            app_id="crontabx",
            app_desc="crontabx",
            app_url="",
            async_mode=False,
            interpret_emojis=False,
            storage_mode="memory",
            pgp_autogen=False,
            pem_autogen=False,
            allow_templates=False,
        )

    def send_to_url(self, url: str, text: Text, limit: Limit) -> Outcome:
        """Send to the one service at `url`."""
        digest = target_digest(url)
        with limit.part(limit.left()):
            server = self._apprise.Apprise.instantiate(url, asset=self._asset)
        if server is None:
            label = target_label(url)
            return Outcome(NEVER, f"Apprise knows no such service, or cannot use this URL of it: {label}")
        return self._send(server, [url], digest, text, limit, limit.left())

    def send_to_tag(self, tag: str, text: Text, limit: Limit, done: Iterable[str]) -> Outcome:
        """Send to all that `tag` stands for but those with digests in `done`; each has its share of time.

        As with Apprise those with a larger priority (`2:tag`) are asked only if one before them failed.
        """
        with limit.part(limit.left()):
            # A configuration may include others, from the network.
            servers, why = self._servers()
        ranks: dict[int, list[str]] = {}
        for digest, server in servers.items():
            found = [one.priority for one in server.tags if one in {tag.lower(), "always"}]
            if found:
                ranks.setdefault(min(found), []).append(digest)
        if not any(tag.lower() in server.tags for server in servers.values()):
            return self._without(tag, servers, why)
        held, waiting = set(done), {digest for digests in ranks.values() for digest in digests} - set(done)
        outcomes: list[Outcome] = []
        for _, digests in sorted(ranks.items()):
            asked = [Outcome(SENT, "", (digest,)) for digest in digests if digest in held]
            for digest in filter(waiting.__contains__, digests):
                share = limit.left() / len(waiting)
                server = servers[digest]
                asked.append(self._send(server, [server.url()], digest, text, limit, share))
                waiting = waiting - {digest}
            outcomes += asked
            if together(asked).result == SENT:
                return Outcome(SENT, asked[-1].detail, together(outcomes).done)
        return together(outcomes)

    def _without(self, tag: str, servers: Mapping[str, Any], why: str) -> Outcome:
        """Return what becomes of a message to a `tag` that is not in the configuration."""
        if self._system is None:
            return Outcome(ELSEWHERE, f"the user's configuration of Apprise has no tag {tag}{why}")
        if self._system.strip() and not servers:
            # Somebody is at it, or made a mistake that will be noticed.
            return Outcome(AGAIN, "Apprise finds no target in the host's configuration")
        return Outcome(NEVER, f"the host's configuration of Apprise has no tag {tag}")

    def _send(
        self, server: Any, urls: list[str], digest: str, text: Text, limit: Limit, seconds: float
    ) -> Outcome:
        """Try `server` once, for so many `seconds` of the message's time."""
        sight = wire.Sight(text.message.key, time.monotonic() + seconds, lambda said: masked(said, urls))
        self._words.begin()
        _be_patient(server, seconds)
        wire.look(sight)
        try:
            with limit.part(seconds):
                well = self._notify(server, text)
        except OutOfTime:
            return _out_of_time(sight)
        except Exception as error:  # noqa: BLE001 - a plugin may raise anything, and others are to be served
            return _failed(sight, f"{type(error).__name__} in Apprise")
        finally:
            wire.look(None)
        if well:
            return Outcome(SENT, sight.seen[-1].detail if sight.seen else "", (digest,))
        return _failed(sight, sight.mask(self._words.last()) or "Apprise says that it failed")

    def _notify(self, server: Any, text: Text) -> bool:
        """Ask the plugin itself: `Apprise.notify` adds retries, waits and threads."""
        form = server.resolve_format()
        title = forms.title(text.message)
        above = len(title) if server.title_maxlen <= 0 else 0
        longest = max(_MARGIN, server.body_maxlen - _MARGIN - above)
        body = forms.body(
            text.message, forms.Form(form.value), tail=text.tail, left_out=text.left_out, limit=longest
        )
        return bool(
            server.notify(
                body=body,
                title=title,
                notify_type=_KINDS[text.message.tone],
                overflow="truncate",
                body_format=form,
            )
        )

    def _servers(self) -> tuple[dict[str, Any], str]:
        """Return all servers of the configuration by digest, and words about what of it was not read."""
        if self._configured is None:
            servers, why = self._of_user() if self._system is None else (self._parsed(self._system), "")
            # Their URLs change with what is set on them for a try.
            self._configured = ({digest_of(server): server for server in servers}, why)
        return self._configured

    def _of_user(self) -> tuple[list[Any], str]:
        servers, why = list[Any](), ""
        for path in PATHS:
            try:
                found = _content(os.path.expanduser(path))
            except (OSError, ValueError) as error:
                why += f"; {path} is not read: {error}"
                continue
            if found is not None:
                servers += self._parsed(found, os.path.dirname(os.path.expanduser(path)))
        return servers, why

    def _parsed(self, content: str, folder: str | None = None) -> list[Any]:
        """Return the servers in `content`; a user's own may include other files, from `folder` on."""
        own = folder is not None
        config = self._apprise.AppriseConfig(
            asset=self._asset, recursion=1 if own else 0, insecure_includes=own
        )
        # As Apprise reads a file: what looks like nothing is text.
        if not config.add_config(content) and not config.add_config(content, format="text"):
            return []
        if folder is not None:
            config[0].config_path = folder
        return list(config.services())


def digest_of(server: Any) -> str:
    """Return the digest of a configured server. Apprise says the parts of its URL in no certain order."""
    return target_digest("\n".join(sorted(re.split(r"[/?&,]|%2C", server.url()))))


def _content(path: str) -> str | None:
    """Return the text of the file, None if there is none. Raises OSError; ValueError if it is not safe."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except (FileNotFoundError, NotADirectoryError):
        return None
    with open(fd, "rb") as file:
        known = os.fstat(fd)
        if stat.S_ISDIR(known.st_mode):
            return None
        if not stat.S_ISREG(known.st_mode):
            raise ValueError("it is no regular file")
        if known.st_uid not in (0, os.getuid()):
            raise ValueError("it belongs to somebody else")
        if known.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            raise ValueError("others may write to it")
        return file.read(_LONGEST_CONFIGURATION).decode("utf-8", "replace")


def _be_patient(server: Any, seconds: float) -> None:
    """Wait for an answer as long as the message's time allows, unless its URL says how long.

    Apprise's four seconds would call many a slow webhook unsure, and have it sent twice.
    """
    for name in ("socket_connect_timeout", "socket_read_timeout"):
        if getattr(server, name, None) == getattr(type(server), name, None):
            setattr(server, name, seconds)


def _out_of_time(sight: wire.Sight) -> Outcome:
    if not sight.seen and not sight.began:
        # It does not speak through what we see: it may have been sent.
        return Outcome(UNSURE, "took longer than its time limit")
    return together([*_failures(sight), of_silence("said nothing within the time limit", asked=sight.asked)])


def _failed(sight: wire.Sight, words: str) -> Outcome:
    failures = _failures(sight)
    if failures:
        return together(failures)
    if sight.seen:
        return Outcome(UNSURE, f"{sight.seen[-1].detail}, which Apprise does not take for a success")
    return Outcome(UNSURE, words)


def _failures(sight: wire.Sight) -> list[Outcome]:
    return [one for one in sight.seen if one.result != SENT]


class _Words(logging.Handler):
    """What Apprise says of a failure, for where nothing was seen. It may hold secrets, and goes nowhere."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._said: list[str] = []
        logger = logging.getLogger("apprise")
        logger.handlers = [self]
        logger.propagate = False
        logger.setLevel(logging.WARNING)

    def begin(self) -> None:
        """A new try begins."""
        self._said.clear()

    def last(self) -> str:
        """Return the last words, "" if there were none."""
        return self._said[-1] if self._said else ""

    def emit(self, record: logging.LogRecord) -> None:
        self._said.append(record.getMessage())
