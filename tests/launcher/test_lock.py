"""What the lock says when it cannot be taken."""

from __future__ import annotations

import re
import resource
from pathlib import Path

import pytest

from crond.launcher.lock import Lock


def test_a_disk_without_room_is_named(tmp_path: Path) -> None:
    """`crond: No space left on device` said on a full disk, and not which one: a limit stands in for it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
    try:
        with pytest.raises(OSError, match=re.escape(str(tmp_path / "lock"))):
            Lock(str(tmp_path / "lock"))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
