"""`check --fix`: the diff that would put annotations in place of what is made by hand."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crond.model.crontab import parse_crontab
from crond.sense.fixes import NoDiff, cautions, fixed_diff
from crond.sense.handmade import peel
from tests.sense.scenes import scene_of


def after(text: str, dialect: str = "cronie") -> list[str]:
    """Return the lines that the diff of `text` adds."""
    diff = fixed_diff(scene_of(text, dialect=dialect), "jobs").splitlines()
    return [line[1:] for line in diff if line.startswith("+") and not line.startswith("+++")]


@pytest.mark.parametrize(
    ("command", "annotation", "left"),
    [
        ("flock -n /run/l backup -a b", "concurrency=forbid", "backup -a b"),
        ("/usr/bin/flock --nonblock /run/l backup", "concurrency=forbid", "backup"),
        ("flock /run/l backup", "concurrency=queue", "backup"),
        ("flock -xn /run/l -c 'a && b'", "concurrency=forbid", "a && b"),
        ("timeout 10m backup", "timeout=10m", "backup"),
        ("timeout -k 5s -s SIGINT 90 backup", "timeout=90 kill_timeout=5s stop_signal=INT", "backup"),
        ("sleep $((RANDOM \\% 600)); backup", "jitter=10m", "backup"),
        ("sleep $(( $RANDOM \\% 45 )) && backup", "jitter=45s", "backup"),
        ("sleep $RANDOM; backup | cat; x", "jitter=32768s", "backup | cat; x"),
        ("backup >> /var/log/b.log 2>&1", "mail=never", "backup"),
        ("cd /srv/app && ./backup", "working_dir=/srv/app", "./backup"),
        ("cd '/srv/my app' && a && b", "working_dir='/srv/my app'", "a && b"),
        ("backup || curl -fsS https://hooks.slack.com/T", "on_failure=https://hooks.slack.com/T", "backup"),
        ("backup || wget -q http://h.example/x", "on_failure=json://h.example/x", "backup"),
        ("backup && curl -m 10 -o /dev/null https://hc-ping.com/u", "ping=https://hc-ping.com/u", "backup"),
        (
            "cd /srv && timeout 1h flock -n /l backup >> log 2>&1 && curl https://hc-ping.com/u >/dev/null",
            "ping=https://hc-ping.com/u working_dir=/srv mail=never timeout=1h concurrency=forbid",
            "backup",
        ),
    ],
)  # fmt: skip
def test_what_an_annotation_says(command: str, annotation: str, left: str) -> None:
    """The key of the language, and the command without its wrapper."""
    assert after(f"0 3 * * * {command}\n") == [f"#: {annotation}", f"0 3 * * * {left}"]


def test_what_to_mind_before_a_diff_is_applied() -> None:
    """A lock that others take is not the same as `concurrency=`."""
    assert cautions("--- a\n+++ a\n-x\n+  #: timeout=1\n+x\n #: concurrency=forbid\n") == []
    (told,) = cautions("--- a\n+++ a\n-x\n+  #: concurrency=forbid timeout=1\n+x\n")
    assert told.startswith("concurrency= knows its own job alone")


@pytest.mark.parametrize(
    "command",
    [
        "flock -n 9 backup",
        "flock -w 10 /l backup",
        "flock -n /l a && b",
        "flock -n /l a; b",
        "flock -n $LOCK a > x; b",
        "(flock -n 9; backup) 9>/l",
        "timeout --foreground 10 backup",
        "timeout $N backup",
        "sleep 30; backup",
        "sleep $((RANDOM \\% 60)) & backup",
        "backup >> log",
        "backup > log 2>&1",
        "backup >> $LOG 2>&1",
        "a; b >> log 2>&1",
        "cd && backup",
        "cd ~/x && backup",
        "cd /srv; backup",
        "cd /srv && a || b",
        "backup || echo failed",
        "backup || curl -d @- https://h.example/x < msg",
        "backup || curl https://h.example/$ID",
        "backup || curl https://a:b@h.example/",
        "backup; curl https://hc-ping.com/u",
        "a; b && curl https://hc-ping.com/u",
        "backup && curl https://h.example/next",
        "timeout 5 cat%text",
        "if a; then flock -n /l b; fi",
        "timeout 5",
        "flock -n /l",
    ],
)
def test_what_stays(command: str) -> None:
    """A form that an annotation would not surely say the same is left alone."""
    assert after(f"0 3 * * * {command}\n") == []


def test_what_is_said_already_stays() -> None:
    """A key that stands in the block above is not said twice."""
    text = "#: timeout=5m\n0 3 * * * timeout 10m flock -n /l a\n"
    assert after(text) == []
    assert after("#: name=x\n  0 3 * * * timeout 10m a\n") == ["  #: timeout=10m", "  0 3 * * * a"]


def test_a_managed_line_stays() -> None:
    """A configuration manager rewrites the line below its marker; a block between them would be lost."""
    assert after("#Ansible: x\n0 3 * * * timeout 10m a\n") == []


@pytest.mark.parametrize("dialect", ["cronie", "debian"])
def test_percent_signs_stay_escaped(dialect: str) -> None:
    """What is left of a command means the same to cron."""
    assert after("0 3 * * * timeout 5 date +\\%F\n", dialect)[1] == "0 3 * * * date +\\%F"


def test_a_diff_that_cron_would_refuse() -> None:
    """Debian's cron reads 10000 lines; annotations would be more. That is said."""
    text = "0 3 * * * timeout 5 a\n" * 6000
    with pytest.raises(NoDiff, match="longer than 10000 lines"):
        fixed_diff(scene_of(text, dialect="debian"), "jobs")


