"""Messages: what is encoded comes back, every bound holds, and other bytes are a BadMessage and no more."""

from __future__ import annotations

import json
import math
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from crond.model import codec
from crond.model.codec import decode, encode
from crond.model.edits import (
    COMMAND_LIMIT,
    EDITS,
    NO_TEXT,
    PIECE,
    PURPOSES,
    TEXT_LIMIT,
    ClusterHost,
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
from crond.model.frames import LARGE_FRAME, SMALL_FRAME
from crond.model.messages import (
    DATA_LIMIT,
    DATA_MOST,
    FACTS,
    PARTS,
    REFUSALS,
    WISHES,
    Ack,
    Answer,
    Ask,
    BadMessage,
    Exited,
    Forget,
    Heartbeat,
    Hello,
    Mail,
    News,
    NotStarted,
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
    attempt_key,
    is_attempt_key,
    is_environment_name,
    is_our_name,
    is_token,
)
from crond.model.orders import (
    DELIVERIES,
    IN_HAND,
    MESSAGE_LIMIT,
    ORDERS,
    REPORTS,
    InHand,
    Noted,
    Notified,
    Notify,
)

ALL = tuple(dict.fromkeys((*WISHES, *FACTS, *ORDERS, *REPORTS, *EDITS, Ask, Answer, Piece)))

COUNT = st.integers(0, 2**53)
UID = st.integers(0, 2**32 - 2)
TRUTH = st.booleans()
SECONDS = st.floats(-1e11, 1e11)
TOKEN = st.from_regex(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,79}", fullmatch=True)
NUMBER = st.integers(-(10**6), 10**6)
INDEX = st.integers(0, 2**31 - 1)
KEY = st.builds(attempt_key, TOKEN, NUMBER)


def words(limit: int) -> st.SearchStrategy[str]:
    """Any text, lone surrogates included, which stand for bytes that are no UTF-8."""
    return st.text(st.characters(exclude_characters="\0"), max_size=min(limit, 60))


PAIR = st.tuples(st.from_regex(r"(CRONTABX_|OUT_|[A-Z]x)[A-Za-z0-9_]{1,20}", fullmatch=True), words(200))
PAIRS = st.lists(st.tuples(words(128), words(200)), max_size=4).map(tuple)
SIZES = st.lists(st.tuples(words(128), words(16).map(lambda t: t[:16])), max_size=4).map(tuple)
BASE = st.sampled_from(["", NO_TEXT]) | st.from_regex(r"[0-9a-f]{16}", fullmatch=True)
ARGUMENTS = st.lists(st.tuples(words(99), words(99)), max_size=32).map(tuple)
PARTS_OF_TARGETS = st.lists(TOKEN, max_size=4).map(tuple)
MESSAGES: st.SearchStrategy[Any] = st.one_of(
    st.builds(
        Start,
        COUNT,
        st.integers(0, 2**31 - 1),
        st.sampled_from(sorted(PARTS)),
        words(256),
        TOKEN,
        NUMBER,
        st.lists(PAIR, max_size=4).map(tuple),
    ),
    st.builds(Stop, KEY),
    st.builds(Forget, KEY),
    st.builds(Mail, KEY),
    st.builds(Retire, COUNT, INDEX),
    st.builds(Ack, COUNT),
    st.just(Heartbeat()),
    st.builds(
        Hello,
        COUNT,
        TOKEN,
        words(256),
        TRUTH,
        COUNT,
        words(16).map(lambda t: t[:16]),
        SECONDS,
        PAIRS,
        SIZES,
        PAIRS,
        SECONDS,
        SECONDS,
    ),
    st.just(News()),
    st.builds(Notify, TOKEN, words(4096), TOKEN, st.just("") | KEY, words(200), PARTS_OF_TARGETS),
    st.builds(Noted, TOKEN),
    st.builds(InHand, PARTS_OF_TARGETS),
    st.builds(Notified, TOKEN, st.sampled_from(sorted(DELIVERIES)), words(2048), PARTS_OF_TARGETS),
    st.builds(TableText, COUNT, words(4096), words(256), UID, TRUTH, TRUTH, COUNT, st.binary()),
    st.builds(TableGone, words(4096)),
    st.builds(TableRefused, words(4096), words(256), UID, words(512)),
    st.builds(Survived, KEY, INDEX),
    st.just(TablesComplete()),
    st.builds(Started, COUNT, KEY, st.integers(0, 2**31 - 1), SECONDS),
    st.builds(NotStarted, COUNT, KEY, SECONDS, st.sampled_from(sorted(REFUSALS)), words(2048)),
    st.builds(
        Exited,
        COUNT,
        KEY,
        SECONDS,
        st.integers(0, 0xFFFF),
        SECONDS,
        SECONDS,
        COUNT,
        st.integers(0, 2**63 - 1),
        COUNT,
        COUNT,
        PAIRS,
    ),
    st.builds(Vanished, COUNT, KEY, SECONDS),
    st.builds(Ask, words(32).map(lambda t: t[:32]), ARGUMENTS),
    st.builds(Answer, TRUTH, TRUTH, words(9999)),
    st.builds(Fetch, words(256), st.integers(0, 10**9), st.sampled_from(PURPOSES)),
    st.builds(Install, words(256), words(1024), BASE, st.integers(0, TEXT_LIMIT)),
    st.builds(Remove, words(256)),
    st.builds(Restore, words(256), st.integers(1, 10**9)),
    st.builds(ListVersions, words(256)),
    st.builds(EditEnded, words(256)),
    st.builds(ClusterHost, words(256)),
    st.builds(PutAt, words(256), SECONDS, words(4096), st.integers(0, 0o777), st.integers(1, COMMAND_LIMIT)),
    st.builds(RemoveAt, words(256), TOKEN),
    st.builds(ListAt, words(256)),
    st.builds(Piece, st.binary()),
)


@given(MESSAGES)
def test_what_is_encoded_comes_back(message: Any) -> None:
    """decode(encode(m)) is m, for every kind; the payload is ASCII, so it is one text everywhere."""
    payload = encode(message)
    payload.decode("ascii")
    assert decode(payload, *ALL) == message


def test_every_kind_has_a_check_per_field() -> None:
    """A field without a check would let a peer put anything into it."""
    for shape, checks in codec._KINDS.values():
        assert len(shape.__slots__) == len(checks), shape  # type: ignore[attr-defined]


@given(MESSAGES)
def test_only_what_is_expected_is_taken(message: Any) -> None:
    """A message that belongs on another wire is refused on this one."""
    others = tuple(shape for shape in ALL if shape is not type(message))
    with pytest.raises(BadMessage, match="belongs here"):
        decode(encode(message), *others)


JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=12,
)
KINDS = st.sampled_from(sorted(codec._KINDS))


