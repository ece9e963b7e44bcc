"""Texts that no one would write: random lines, and real crontabs with random harm done to them.

Everything comes from the one `random.Random` that is given, so a seed gives the same texts again.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT / "tests" / "data" / "accept.jsonl"
#: Lines that are parsed together, as one crontab.
TOGETHER = 5
#: What lines of crontabs are made of, and what stands at the edges of their grammar.
PIECES = (
    *(bytes([byte]) for byte in b"*,-/~#@%=\\'\" \t\r\v\f\0$(){}[]<>|&;:.+?!^_"),
    *(b"* * * * *", b"0 0 31 2 *", b"*/5", b"1-5/2", b"22-2", b"fri-mon", b"5-0", b"7", b"0-7", b"60", b"00"),
    *(b"4294967296", b"99999999999999999999", b"-1", b"jan", b"DEC", b"sun", b"tues", b"L", b"15W", b"fri#2"),
    *(b"@reboot", b"@daily", b"@hourly ", b"@every 5m", b"@at 2026-12-01T09:00", b"@5", b"@Daily", b"@"),
    *(b"MAILTO=", b"CRON_TZ=Europe/Berlin", b"CRON_TZ=:/../x", b"A='x' y", b"=b"),
    *(b"RANDOM_DELAY=1441", b'""=', b"-n ", b"-q ", b"-* ", b"- ", b"root ", b"nobody\t", b"\\%", b"%%"),
    *(b"date +%F", b"\xff\xfe", b"\xc3\xa9", b"\xe2\x80\xa8", b"a" * 999),
    *(b"#: name=x", b"#: retries=3 timeout=", b"#:", b"#Ansible: y", b"# Puppet Name: z"),
    *(b"#: defaults retries=3 ", b"#: job x depends_on=x,", b"#: pool p=", b"#: schedule=@after pool='"),
)  # fmt: skip


def random_lines(random: Random, count: int) -> Iterator[bytes]:
    """Yield crontabs of TOGETHER lines each, `count` lines in all."""
    for start in range(0, count, TOGETHER):
        lines = [_line(random) for _ in range(min(TOGETHER, count - start))]
        yield b"\n".join(lines) + random.choice((b"\n", b"\n", b"", b"\r\n"))


def _line(random: Random) -> bytes:
    kind = random.random()
    if kind < 0.2:
        return random.randbytes(random.randrange(60)).replace(b"\n", b"")
    if kind < 0.5:
        return b"".join(_piece(random) for _ in range(random.randrange(12)))
    fields = [_field(random) for _ in range(random.choice((1, 4, 5, 5, 5, 5, 6, 7)))]
    return random.choice((b" ", b"\t", b"  ")).join(fields) + b" " + _piece(random)


def _piece(random: Random) -> bytes:
    return random.choice(PIECES)


def _field(random: Random) -> bytes:
    alphabet = b"0123456789*,-/~abcdefghijlmnoprstuvwyLW#"
    if random.random() < 0.9:
        return random.choice((b"*", b"*/2", b"1", b"0-5", b"1,2", b"mon", b"3~4", b"1-20/3", b"sun-fri"))
    return bytes(random.choices(alphabet, k=random.randrange(1, 7)))


def mutations(random: Random, crontabs: Sequence[bytes], count: int) -> Iterator[bytes]:
    """Yield `count` of the `crontabs`, each with up to eight harms."""
    for _ in range(count):
        text = bytearray(random.choice(crontabs))
        for _ in range(random.randrange(1, 9)):
            _harm(random, text, crontabs)
        yield bytes(text)


def _harm(random: Random, text: bytearray, crontabs: Sequence[bytes]) -> None:
    at = random.randrange(len(text) + 1)
    to = min(len(text), at + int(random.expovariate(0.2)))
    match random.randrange(6):
        case 0:
            del text[at:to]
        case 1:
            text[at:at] = _piece(random)
        case 2:
            text[at:at] = text[at:to] * random.randrange(1, 30)
        case 3 if at < len(text):
            text[at] = random.randrange(256)
        case 4:
            other = random.choice(crontabs)
            text[at:] = other[random.randrange(len(other) + 1) :]
        case _:
            text[at:to] = text[at:to].swapcase()[::-1]


def real_crontabs(packages: Sequence[Path]) -> list[bytes]:
    """Return the crontabs of Debian `packages`, those of our examples, and what cronie was asked about."""
    found = [path.read_bytes() for path in sorted((ROOT / "examples").glob("*.crontab"))]
    for package in packages:
        tar = subprocess.run(["dpkg-deb", "--fsys-tarfile", package], capture_output=True, check=True).stdout
        done = subprocess.run(
            ["tar", "-xO", "--wildcards", "./etc/cron.d/*"], input=tar, capture_output=True, check=False
        )
        found += [done.stdout] if done.stdout else []
    lines = [json.loads(line)["line"] for line in DATA.read_text().splitlines()]
    for start in range(0, len(lines), TOGETHER):
        found.append("\n".join(lines[start : start + TOGETHER]).encode("utf-8", "surrogateescape") + b"\n")
    return found
