"""What jobs leave in $CRONTABX_OUTPUT: how it is read, and what a job can do to the file."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crond.launcher.data import Data, Left, read_pairs
from crond.model.codec import decode, encode
from crond.model.frames import LARGE_FRAME
from crond.model.messages import DATA_LIMIT, DATA_MOST, Exited, is_environment_name


@pytest.mark.parametrize(
    ("text", "pairs"),
    [
        (b"", ()),
        (b"A=1\nB_2= x =y \n", (("A", "1"), ("B_2", " x =y "))),
        (b"A=1\nB=2\nA=3", (("A", "3"), ("B", "2"))),
        (b"A=\n", (("A", ""),)),
        (b"A=1\r\n", (("A", "1\r"),)),
        (b" A=1\n1B=2\nC-D=3\nno word\n=4\nexport E=5\n\xc3\x9c=6\n", ()),
        (b"A=\xff\xc3\xbc\n", (("A", "\udcff\u00fc"),)),
        (b"A=1\0\nB=2\n", (("B", "2"),)),
        (b"A" * 59 + b"=1\n" + b"B" * 60 + b"=2\n", (("A" * 59, "1"),)),
    ],
)
def test_lines(text: bytes, pairs: tuple[tuple[str, str], ...]) -> None:
    """KEY=VALUE, the rest of the line verbatim, the last wins; what is no such line is nothing."""
    assert read_pairs(text) == Left(pairs, cut=False)


def test_what_is_too_much_is_cut_at_a_line() -> None:
    """Half a value would be a wrong one; a limit that is just kept cuts nothing."""
    fits = b"A=1\nB=" + b"x" * (DATA_LIMIT - 7) + b"\n"
    assert len(fits) == DATA_LIMIT
    assert [name for name, _ in read_pairs(fits).pairs] == ["A", "B"]
    assert not read_pairs(fits).cut
    assert read_pairs(fits + b"\n") == Left(read_pairs(fits).pairs, cut=True)
    assert read_pairs(b"A=1\nB=" + b"x" * DATA_LIMIT) == Left((("A", "1"),), cut=True)
    assert read_pairs(b"B=" + b"x" * DATA_LIMIT) == Left((), cut=True)


def test_so_many_variables() -> None:
    """The first ones stay, and may still change."""
    many = b"".join(b"V%d=x\n" % number for number in range(DATA_MOST + 5)) + b"V0=last\n"
    left = read_pairs(many)
    assert (len(left.pairs), left.pairs[0], left.cut) == (DATA_MOST, ("V0", "last"), True)


@given(st.binary(max_size=300))
def test_whatever_a_job_leaves_can_be_told(text: bytes) -> None:
    """Any bytes become a message that comes back as it was."""
    fact = Exited(1, "r.1", 0.0, 0, 0.0, 0.0, 0, 0, 0, 0, read_pairs(text).pairs)
    assert decode(encode(fact), Exited) == fact


def test_a_key_of_any_length_stops_no_other_job() -> None:
    """A job wrote a key of 120 letters: its child's start broke the bounds of the wire, each time that it was
    sent, and with the wire all jobs of the host stood still.
    """
    longest = max(read_pairs(b"".join(b"K" * size + b"=1\n" for size in range(1, 200))).pairs)[0]
    assert is_environment_name(f"OUT_{'P' * 64}_{longest}")
    assert not is_environment_name(f"OUT_{'P' * 64}_{longest}K")


def test_the_most_that_is_left_fits_into_a_message() -> None:
    """Bytes that JSON writes as six letters each."""
    left = read_pairs(b"A=" + b"\xff" * (DATA_LIMIT - 3) + b"\n")
    assert len(json.dumps(left.pairs)) > 6 * DATA_LIMIT - 100
    assert len(encode(Exited(1, "r.1", 0.0, 0, 0.0, 0.0, 0, 0, 0, 0, left.pairs))) < LARGE_FRAME


@pytest.fixture
def data(tmp_path: Path) -> Data:
    return Data(str(tmp_path))


def test_what_was_left_is_taken_once(data: Data) -> None:
    """The file is empty and only its owner's; it goes with its attempt."""
    data.make("r.1", None)
    path = Path(data.path("r.1"))
    assert (path.read_bytes(), path.stat().st_mode & 0o777) == (b"", 0o600)
    path.write_text("A=1\n")
    assert data.take("r.1") == Left((("A", "1"),), cut=False)
    assert not path.exists()
    assert data.take("r.1") == Left((), cut=False)


def test_a_path_that_leads_elsewhere_is_not_followed(data: Data, tmp_path: Path) -> None:
    """`ln -sf /etc/shadow $CRONTABX_OUTPUT` where the folder is the job's own: root would have told it."""
    secret = tmp_path / "secret"
    secret.write_text("A=secret\n")
    data.make("r.1", None)
    os.unlink(data.path("r.1"))
    os.symlink(secret, data.path("r.1"))
    assert data.take("r.1") == Left((), cut=False)
    assert secret.exists()
    os.symlink(secret, data.path("r.2"))
    data.make("r.2", None)
    assert secret.read_text() == "A=secret\n"


def test_a_file_of_any_size_is_read_up_to_the_limit(data: Data) -> None:
    """A sparse terabyte costs nobody memory."""
    data.make("r.1", None)
    Path(data.path("r.1")).write_text("A=1\n")
    os.truncate(data.path("r.1"), 1 << 40)
    assert data.take("r.1") == Left((("A", "1"),), cut=True)


def test_what_an_earlier_life_left_goes(data: Data) -> None:
    """But for attempts that live on, and those of this life."""
    data.make("new.1", None)
    for key in ("old.1", "alive.1"):
        Path(data.path(key)).write_text("A=1\n")
    data.clear(keep={"alive.1"})
    assert sorted(os.listdir(os.path.dirname(data.path("x")))) == ["alive.1", "new.1"]
    data.drop("alive.1")
    assert data.take("new.1").pairs == ()
    assert os.listdir(os.path.dirname(data.path("x"))) == []


def test_one_that_is_in_the_way_is_replaced(data: Data) -> None:
    """A crash between making it and the start leaves one behind."""
    Path(data.path("r.1")).write_text("A=old\n")
    data.make("r.1", None)
    assert data.take("r.1").pairs == ()
