"""What the documents show of each verb is what it shows."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

GENERATOR = Path(__file__).parent.parent.parent / "docs" / "generate_output.py"


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can start the host's cron")
def test_output_on_the_page_is_that_of_today() -> None:
    """docs/reference/output.md uses every verb and shows what comes; written by docs/generate_output.py."""
    done = subprocess.run(
        [sys.executable, GENERATOR, "--check"], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, f"run {GENERATOR}:\n{done.stdout}{done.stderr}"
