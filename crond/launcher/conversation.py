"""One client's business with a crontab or one-shots: who may, which text comes, what is answered.

Runs in a process of its own, which waits for disks, name services and slow clients so that the launcher
does not. Knows the messages and whom they concern; what happens to files is installing's and
oneshots'. Called by editing, after its fork.
"""

from __future__ import annotations

import json
import os
import pwd
import socket
from collections.abc import Callable, Iterator
from dataclasses import asdict
from typing import Any

from crond.launcher.accounts import Account, own_account
from crond.launcher.cluster import choose_host, chosen_host
from crond.launcher.config import Config
from crond.launcher.installing import Changed, Crontab, Refused, mark
from crond.launcher.oneshots import OneShots
from crond.launcher.permission import may_edit
from crond.launcher.versions import digest_of
from crond.link import Peer
from crond.model.codec import decode, encode
from crond.model.edits import (
    NO_TEXT,
    PIECE,
    ClusterHost,
    Edit,
    EditEnded,
    Fetch,
    Install,
    ListAt,
    ListVersions,
    Piece,
    PutAt,
    Remove,
    RemoveAt,
    Restore,
)
from crond.model.frames import SMALL_FRAME, BadFrame, FrameReader, frame
from crond.model.messages import Answer, BadMessage
from crond.model.oneshots import OneShot

_RECEIVE = 256 * 1024
_EVENTS = {"list": "LIST", "edit": "BEGIN EDIT"}

#: Told the launcher: user, event and detail of a line in cron's log.
Event = Callable[[str, str, str], None]


class Gone(Exception):
    """The client is no longer there, or is no client of ours; nobody is left to answer."""