@given(st.binary(max_size=200))
@example(b"[" * 100_000)
@example(b"\xff\xfe[")
@example(b"1" * 5000)
def test_random_bytes_are_a_bad_message(payload: bytes) -> None:
    """Whatever bytes come, nothing but BadMessage is raised; a short message may be hit by chance."""
    with suppress(BadMessage):
        assert type(decode(payload, *ALL)) in ALL


@pytest.mark.parametrize("payload", [b"", b"[" * 100_000, b"\xff\xfe[", b"1" * 5000, b"[]", b'["none"]'])
def test_what_is_no_message(payload: bytes) -> None:
    """Bytes that are no JSON, no list, or a list that names no message."""
    with pytest.raises(BadMessage):
        decode(payload, *ALL)


@given(KINDS, st.lists(JSON, max_size=9))
def test_random_values_are_a_bad_message_or_a_message(kind: str, values: list[Any]) -> None:
    """Right kind, any values: a BadMessage, or a message within its bounds, which then encodes again."""
    payload = json.dumps([kind, *values]).encode()
    try:
        message = decode(payload, *ALL)
    except BadMessage:
        return
    assert decode(encode(message), *ALL) == message


@given(MESSAGES, st.data())
def test_one_wrong_value_spoils_a_message(message: Any, data: st.DataObject) -> None:
    """A value of another type in any place is refused, and the error names the kind."""
    values = json.loads(encode(message))
    if len(values) == 1:
        values.append(0)
    else:
        place = data.draw(st.integers(1, len(values) - 1))
        values[place] = {"an": "object"}
    with pytest.raises(BadMessage, match=f"^{values[0]}: "):
        decode(json.dumps(values).encode(), *ALL)


