"""What the client believes of what the launcher tells of a start."""

from __future__ import annotations

from typing import Any

import pytest

from crond.cli.answers import BadAnswer
from crond.cli.surroundings import read_surroundings

BODY: dict[str, Any] = {
    "user": "ann",
    "uid": 7,
    "gid": 8,
    "groups": [8],
    "directory": "/home/ann",
    "directory_required": True,
    "shell": "/bin/sh",
    "command": "true",
    "stdin": "",
    "umask": 18,
    "nice": 0,
    "open_files": [10, 20],
    "limits": {},
    "environment": {"A": "b"},
}


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({}, ""),
        ({"env_file": None, "secrets": []}, ""),
        ({"env_file": "/home/ann/env", "secrets": []}, "what is in /home/ann/env"),
        ({"env_file": None, "secrets": ["K"]}, "the secret K"),
        ({"env_file": "/e", "secrets": ["K", "T"]}, "what is in /e and the secrets K, T"),
    ],
)
def test_what_is_not_told_has_a_name(more: dict[str, Any], words: str) -> None:
    """A job that works in `crontabx shell` only when it has its secrets must not be a riddle."""
    assert read_surroundings("me/j", BODY | more).unseen == words


@pytest.mark.parametrize(
    "wrong", [{"env_file": 1}, {"secrets": "K"}, {"secrets": [1]}, {"environment": []}, {"uid": "7"}]
)
def test_what_cannot_be_is_no_answer(wrong: dict[str, Any]) -> None:
    """A daemon of another version is named, not believed."""
    with pytest.raises(BadAnswer):
        read_surroundings("me/j", BODY | wrong)