class Conversation:
    """The business of the client behind `sock`, a blocking socket with a time limit."""

    def __init__(self, sock: socket.socket, peer: Peer, config: Config, event: Event) -> None:
        self._sock = sock
        self._peer = peer
        self._config = config
        self._event = event

    def hold(self, asked: Edit) -> bool:
        """Do what is asked and answer it; True if a crontab is another now."""
        try:
            if self._config.mode == "files":
                return self._do_at(asked, *self._own(asked))
            real = self._real()
            if not may_edit(real.pw_name, real.pw_uid, self._config):
                self._event(real.pw_name, "AUTH", "crontab command not allowed")
                raise Refused(
                    "not_allowed",
                    f"you ({real.pw_name}) may not use this program (see cron.allow in crontabx(1))",
                )
            if isinstance(asked, ClusterHost):
                self._cluster_host(asked.name, real)
                return bool(asked.name)
            meant = self._meant(asked.user, real)
            if isinstance(asked, (PutAt, RemoveAt, ListAt)):
                account = Account(meant.pw_name, meant.pw_uid, meant.pw_gid, meant.pw_dir, ())
                return self._do_at(asked, real.pw_name, account)
            return self._do(asked, real, Crontab(self._config, meant))
        except Refused as refused:
            self._say({"error": str(refused), "code": refused.code, **refused.more}, ok=False)
        except OSError as error:
            place = f"{os.fsdecode(error.filename)}: " if error.filename else ""
            self._say({"error": f"{place}{error.strerror or error}", "code": "failed"}, ok=False)
        except MemoryError:
            self._say({"error": "the crontab is too large to be checked", "code": "failed"}, ok=False)
        return False

    # --- who -----------------------------------------------------------------------------------

    def _real(self) -> pwd.struct_passwd:
        try:
            return pwd.getpwuid(self._peer.uid)
        except KeyError:
            raise Refused("permission", f"no account has your uid, {self._peer.uid}") from None

    def _meant(self, name: str, real: pwd.struct_passwd) -> pwd.struct_passwd:
        """Return the account whose crontab is meant. Its name becomes a file's, so it must be one."""
        if name in ("", real.pw_name):
            found = real
        elif real.pw_uid != 0:
            raise Refused("permission", "must be privileged to use -u")
        else:
            try:
                found = pwd.getpwnam(name)
            except (KeyError, ValueError):  # ValueError: what cannot be encoded
                raise Refused("no_user", f"user '{name}' unknown") from None
        if not _names_a_file(found.pw_name):
            raise Refused("no_user", f"the name of user '{found.pw_name}' cannot be that of a crontab")
        return found

    def _own(self, asked: Edit) -> tuple[str, Account]:
        """Return who asks and whose one-shots are meant where all jobs are one account's. Raises Refused."""
        own = own_account()
        if self._peer.uid not in (0, own.uid) or getattr(asked, "user", "") not in ("", own.name):
            raise Refused("permission", f"this crond runs jobs of {own.name} alone")
        if not _names_a_file(own.name):
            raise Refused("no_user", f"the name of user '{own.name}' cannot be that of a crontab")
        return own.name, own

    # --- what ----------------------------------------------------------------------------------

    def _do(self, asked: Edit, real: pwd.struct_passwd, crontab: Crontab) -> bool:
        match asked:
            case Fetch():
                self._fetch(asked, real, crontab)
            case ListVersions():
                self._list_versions(crontab)
            case EditEnded():
                self._event(real.pw_name, "END EDIT", crontab.user)
                self._say({"user": crontab.user})
            case Install(origin=origin, base=base, size=size):
                self._say({"user": crontab.user, "dialect": self._config.dialect}, final=False)
                text = self._text(size)
                changed = crontab.install(text, base=base, by=mark("install", real, origin))
                self._changed(changed, real, crontab, "REPLACE")
                return True
            case Restore(version=number):
                changed = crontab.restore(number, by=mark("restore", real, f"version {number}"))
                self._changed(changed, real, crontab, "REPLACE")
                return True
            case Remove():
                undo = crontab.remove(by=mark("remove", real))
                self._event(real.pw_name, "DELETE", crontab.user)
                self._say({"user": crontab.user, "undo": None if undo is None else undo.number})
                return True
        return False

    def _do_at(self, asked: Edit, by: str, account: Account) -> bool:
        shots = OneShots(self._config, account)
        match asked:
            case PutAt(size=size):
                self._say({"user": shots.user}, final=False)
                shot = shots.put(asked, self._text(size))
                self._event(by, "AT", f"{shots.user} {shot.name} {shot.at.isoformat()}")
                self._say({"user": shots.user, **_told(shot)})
                return True
            case RemoveAt(name=name):
                shots.remove(name)
                self._event(by, "AT REMOVE", f"{shots.user} {name}")
                self._say({"user": shots.user, "name": name})
                return True
            case _:
                self._say({"user": shots.user, "jobs": [_told(shot) for shot in shots.all()]})
                return False

    def _cluster_host(self, name: str, real: pwd.struct_passwd) -> None:
        if name and real.pw_uid != 0:
            raise Refused("permission", "must be privileged to set host with -n")
        if name:
            choose_host(self._config.spool, name)
        chosen = chosen_host(self._config.spool)
        self._event(real.pw_name, "SET HOST" if name else "GET HOST", chosen)
        self._say({"host": chosen})

    def _list_versions(self, crontab: Crontab) -> None:
        text = crontab.read()
        told = {
            "user": crontab.user,
            "digest": NO_TEXT if text is None else digest_of(text),
            "versions": [asdict(version) for version in crontab.versions.all()],
        }
        self._say(told)

    def _fetch(self, asked: Fetch, real: pwd.struct_passwd, crontab: Crontab) -> None:
        # Before it is known whether there is one, as crontab(1) does.
        if asked.purpose in _EVENTS:
            self._event(real.pw_name, _EVENTS[asked.purpose], crontab.user)
        if asked.version:
            found = crontab.versions.text(asked.version)
            if found is None:
                raise Refused("unknown", f"no version {asked.version} of {crontab.user}'s crontab is kept")
            text: bytes | None = found[1]
        else:
            text = crontab.read()
        if text is None:
            raise Refused(
                "none", f"no crontab for {crontab.user}", user=crontab.user, dialect=self._config.dialect
            )
        told = {"user": crontab.user, "dialect": self._config.dialect, "size": len(text)}
        self._say({**told, "digest": digest_of(text)}, final=False)
        for start in range(0, len(text), PIECE):
            self._send(encode(Piece(text[start : start + PIECE])))

    def _changed(self, changed: Changed, real: pwd.struct_passwd, crontab: Crontab, event: str) -> None:
        self._event(real.pw_name, event, crontab.user)
        self._say(
            {
                "user": crontab.user,
                "version": changed.version.number,
                "digest": changed.version.digest,
                "problems": changed.problems,
                "count": changed.count,
            }
        )

    # --- the wire ------------------------------------------------------------------------------

    def _text(self, size: int) -> bytes:
        """Return `size` bytes of text from the client's pieces. Raises Refused, Gone."""
        parts = []
        for data in self._pieces():
            parts.append(data)
            size -= len(data)
            if size < 0:
                raise Refused("bad_request", "more text than was announced")
            if size == 0:
                break
        return b"".join(parts)

    def _pieces(self) -> Iterator[bytes]:
        reader = FrameReader(SMALL_FRAME)
        # A text of no bytes comes as one empty piece, so that there is always one to wait for.
        while data := self._receive():
            try:
                for payload in reader.feed(data):
                    piece: Piece = decode(payload, Piece)
                    yield piece.data
            except (BadFrame, BadMessage) as error:
                raise Refused("bad_request", str(error)) from None
        raise Gone

    def _receive(self) -> bytes:
        try:
            return self._sock.recv(_RECEIVE)
        except OSError:
            raise Gone from None

    def _say(self, body: dict[str, Any], *, ok: bool = True, final: bool = True) -> None:
        self._send(encode(Answer(ok, final or not ok, json.dumps(body))))

    def _send(self, payload: bytes) -> None:
        try:
            self._sock.sendall(frame(payload))
        except OSError:
            raise Gone from None


def send_text(sock: socket.socket, text: bytes) -> None:
    """Answer the client behind `sock`, as blocking as above, with `text` in pieces. Raises Gone."""
    answer = Answer(ok=True, final=False, body=json.dumps({"size": len(text)}))
    payloads = [encode(Piece(text[start : start + PIECE])) for start in range(0, len(text), PIECE)]
    try:
        for payload in (encode(answer), *payloads):
            sock.sendall(frame(payload))
    except OSError:
        raise Gone from None


def _told(shot: OneShot) -> dict[str, Any]:
    return {
        "name": shot.name,
        "at": shot.at.timestamp(),
        "command": shot.command,
        "working_dir": shot.directory,
        "umask": f"{shot.umask:03o}",
    }


def _names_a_file(name: str) -> bool:
    """True if a crontab may be called `name`: one step of a path, and no name that a cron ignores."""
    ignored = (".", "#")
    return bool(name) and "/" not in name and "\0" not in name and not name.startswith(ignored)