START = ["start", 1, 0, "command", "job", "run", 1, []]
HELLO = [
    "hello", 1, "life", "boot", True, 0, "cronie", 0.0, [["retries", "3"]], [["gpu", "1"]],
    [["1a2b3c4d5e6f7081", "ops@example.com"]], 0.0, 86400.0,
]  # fmt: skip
TABLE = ["table", 1, "/a", "root", 0, True, True, 0, "text"]
EXITED = ["exited", 1, "run.1", 0.0, 0, 0.0, 0.0, 0, 0, 0, 0, [["A", "b"]]]
PUT_AT = ["put-at", "ann", 0.0, "/home/ann", 0o022, 4]
INSTALL = ["install", "ann", "/a", "", 0]
NOTIFY = ["notify", "d1.1", "/a", "1a2b", "run.1", "{}", ["3c4d"]]
NOTIFIED = ["notified", "d1.1", "sent", "", ["3c4d"]]
REFUSED = ["not-started", 1, "run.1", 0.0, "exec", "detail"]

#: A message, the place of a value in it, and values just beyond its bounds.
OUTSIDE: list[tuple[list[Any], int, list[Any]]] = [
    (START, 1, [-1, 2**53 + 1, 1.0, True, None, "1"]),
    (START, 2, [-1, 2**31]),
    (START, 3, ["conditions", "Command", "waitfor", "", 0, None]),
    (START, 4, ["a" * 257, "a\0b", None]),
    (START, 5, ["", ".run", "a/b", "a" * 81, "ü", "a b"]),
    (START, 6, [-(10**6) - 1, 10**6 + 1, 1.0, True, "0", None]),
    (START, 7, [None, {}, [["CRONTABX_A"]], [["CRONTABX_A", "b", "c"]], ["ab"]]),
    (START, 7, [[["PATH", "x"]], [["LD_PRELOAD", "x"]], [["CRONTABX_=", "x"]], [["OUT_" + "A" * 125, "x"]]]),
    (START, 7, [[["OUT_A", "x" * 65537]], [["OUT_A", "a\0b"]], [["OUT_A", "x"]] * 4097]),
    (["stop", "run.1"], 1, ["run", "run.", ".1", "run.1234567890", "a/b.1", "run.x", "run.²"]),
    (["forget", "run.-1"], 1, ["run.-", "run.--1", "run.+1", "run.1-", "run.-1234567890", "run.- 1", "-1"]),
    (["mail", "run.0"], 1, ["", None, 0, "run.0\0", "r" * 81 + ".0", "run.٣"]),
    (["retire", 1, 0], 1, [-1, 2**53 + 1, True, None]),
    (["retire", 1, 0], 2, [-1, 2**31, "0", None]),
    (["ack", 1], 1, [-1]),
    (HELLO, 2, ["", "../x"]),
    (HELLO, 4, [0, 1, None, "true"]),
    (HELLO, 6, ["x" * 17]),
    (HELLO, 7, ["0", True, 1e12, -1e12, math.inf, math.nan, None]),
    (HELLO, 8, [None, {}, [["retries"]], [["n" * 129, "1"]], [["a", "v" * 4097]], [["a", "1"]] * 65]),
    (HELLO, 9, [None, [["gpu", 1]], [["gpu", "1" * 17]], [["g" * 129, "1"]], [["a", "1"]] * 1025]),
    (HELLO, 10, [None, [["a"]], [["a", 1]], [["a", "b"]] * 65]),
    (HELLO, 11, [None, math.nan, "0"]),
    (NOTIFY, 1, ["", "../x", None]),
    (NOTIFY, 2, ["p" * 4097, None]),
    (NOTIFY, 3, ["", "a/b", "json://x"]),
    (NOTIFY, 4, ["run", "../run.1", None]),
    (NOTIFY, 5, ["m" * (MESSAGE_LIMIT + 1), "a\0b", {}]),
    (NOTIFY, 6, [None, ["a/b"], [1], ["a"] * 65]),
    (["noted", "d1.1"], 1, ["", "a b"]),
    (["in-hand", ["d1.1"]], 1, [None, "d1.1", ["a/b"], ["a"] * (IN_HAND + 1)]),
    (NOTIFIED, 2, ["", "done", None]),
    (NOTIFIED, 3, ["d" * 2049, None]),
    (NOTIFIED, 4, [None, ["a/b"], ["a"] * 65]),
    (["survived", "run.1", 5], 1, ["run", "../run.1", None]),
    (["survived", "run.1", 5], 2, [-1, 2**31, "5", True]),
    (["vanished", 1, "run.1", 0.0], 1, [-1, None, 1.0]),
    (["vanished", 1, "run.1", 0.0], 2, ["run", "run.1/.."]),
    (["vanished", 1, "run.1", 0.0], 3, [math.nan, math.inf, "0", None]),
    (TABLE, 2, ["p" * 4097]),
    (TABLE, 4, [-1, 2**32 - 1]),
    (TABLE, 8, [None, [1], "\u0100"]),
    (["table-refused", "/a", "root", 0, "why"], 4, ["w" * 513]),
    (EXITED, 4, [-1, 0x10000]),
    (EXITED, 8, [-1, 2**63, 1.0]),
    (EXITED, 11, [None, {}, "A=b", [["A"]], [["A", "b", "c"]], [["A", 1]], [[None, "b"]]]),
    (EXITED, 11, [[["A" * 129, "b"]], [["A", "b" * (DATA_LIMIT + 1)]], [["A", "b"]] * (DATA_MOST + 1)]),
    (EXITED, 11, [[["A\0", "b"]], [["A", "b\0"]]]),
    (REFUSED, 4, ["because", ""]),
    (REFUSED, 5, ["d" * 2049]),
    (["ask", "list", []], 1, ["v" * 33]),
    (["ask", "list", []], 2, [[["a", "b"]] * 33, [["n" * 129, "b"]], [["a", "b" * 4097]]]),
    (["answer", True, True, "{}"], 3, [{}, "\0"]),
    (["fetch", "ann", 0, "list"], 1, ["u" * 257, "a\0b", None, 0]),
    (["fetch", "ann", 0, "list"], 2, [-1, 10**9 + 1, True, "1"]),
    (["fetch", "ann", 0, "list"], 3, ["", "write", None]),
    (INSTALL, 1, ["u" * 257, "a\0b"]),
    (INSTALL, 2, ["o" * 1025, "\0"]),
    (INSTALL, 3, ["0" * 15, "0" * 17, "G" * 16, "A" * 16, "../" + "0" * 13, "None"]),
    (INSTALL, 4, [-1, TEXT_LIMIT + 1, 1.0, None]),
    (["restore", "ann", 1], 2, [0, -1, 10**9 + 1]),
    (PUT_AT, 2, ["0", True, 1e12, -1e12, float("nan")]),
    (PUT_AT, 3, ["x" * 4097, "a\0b", None]),
    (PUT_AT, 4, [-1, 0o1000, 1.0, "022"]),
    (PUT_AT, 5, [0, COMMAND_LIMIT + 1, None]),
    (["remove-at", "ann", "at-a"], 2, ["", "../a", "a" * 81, "a b"]),
    (["list-at", "ann"], 1, ["x" * 257, "a\0b", None]),
    (["piece", "text"], 1, ["x" * (PIECE + 1), "\u0100", None]),
]


