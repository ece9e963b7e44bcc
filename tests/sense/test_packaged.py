"""Crontabs that Debian's packages bring: right for years, so a word about them is nearly always wrong."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from crond.sense.judge import judge
from tests.sense.scenes import scene_of
from tests.system.packages import Unavailable, fetch, unpack


@pytest.fixture(scope="module")
def packaged(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Return the files for /etc/cron.d of a few packages."""
    cache = os.environ.get("CRONTABX_PACKAGES")
    folder = Path(cache) if cache else Path(request.config.cache.mkdir("packages"))
    root = tmp_path_factory.mktemp("packages")
    try:
        unpack(fetch(folder), root)
    except Unavailable as why:
        pytest.skip(str(why))
    return sorted((root / "etc" / "cron.d").iterdir())


@pytest.mark.system
@pytest.mark.parametrize("dialect", ["cronie", "debian"])
def test_packaged_crontabs_are_in_order(packaged: list[Path], dialect: str) -> None:
    """No error and no warning, though few of their programs are on the fake host."""
    assert len(packaged) >= 5
    found = {
        path.name: list(judge(scene_of(path.read_bytes(), system=True, dialect=dialect))) for path in packaged
    }
    serious = {name: [one for one in all_ if one.severity != "note"] for name, all_ in found.items()}
    assert serious == {name: [] for name in found}
    assert {one.code for all_ in found.values() for one in all_} <= {"command-unknown"}
