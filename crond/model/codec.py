"""Messages as bytes: how each is encoded, and the bounds that a payload must keep.

A payload that is no message of the expected kinds, or that breaks a bound, is a BadMessage, whoever sent it.
Owns the kinds' names on the wire. Called by whoever holds an end of one. Pure.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, TypeAlias

from crond.model.edits import (
    COMMAND_LIMIT,
    PIECE,
    PURPOSES,
    TEXT_LIMIT,
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
    is_base,
)
from crond.model.messages import (
    DATA_LIMIT,
    DATA_MOST,
    PARTS,
    REFUSALS,
    Ack,
    Answer,
    Ask,
    BadMessage,
    Exited,
    Fact,
    Forget,
    Heartbeat,
    Hello,
    Mail,
    News,
    NotStarted,
    Pairs,
    Retire,
    Start,
    Started,
    Stop,
    Survived,
    TableGone,
    TableRefused,
    TablesComplete,
    TableText,
    Vanished,
    Wish,
    is_attempt_key,
    is_environment_name,
    is_token,
)
from crond.model.orders import (
    DELIVERIES,
    IN_HAND,
    MESSAGE_LIMIT,
    InHand,
    Noted,
    Notified,
    Notify,
    Order,
    Report,
)

Message: TypeAlias = Wish | Fact | Order | Report | Ask | Answer | Edit | Piece

# --- bounds ----------------------------------------------------------------------------------------
# One check per field, in the order of the fields. A check returns the value or raises BadMessage.

Check: TypeAlias = Callable[[Any], Any]


def _whole(low: int, high: int) -> Check:
    def check(value: Any) -> int:
        # bool is an int to Python, and `true` where a number belongs is a sign of a broken peer.
        if type(value) is not int or not low <= value <= high:
            raise BadMessage(f"{_shown(value)} is not a whole number from {low} to {high}")
        return value

    return check


def _text(limit: int, *, allowed: Callable[[str], bool] | None = None) -> Check:
    def check(value: Any) -> str:
        if type(value) is not str or len(value) > limit or "\0" in value:
            raise BadMessage(f"{_shown(value)} is not a text of at most {limit} characters")
        if allowed is not None and not allowed(value):
            raise BadMessage(f"{_shown(value)} is not allowed here")
        return value

    return check


def _truth(value: Any) -> bool:
    if type(value) is not bool:
        raise BadMessage(f"{_shown(value)} is neither true nor false")
    return value


def _seconds(value: Any) -> float:
    # NaN and infinity compare false, so they fail here too.
    if type(value) not in (int, float) or not -1e12 < value < 1e12:
        raise BadMessage(f"{_shown(value)} is not a number of seconds")
    return float(value)


def _octets(value: Any) -> bytes:
    if type(value) is not str:
        raise BadMessage(f"{_shown(value)} is not a text of bytes")
    try:
        return value.encode("latin-1")
    except UnicodeEncodeError:
        raise BadMessage("a text of bytes holds a character above 255") from None


def _piece(value: Any) -> bytes:
    data = _octets(value)
    if len(data) > PIECE:
        raise BadMessage(f"a piece of {len(data)} bytes, where {PIECE} are allowed")
    return data


def _pairs(count: int, limit: int, *, allowed: Callable[[str], bool] | None = None) -> Check:
    name, text = _text(128, allowed=allowed), _text(limit)

    def check(value: Any) -> Pairs:
        if type(value) is not list or len(value) > count:
            raise BadMessage(f"{_shown(value)} is not a list of at most {count} pairs")
        for pair in value:
            if type(pair) is not list or len(pair) != 2:
                raise BadMessage(f"{_shown(pair)} is not a pair")
        return tuple((name(key), text(held)) for key, held in value)

    return check


def _texts(count: int, check_one: Check) -> Check:
    def check(value: Any) -> tuple[str, ...]:
        if type(value) is not list or len(value) > count:
            raise BadMessage(f"{_shown(value)} is not a list of at most {count} texts")
        return tuple(map(check_one, value))

    return check


def _shown(value: Any) -> str:
    """`value` for an error text: short and printable, whatever it is."""
    text = ascii(value)
    return text if len(text) <= 60 else text[:57] + "..."


_count = _whole(0, 2**53)
_index = _whole(0, 2**31 - 1)
#: A job may make its output a file of any size that the kernel knows.
_size = _whole(0, 2**63 - 1)
_uid = _whole(0, 2**32 - 2)
_token = _text(80, allowed=is_token)
_key = _text(100, allowed=is_attempt_key)
_path = _text(4096)
_name = _text(256)
_reason = _text(32, allowed=REFUSALS.__contains__)
_version = _whole(1, 10**9)
_defaults = _pairs(256, 4096)
_pools = _pairs(1024, 16)
_data = _pairs(DATA_MOST, DATA_LIMIT)
#: A tag of Apprise's may stand for so many URLs.
_parts = _texts(64, _token)


def _is_key_or_none(text: str) -> bool:
    return not text or is_attempt_key(text)


_KINDS: dict[str, tuple[type, tuple[Check, ...]]] = {
    "start": (
        Start,
        (
            _count,
            _index,
            _text(16, allowed=PARTS.__contains__),
            _name,
            _token,
            _whole(-(10**6), 10**6),
            _pairs(4096, 65536, allowed=is_environment_name),
        ),
    ),
    "stop": (Stop, (_key,)),
    "forget": (Forget, (_key,)),
    "mail": (Mail, (_key,)),
    "retire": (Retire, (_count, _index)),
    "news": (News, ()),
    "ack": (Ack, (_count,)),
    "heartbeat": (Heartbeat, ()),
    "hello": (
        Hello,
        (
            _count,
            _token,
            _name,
            _truth,
            _count,
            _text(16),
            _seconds,
            _pairs(64, 4096),
            _pairs(1024, 16),
            _pairs(64, 4096),
            _seconds,
            _seconds,
        ),
    ),
    "table": (TableText, (_count, _path, _name, _uid, _truth, _truth, _count, _octets)),
    "table-gone": (TableGone, (_path,)),
    "table-refused": (TableRefused, (_path, _name, _uid, _text(512))),
    "survived": (Survived, (_key, _index)),
    "tables-complete": (TablesComplete, ()),
    "started": (Started, (_count, _key, _index, _seconds)),
    "not-started": (NotStarted, (_count, _key, _seconds, _reason, _text(2048))),
    "exited": (
        Exited,
        (
            _count,
            _key,
            _seconds,
            _whole(0, 0xFFFF),
            _seconds,
            _seconds,
            _count,
            _size,
            _count,
            _count,
            _pairs(DATA_MOST, DATA_LIMIT),
        ),
    ),
    "vanished": (Vanished, (_count, _key, _seconds)),
    "notify": (
        Notify,
        (_token, _path, _token, _text(100, allowed=_is_key_or_none), _text(MESSAGE_LIMIT), _parts),
    ),
    "noted": (Noted, (_token,)),
    "in-hand": (InHand, (_texts(IN_HAND, _token),)),
    "notified": (Notified, (_token, _text(16, allowed=DELIVERIES.__contains__), _text(2048), _parts)),
    "ask": (Ask, (_text(32), _pairs(32, 4096))),
    "answer": (Answer, (_truth, _truth, _text(64 * 1024 * 1024))),
    "fetch": (Fetch, (_name, _whole(0, 10**9), _text(16, allowed=PURPOSES.__contains__))),
    "install": (Install, (_name, _text(1024), _text(16, allowed=is_base), _whole(0, TEXT_LIMIT))),
    "remove": (Remove, (_name,)),
    "restore": (Restore, (_name, _version)),
    "versions": (ListVersions, (_name,)),
    "edit-ended": (EditEnded, (_name,)),
    "cluster-host": (ClusterHost, (_name,)),
    "put-at": (PutAt, (_name, _seconds, _path, _whole(0, 0o777), _whole(1, COMMAND_LIMIT))),
    "remove-at": (RemoveAt, (_name, _token)),
    "list-at": (ListAt, (_name,)),
    "piece": (Piece, (_piece,)),
}
_NAMES = {shape: kind for kind, (shape, _) in _KINDS.items()}
#: Made once: json.dumps makes one for each message, which takes as long as what it encodes.
_as_json = json.JSONEncoder(separators=(",", ":")).encode


def encode(message: Message) -> bytes:
    """Return the payload of `message` (without its frame)."""
    shape = type(message)
    values: list[Any] = [_NAMES[shape]]
    for field in shape.__slots__:
        value = getattr(message, field)
        values.append(value.decode("latin-1") if type(value) is bytes else value)
    return _as_json(values).encode("ascii")


def decode(payload: bytes, *expected: type[Any]) -> Any:
    """Return the message in `payload`, which must be of one of the `expected` types. Raises BadMessage."""
    try:
        values = json.loads(payload)
    except (ValueError, RecursionError):
        raise BadMessage("not a message: no JSON") from None
    if type(values) is not list or not values or type(values[0]) is not str:
        raise BadMessage("not a message: no list that begins with its kind")
    shape, checks = _KINDS.get(values[0], (None, ()))
    if shape is None or shape not in expected:
        raise BadMessage(f"no message of kind {_shown(values[0])} belongs here")
    if len(values) - 1 != len(checks):
        raise BadMessage(f"{values[0]}: {len(values) - 1} values, where {len(checks)} belong")
    try:
        return shape(*(check(value) for check, value in zip(checks, values[1:], strict=True)))
    except BadMessage as error:
        raise BadMessage(f"{values[0]}: {error}") from None