@pytest.mark.parametrize(("whole", "place", "beyond"), OUTSIDE, ids=lambda value: str(value)[:30])
def test_each_bound_is_refused(whole: list[Any], place: int, beyond: list[Any]) -> None:
    """The message as it stands is taken; with one value beyond its bound it is not."""
    decode(json.dumps(whole).encode(), *ALL)
    for value in beyond:
        values = [*whole]
        values[place] = value
        with pytest.raises(BadMessage, match=f"^{whole[0]}: "):
            decode(json.dumps(values).encode(), *ALL)


@pytest.mark.parametrize("payload", [b"", b"[]", b"[1]", b'["nonsense"]', b'["ack"]', b'["ack",1,2]'])
def test_what_is_no_message_is_refused(payload: bytes) -> None:
    """No list, no kind, an unknown kind, too few or too many values."""
    with pytest.raises(BadMessage):
        decode(payload, *ALL)


def test_an_error_shows_little_of_what_it_refuses() -> None:
    """A hostile value is shown short and in ASCII: the text goes into a log."""
    with pytest.raises(BadMessage) as caught:
        decode(json.dumps(["ack", "\x1b[2J" + "ü" * 10_000]).encode(), Ack)
    text = str(caught.value)
    assert len(text) < 150
    assert text.isascii()
    assert text.isprintable()


