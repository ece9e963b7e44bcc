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
