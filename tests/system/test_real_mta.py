"""cron's mail through a real sendmail, OpenSMTPD's: each letter arrives once, with what cron writes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from email.message import Message
from pathlib import Path

import pytest

from tests.system.conftest import StartHost
from tests.system.daemon import host_folder, install
from tests.system.ground import Ground, People
from tests.system.mta import Mta
from tests.system.packages import Unavailable


@pytest.fixture
def mta(ground: Ground, people: People, request: pytest.FixtureRequest) -> Iterator[Mta]:
    assert people.users
    cache = os.environ.get("CRONTABX_PACKAGES")
    try:
        made = Mta(Path(cache) if cache else request.config.cache.mkdir("packages"), ground.new_folder("mta"))
    except Unavailable as why:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(why))
    with made:
        yield made


CRONTAB = """\
#: name=talks
0 0 31 2 * echo "of talks"
#: name=silent
0 0 31 2 * true
#: name=bytes
0 0 31 2 * printf 'a\\303\\251\\377\\n'
"""


def body_of(letter: Message) -> bytes:
    body = letter.get_payload(decode=True)
    assert isinstance(body, bytes)
    return body.rstrip(b"\n")


def test_output_arrives_as_cron_sends_it(
    mta: Mta, ground: Ground, people: People, start_host: StartHost
) -> None:
    """Output goes to the owner, by the host's sendmail, with cron's headers; silence is not mailed."""
    folder = host_folder(ground, people, dialect="cronie")
    install(folder, people.ann, CRONTAB)
    crond, _ = start_host(folder=folder, wrapper=mta.wrapper, mail=True)
    crond.up()
    for name in ("silent", "talks", "bytes"):
        assert crond.run_now(f"{people.ann.pw_name}/{name}")["outcome"] == "success"
    letters = {body_of(one): one for one in mta.letters(people.ann, 2)}
    assert set(letters) == {b"of talks", b"a\xc3\xa9\xff"}
    first = letters[b"of talks"]
    assert first["Subject"].startswith(f"Cron <{people.ann.pw_name}@")
    assert first["Subject"].endswith('echo "of talks"')
    assert first["Auto-Submitted"] == "auto-generated"


MODES = """\
#: name=failure mail=failure
0 0 31 2 * echo "of failure"; test ! -e {flag}
#: name=always mail=always
0 0 31 2 * true
#: name=never mail=never
0 0 31 2 * echo "of never"; exit 3
#: name=retried mail=failure retries=1 retry_delay=0
0 0 31 2 * echo "of retried $CRONTABX_ATTEMPT"; exit 5
#: name=told mail=never on_failure={ann}@localhost
0 0 31 2 * echo "why it failed"; exit 7
"""


def test_modes_and_addresses(mta: Mta, ground: Ground, people: People, start_host: StartHost) -> None:
    """`mail=` says when output is mailed, once for each run; an alert for an address is its own letter."""
    folder = host_folder(ground, people, dialect="cronie")
    with (folder / "settings.toml").open("a") as file:
        file.write("[alerts]\nsettle = 0\n")
    flag = folder / "flag"
    ann = people.ann.pw_name
    install(folder, people.ann, MODES.format(flag=flag, ann=ann))
    crond, _ = start_host(folder=folder, wrapper=mta.wrapper, mail=True)
    crond.up()
    for name in ("failure", "always", "never", "retried", "told"):
        crond.run_now(f"{ann}/{name}")
    flag.touch()
    crond.run_now(f"{ann}/failure")
    letters = {body_of(one): one for one in mta.letters(people.ann, 4)}
    failure, always, retried = (
        letters.pop(text) for text in (b"of failure", b"[no output]", b"of retried 2")
    )
    assert failure["Subject"].endswith("(exit status 1)")
    assert always["Subject"].endswith("> true")
    assert retried["Subject"].endswith("(exit status 5)")
    (told,) = letters.values()
    assert "told failed (exit 7)" in told["Subject"]
    assert b"why it failed" in body_of(told)
    assert told["Message-ID"].startswith("<crontabx.")