@pytest.mark.parametrize(
    ("name", "allowed"),
    [
        ("CRONTABX_JOB", True),
        ("OUT_TRAIN_LOSS", True),
        ("PATH", False),
        ("LD_PRELOAD", False),
        ("LR", True),
        ("lower_case1", True),
        ("_", True),
        ("", False),
        ("1A", False),
        ("A=B", False),
        ("A B", False),
        ("A-B", False),
        ("A\n", False),
        ("Ü", False),
        ("A" * 128, True),
        ("A" * 129, False),
        ("LD_LIBRARY_PATH", False),
        ("LD_", False),
        *((name, False) for name in ("IFS", "ENV", "BASH_ENV", "SHELL", "HOME", "USER", "LOGNAME", "MAILTO")),
        *((name, False) for name in ("PYTHONPATH", "PERL5LIB")),
        ("CRONTABX_A=B", False),
        ("CRONTABX_Ü", False),
        ("CRONTABX_" + "A" * 120, False),
    ],
)
def test_what_the_scheduler_may_add_to_an_environment(name: str, allowed: bool) -> None:
    """A plain name, and none that a loader, a shell or an interpreter acts upon, whatever `params=` says."""
    assert is_environment_name(name) is allowed


@pytest.mark.parametrize(
    ("name", "ours"),
    [
        ("CRONTABX_JOB", True),
        ("OUT_A_B", True),
        ("CRONTABX", False),
        ("OUT", False),
        ("XOUT_A", False),
        ("out_a", False),
    ],
)
def test_which_names_are_ours(name: str, ours: bool) -> None:
    """Those that a job is given without `params=`."""
    assert is_our_name(name) is ours


@pytest.mark.parametrize("number", [1, 0, -1, -3, 10**6, -(10**6)])
def test_each_attempt_has_a_key(number: int) -> None:
    """Commands count from 1, a condition is 0, the tries of a sensor go down from -1."""
    key = attempt_key("run", number)
    assert is_attempt_key(key)
    assert key.rpartition(".")[0] == "run"
    assert int(key.rpartition(".")[2]) == number


@given(st.text(max_size=90))
def test_a_token_is_a_safe_file_name(text: str) -> None:
    """What passes can be part of a path: no slash, no leading dot, nothing but ASCII."""
    if is_token(text):
        assert "/" not in text
        assert not text.startswith(".")
        assert text.isascii()
        assert text.isprintable()
        assert is_attempt_key(attempt_key(text, 1))


def test_the_longest_piece_is_a_small_frame() -> None:
    """Whatever bytes are in it: a peer that may send small frames only can send any piece."""
    assert len(encode(Piece(b"\xff" * PIECE))) <= SMALL_FRAME


def test_the_longest_message_is_a_small_frame() -> None:
    """The recorder writes messages as JSON in ASCII, of which one character becomes two at most."""
    longest = Notify("d" * 80, "/" * 4096, "t" * 80, f"{'r' * 80}.1", '"' * MESSAGE_LIMIT, ("p" * 80,) * 64)
    assert decode(encode(longest), Notify) == longest
    assert len(encode(longest)) <= SMALL_FRAME


def test_the_longest_text_reaches_the_scheduler() -> None:
    """A crontab that may be installed fits into the one message that tells it, whatever its bytes."""
    table = TableText(1, "/" * 4096, "u" * 256, 0, False, False, 0, b"\xff" * TEXT_LIMIT)
    assert len(encode(table)) <= LARGE_FRAME


def test_the_most_of_each_list_is_taken() -> None:
    """What is just within its bounds: variables that a job leaves, the host's defaults and pools."""
    most = tuple((f"A{number}", "x") for number in range(DATA_MOST))
    for data in (most, (("A" * 128, "x" * DATA_LIMIT),)):
        end = Exited(1, "r.1", 1.0, 0, 0.0, 0.0, 1, 0, 0, 0, data)
        assert decode(encode(end), *FACTS) == end
    defaults, pools = (("k", "v" * 4096),) * 64, (("g", "1" * 16),) * 1024
    hello = Hello(1, "life", "boot", True, 0, "cronie", 0.0, defaults, pools)
    assert decode(encode(hello), *FACTS) == hello


def test_an_output_may_be_as_large_as_a_file_can_be() -> None:
    """`ftruncate(1, 2**62)` in one user's job: no scheduler could read of its end, and all jobs stopped."""
    end = Exited(1, "r.1", 1.0, 0, 0.0, 0.0, 1, 2**63 - 1)
    assert decode(encode(end), *FACTS) == end
