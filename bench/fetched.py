"""Crons that the host does not have: fetched from Debian's archive and from PyPI into a cache of our own.

Owns the cache, below $XDG_CACHE_HOME. Nothing is installed on the host. Called by bench.peers.
"""

from __future__ import annotations

import os
import pathlib
import shutil
import subprocess
import sys
from collections.abc import Sequence

_PATIENCE = 600.0


class Missing(Exception):
    """A peer cannot be started here; the text says what to do."""


def cache() -> pathlib.Path:
    """Return the folder of what was fetched."""
    base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return pathlib.Path(base, "crontabx-bench")


def unpacked(package: str, program: str) -> pathlib.Path:
    """Return `program` of Debian's `package`, unpacked in the cache. Raises Missing."""
    place = cache() / package
    if not (place / program).exists():
        advice = f"try apt-get install {package}"
        if shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None:
            raise Missing(f"{package} is not installed, and there is no apt-get to fetch it")
        fresh = _fresh(package)
        _run(["apt-get", "download", "-q", package], fresh, advice)
        for archive in fresh.glob("*.deb"):
            _run(["dpkg-deb", "-x", str(archive), "."], fresh, advice)
        fresh.rename(place)
    return place / program


def from_pypi(package: str, oldest: tuple[int, int], name: str = "") -> pathlib.Path:
    """Return the program `name` (else the one called so) of PyPI's `package`, with a Python from `oldest` on.
    Raises Missing.
    """
    place = cache() / package
    program = place / "bin" / (name or package)
    if not program.exists():
        advice = f"or do without it: --peers without {package}"
        shutil.rmtree(place, ignore_errors=True)
        place.parent.mkdir(parents=True, exist_ok=True)
        _run([_python(oldest), "-m", "venv", str(place)], place.parent, advice)
        _run([str(place / "bin" / "pip"), "install", "-q", package], place.parent, advice)
        if not program.exists():
            raise Missing(f"{package} of PyPI has no program {program.name}")
    return program


def _fresh(name: str) -> pathlib.Path:
    """Return an empty folder that becomes `name` once it is complete."""
    made = cache() / f"{name}.new"
    shutil.rmtree(made, ignore_errors=True)
    made.mkdir(parents=True)
    return made


def _python(oldest: tuple[int, int]) -> str:
    versions = pathlib.Path(os.environ.get("PYENV_ROOT", "~/.pyenv")).expanduser() / "versions"
    names = [f"python3.{minor}" for minor in range(oldest[1], oldest[1] + 5)]
    found = [sys.executable, "/usr/bin/python3", *names, *map(str, sorted(versions.glob("3.*/bin/python3")))]
    code = f"import sys, venv, ensurepip; sys.exit(sys.version_info < {oldest!r})"
    for path in found:
        try:
            done = subprocess.run([path, "-c", code], check=False, capture_output=True)
        except OSError:
            continue
        if done.returncode == 0:
            return path
    raise Missing(f"needs Python {oldest[0]}.{oldest[1]} or later, with venv; there is none here")


def _run(command: Sequence[str], folder: pathlib.Path, advice: str) -> None:
    try:
        done = subprocess.run(
            command, cwd=folder, check=False, capture_output=True, text=True, timeout=_PATIENCE
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Missing(f"{error}; {advice}") from None
    if done.returncode != 0:
        said = (done.stderr or done.stdout).strip().splitlines()[-1:]
        raise Missing(f"{command[0]} {command[1]}: {''.join(said)}; {advice}")
