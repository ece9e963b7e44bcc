"""What a policy means for a process, and what is refused."""

from __future__ import annotations

import resource
import signal
from typing import Any

import pytest

from crond.launcher.policies import Host, NotAllowed, bounds_of, folder_of, stop_signal
from crond.launcher.spawn import UNBOUND, Bounds
from crond.model.policy import PLAIN, Policy

HOST = Host(nice=0, open_files=(1024, 4096))
NOFILE, AS = resource.RLIMIT_NOFILE, resource.RLIMIT_AS


def bounds(session: Bounds = UNBOUND, *, host: Host = HOST, root: bool = False, **policy: Any) -> Bounds:
    return bounds_of(Policy(**policy), session, host, privileged=root)


def test_a_policy_that_says_nothing_changes_nothing() -> None:
    """What PAM gave stays as it is, and without PAM there are no bounds, which is the fast way to start."""
    session = Bounds(((NOFILE, 10, 20),), 5, 0o27)
    assert bounds(session, retries=3) == session
    assert bounds(retries=3) == UNBOUND


def test_what_is_said_takes_the_place_of_what_pam_gives() -> None:
    """Each bound by itself; the others stay."""
    session = Bounds(((NOFILE, 10, 20), (resource.RLIMIT_CORE, 0, 0)), 5, 0o27)
    made = bounds(session, limit_nofile=15, nice=7, umask=0o77, ionice="idle", memory_max=1 << 30)
    assert {number: rest for number, *rest in made.limits} == {
        NOFILE: [15, 15],
        resource.RLIMIT_CORE: [0, 0],
        AS: [1 << 30, 1 << 30],
    }
    assert (made.nice, made.umask, made.ionice) == (7, 0o77, 3 << 13)
    assert bounds(ionice="best-effort:7").ionice == 2 << 13 | 7
    assert bounds(ionice="best-effort").ionice == 2 << 13 | 4


@pytest.mark.parametrize(
    ("policy", "session", "words"),
    [
        ({"nice": -1}, UNBOUND, "nice=-1: at least 0 here"),
        ({"nice": 4}, Bounds(nice=5), "nice=4: at least 5 here"),
        ({"limit_nofile": 4097}, UNBOUND, "limit_nofile=4097: at most 4096 here"),
        ({"limit_nofile": 21}, Bounds(((NOFILE, 10, 20),)), "limit_nofile=21: at most 20 here"),
        ({"ionice": "realtime:0"}, UNBOUND, "ionice=realtime:0: only for root"),
    ],
)
def test_nobody_gets_more_than_without_it(policy: dict[str, Any], session: Bounds, words: str) -> None:
    """What a user could not have in a shell is refused, in words; root's own crontab may ask for it."""
    with pytest.raises(NotAllowed, match=words):
        bounds(session, **policy)
    assert bounds(session, root=True, **policy) != session


def test_bounds_of_the_host() -> None:
    """No limit is no bound; a daemon that is nicer than 0 makes nobody less nice than itself."""
    assert bounds(host=Host(nice=0, open_files=(9, -1)), limit_nofile=10**6).limits == (
        (NOFILE, 10**6, 10**6),
    )
    with pytest.raises(NotAllowed):
        bounds(host=Host(nice=10, open_files=(9, 9)), nice=9)
    assert bounds(host=Host(nice=-5, open_files=(9, 9)), nice=0).nice == 0


def test_memory_is_the_groups_business_where_there_is_one() -> None:
    """With the controller no process is limited by itself; without it never above what PAM allows."""
    grouped = Host(nice=0, open_files=(9, 9), controllers=frozenset(("memory",)))
    assert bounds(host=grouped, memory_max=1 << 30) == UNBOUND
    assert bounds(Bounds(((AS, 50, 100),)), memory_max=200).limits == ((AS, 100, 100),)


def test_a_folder_is_the_homes_or_its_own() -> None:
    """`working_dir` counts from the home."""
    assert folder_of(PLAIN, b"/home/ann") == b"/home/ann"
    assert folder_of(Policy(working_dir="a b/\udcff"), b"/home/ann") == b"/home/ann/a b/\xff"
    assert folder_of(Policy(working_dir="/srv"), b"/home/ann") == b"/srv"


@pytest.mark.parametrize(("word", "number"), [("TERM", 15), ("INT", signal.SIGINT), ("9", 9), ("40", 40)])
def test_signals_by_name_and_number(word: str, number: int) -> None:
    """A number may be a real-time signal, which has no name."""
    assert stop_signal(Policy(stop_signal=word)) == number
