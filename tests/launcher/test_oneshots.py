"""The one-shots of an account: added, listed, taken away, and nothing else of it touched."""

from __future__ import annotations

import os
import stat
import threading
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from crond.launcher import oneshots as module
from crond.launcher.accounts import own_account
from crond.launcher.config import Config
from crond.launcher.installing import Refused
from crond.launcher.oneshots import OneShots
from crond.model.edits import PutAt
from crond.model.messages import TableText
from crond.model.oneshots import OneShot

Make = Callable[..., Config]
ME = own_account()
LATER = float(int(time.time()) + 86400)


@pytest.fixture
def state(folder: Path) -> Path:
    path = folder / "state"
    path.mkdir(mode=0o711)
    return path


@pytest.fixture
def shots(state: Path, host: Make) -> OneShots:
    return OneShots(host(), ME)


def put(shots: OneShots, command: bytes = b"make", at: float = LATER, **more: Any) -> OneShot:
    said = {"directory": "/tmp", "umask": 0o027, **more}
    return shots.put(PutAt("", at, size=len(command), **said), command)


def table(state: Path, version: int = 1) -> TableText:
    """The file as it is, as the spool tells it."""
    path = state / "at" / ME.name
    return TableText(version, str(path), ME.name, ME.uid, False, ME.uid == 0, 0, path.read_bytes())


def test_put_list_remove(shots: OneShots, state: Path) -> None:
    """What was put is told, the next one first; what is removed is gone; the last takes the file along."""
    later, sooner = put(shots, at=LATER + 60), put(shots, b"printf '%s\\n' a\nb\n", at=LATER)
    assert shots.all() == [sooner, later]
    assert sooner.at.timestamp() == LATER
    assert (sooner.command, sooner.directory, sooner.umask) == ("printf '%s\\n' a\nb", "/tmp", 0o027)
    found = (state / "at" / ME.name).stat()
    assert (stat.S_IMODE(found.st_mode), found.st_uid) == (0o600, ME.uid)
    assert stat.S_IMODE((state / "at").stat().st_mode) == 0o700
    shots.remove(sooner.name)
    assert shots.all() == [later]
    shots.remove(later.name)
    assert shots.all() == []
    assert os.listdir(state / "at") == []


def test_what_was_written_by_hand_stays(shots: OneShots, state: Path) -> None:
    """Root may write there; our changes leave those lines as they are, last line without an end or not."""
    one = put(shots)
    path = state / "at" / ME.name
    path.write_bytes(path.read_bytes() + b"# mine \xff\n1 2 3 4 5 mine")
    two = put(shots)
    shots.remove(one.name)
    shots.remove(two.name)
    assert path.read_bytes() == b"# mine \xff\n1 2 3 4 5 mine\n"


@pytest.mark.parametrize(
    ("more", "code", "why"),
    [
        ({"at": LATER - 2 * 86400}, "past", "has passed"),
        ({"at": 9e11}, "invalid", "too far"),
        ({"command": b" \n "}, "invalid", "no command"),
        ({"command": b"a\0b"}, "invalid", "NUL"),
        ({"command": b"%" * 100_000}, "invalid", "too long"),
        ({"directory": "tmp"}, "invalid", "absolute"),
        ({"directory": "/a\n* * * * * x"}, "invalid", "line feed"),
    ],
)
def test_what_is_refused(shots: OneShots, state: Path, more: dict[str, Any], code: str, why: str) -> None:
    """With its reason, and nothing is written."""
    with pytest.raises(Refused, match=why) as caught:
        put(shots, **more)
    assert caught.value.code == code
    assert os.listdir(state / "at") == []


def test_no_text_becomes_a_line_of_its_own(shots: OneShots, state: Path) -> None:
    """A folder or a command that looks like lines of a crontab stays one word, one command."""
    put(shots, b"a\n* * * * * b\n#: defaults retries=9", directory="/x' retries=9 #")
    (entry,) = shots._parsed((state / "at" / ME.name).read_bytes()).entries
    assert entry.policy.working_dir == "/x' retries=9 #"
    assert entry.policy.retries == 0


def test_debians_longest_command(state: Path, host: Make) -> None:
    """A line that Debian's rules refuse, and with it all others, is never written."""
    shots = OneShots(host(dialect="debian"), ME)
    kept = put(shots)
    with pytest.raises(Refused, match="command too long, at most 998 bytes"):
        put(shots, b"x" * 999)
    assert shots.all() == [kept]


def test_the_most_one_shots(shots: OneShots, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that the daemon would not read is never made."""
    one = put(shots)
    monkeypatch.setattr(module, "USER_LIMIT", 200)
    with pytest.raises(Refused, match="too many one-shots"):
        put(shots, b"x" * 100)
    assert shots.all() == [one]


def test_now_is_early_enough(shots: OneShots) -> None:
    """What is asked for now has a moment that is still to come when the scheduler hears of it."""
    before = time.time()
    assert put(shots, at=before - 1).at.timestamp() >= before + 1


def test_many_at_once(state: Path, host: Make) -> None:
    """Of those that ask at one time nobody's line is lost, and no name is given twice."""
    config = host()
    got: list[OneShot] = []
    threads = [threading.Thread(target=lambda: got.append(put(OneShots(config, ME)))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {one.name for one in OneShots(config, ME).all()} == {one.name for one in got}
    assert len({one.name for one in got}) == 8


def test_retiring_after_changes(shots: OneShots, state: Path) -> None:
    """A number means the line of the text that it was said of, wherever that line is now."""
    first, second, third = put(shots, b"1"), put(shots, b"2"), put(shots, b"3")
    former = table(state)
    shots.remove(first.name)
    fourth = put(shots, b"4")
    assert shots.retire(former, {1, 7})
    assert shots.all() == [third, fourth]
    assert not shots.retire(former, {0, 1})
    assert shots.all() == [third, fourth]
    assert second.name not in {one.name for one in shots.all()}


def test_a_folder_of_others(shots: OneShots, state: Path) -> None:
    """Where others could write, nothing is."""
    (state / "at").mkdir()
    (state / "at").chmod(0o777)
    with pytest.raises(Refused, match="others can write there"):
        put(shots)


def test_a_link_is_not_followed(shots: OneShots, state: Path, folder: Path) -> None:
    """What is no file of the account's own is neither read nor written through."""
    (state / "at").mkdir(mode=0o700)
    (folder / "other").write_text("kept")
    (state / "at" / ME.name).symlink_to(folder / "other")
    for look in (shots.all, lambda: put(shots), lambda: shots.remove("at-a")):
        with pytest.raises(Refused):
            look()
    assert (folder / "other").read_text() == "kept"


def test_the_moment_is_written_with_its_offset(shots: OneShots) -> None:
    """A table that is read in another zone means the same moment."""
    one = put(shots)
    assert one.at.tzinfo is not None
    assert datetime.fromisoformat(one.at.isoformat()).timestamp() == LATER