@pytest.mark.parametrize("dialect", ["cronie", "debian"])
@pytest.mark.parametrize("system", [False, True])
@pytest.mark.parametrize("end", ["", "# no line feed", "\n\n"])
def test_patch_takes_the_diff(tmp_path: Path, dialect: str, system: bool, end: str) -> None:
    """Applied with patch(1), the file has the same schedules, users and settings, and annotations above."""
    user = "root " if system else ""
    text = (
        f"MAILTO=ops\n# one\n0 3 * * 1-5\t{user}  flock -n /l timeout 5m a b\n\nX=1\n*/5 * * * * {user}b\n"
        f"@daily {user}cd /x && y\n#: name=n\n7 4 * * * {user}c \udcff >> l 2>&1\n{end}"
    )
    scene = scene_of(text, system=system, dialect=dialect)
    file = tmp_path / "jobs"
    file.write_bytes(text.encode("utf-8", "surrogateescape"))
    diff = fixed_diff(scene, "jobs").encode("utf-8", "surrogateescape")
    subprocess.run(["patch", "-s", str(file)], input=diff, check=True, timeout=30, cwd=tmp_path)
    before, now = (
        scene.table,
        parse_crontab(file.read_bytes(), system=system, dialect=dialect, extensions=True),
    )
    assert [(e.schedule, e.user, e.environment) for e in now.entries] == [
        (e.schedule, e.user, e.environment) for e in before.entries
    ]
    assert now.errors == ()
    assert [e.command.lstrip() for e in now.entries] == ["a b", "b", "y", "c \udcff"]
    assert [len(e.annotations) for e in now.entries] == [1, 0, 1, 2]
    assert now.entries[3].name == "n"


_WRAPPERS = """
    flock -n /l -c timeout 5 5m cd /x sleep $RANDOM && || ; | & >> log 2>&1 curl
    https://hc-ping.com/u 'a b' a ( ) { }
"""
_WORDS = st.sampled_from(_WRAPPERS.split())


@given(st.lists(_WORDS, min_size=1, max_size=12).map(" ".join))
def test_peeling_always_ends(command: str) -> None:
    """Each step leaves a shorter command that is still understood."""
    rest = command
    while (peeled := peel(rest)) is not None:
        assert 0 < len(peeled.rest) < len(rest)
        rest = peeled.rest


@given(st.lists(_WORDS, min_size=1, max_size=12).map(" ".join))
def test_a_diff_keeps_schedules(command: str) -> None:
    """Whatever the command: the result has one entry, due at the same times, in the same words above it."""
    lines = after(f"*/7 3 * * 1 {command}\n")
    if lines:
        table = parse_crontab("\n".join(lines) + "\n", extensions=True)
        assert [str(e.schedule) for e in table.entries] == ["*/7 3 * * 1"]
        assert not table.problems
