"""crontab(1) beside Debian's: the same steps, and what both say, answer and leave in the spool.

Whatever is not in DIFFERENCES is equal to the byte. What cronie's crontab says is held to below, by facts.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from crond.cli.header import without_header
from tests.system import packages
from tests.system.daemon import Crond, wait_for
from tests.system.ground import Ground, People
from tests.system.transcripts import Heard, Room, Step, debian_programs, our_programs

pytestmark = pytest.mark.root

#: Every way in which ours is not as Debian's, each on purpose. Steps name them.
DIFFERENCES = {
    "line": "an error has its line's number; Debian's is one less where it did not read the line to its end",
    "all": "every error is shown, not the first alone",
    "annotation": "an error in an annotation is refused; to Debian's it is a comment",
    "may": "cron.allow and cron.deny are asked about who sits there; Debian's keeps root from others, too",
    "copy": "what goes to no terminal is the crontab as it is; Debian's spoils \\r and \\b in copies also",
    "content": "an edit is one if the text changed; Debian's loses what was saved within a second",
    "kept": "an edit that was not installed is left for its author; Debian's takes it away",
    "editor": "says of which file, and why; a FIFO in its place keeps nobody waiting",
    "ended": "the end of an edit is logged also where the editor failed",
    "end": "the end of input is a no; Debian's asks for ever",
}
#: As these, in every step: the text of the usage is our own, and no header is put into the spool.
_USAGE = re.compile(r"usage:\t.*", re.DOTALL)

ERRORS = "errors in crontab file, can't install.\n"
LEFT = "crontab: edits left in TEMPORARY/crontab\n"
REMOVE = "crontab: really delete ANN's crontab? "
BEGAN, ENDED, REPLACED = (f"(ANN) {event} (ANN)" for event in ("BEGIN EDIT", "END EDIT", "REPLACE"))
GOOD, OTHER, BAD = b"* * * * * x\n", b"1 * * * * y\n", b"bad\n"
ANNOTATED = (
    b"#: defaults retries=2 on_failure=ops\n#: name=a timeout=5m\n0 6 * * * x\n"
    b"#: name=b depends_on=a schedule=@after condition='[ -e /x ]'\n0 9 * * * y\n"
    b"#: job b pool=gpu\n#: pool gpu=1\n"
)
#: What Debian's needs to see that the file was written.
LATER = 'touch -d "10 seconds" "$1"'


def write(text: bytes) -> str:
    """Return the shell command by which an editor writes `text`."""
    octal = "".join(f"\\{byte:03o}" for byte in text)
    return f"printf '{octal}' > \"$1\"; {LATER}"


def spoilt(command: str, ours: str, *, alone: bool = False) -> Step:
    """Return an edit whose editor leaves something else than a file."""
    return Step("-e", editor=[command], differs="editor", ours=ours, logged=(BEGAN, ENDED), alone=alone)


def put(text: bytes, arguments: str = "-", *, differs: str = "", ours: str = "") -> Step:
    return Step(arguments, piped=text, differs=differs, ours=ours)


STORIES: dict[str, list[Step]] = {
    "nothing there": [Step("-l"), Step("-l", piped=b""), Step("-r"), Step("-ri"), Step("-e", editor=[":"])],
    "install and list": [
        put(GOOD),
        Step("-l"),
        Step("-l", piped=b""),
        put(OTHER, ""),
        Step("-l"),
        put(b"# one\n# two\n# three\n\n" + GOOD),
        Step("-l"),
        put(b"# no end"),
        Step("-l"),
        put(b""),
        Step("-l"),
        put(b"# \x01 \b\r\n"),
        Step("-l"),
        Step("-l", piped=b"", differs="copy", ours="# \x01 \b\r\n", logged=["(ANN) LIST (ANN)"]),
        Step("-l", environment={"CRONTAB_NOHEADER": "X"}),
    ],
    "what is no file": [
        Step("/tmp"),
        Step("/dev/null"),
        Step("/nosuch"),
        Step("nosuch another"),
        Step("/etc/shadow"),
        Step("''"),
    ],
    "errors": [
        put(GOOD),
        put(BAD),
        put(b"* * * *\n"),
        put(b"\n\n* *\n\n"),
        put(b"* * * * * " + b"y" * 1200 + b"\n"),
        put(b"* * * * * x"),
        put(b"bad"),
        put(b"99 * * * * x\n", differs="line", ours=f'"-":1: bad minute\n{ERRORS}'),
        put(
            BAD + GOOD + BAD,
            differs="all",
            ours=f'"-":1: bad minute\n"-":3: bad minute\n{ERRORS}',
        ),
        put(b"* * * * *\n@daily\n"),
    ],
    "annotations": [
        put(ANNOTATED),
        Step("-l"),
        put(ANNOTATED, "-n -"),
        put(
            b"#: retires=3\n" + GOOD,
            differs="annotation",
            ours=f'"-":1: unknown key \'retires\': did you mean retries?\n{ERRORS}',
        ),
    ],
    "dry run": [
        put(GOOD, "-n -"),
        put(BAD, "-n -"),
        put(b"* * * * * x", "-n -"),
        Step("-n /nosuch"),
        Step("-n"),
        Step("-n -l"),
    ],
    "flags": [
        Step("-h"),
        Step("-h -l"),
        Step("-h -q"),
        Step("-h x"),
        Step("-q"),
        Step("-V"),
        Step("-T /etc/passwd"),
        Step("-lx"),
        Step("-l -r"),
        Step("-er"),
        Step("-l x"),
        Step("x -l"),
        Step("-l -- -x"),
        Step("--help"),
        Step("-i"),
        Step("-li"),
        Step("-u"),
        Step("-l -u"),
        put(GOOD, "-u @ann"),
    ],
    "users": [
        Step("-u @ann -l"),
        Step("-u @ben -l"),
        Step("-u nosuch -l"),
        Step("-u '' -l"),
        Step("-u @ben -q"),
        Step("-h -u @ben"),
        Step("-u nosuch -u @ann -l"),
        Step("-u /etc -l", who="root"),
        Step("-u @ann -", who="root", piped=GOOD),
        Step("-l"),
        Step("-u @ann -l", who="root"),
        Step("-u @ann -e", who="root", editor=[f"id -un >&2; {write(OTHER)}"]),
        Step("-l"),
        Step("-u @ann -r", who="root"),
        Step("-u @ann -r", who="root"),
    ],
    "remove": [
        put(GOOD),
        Step("-ri", typed=["n"]),
        Step("-ri", typed=["maybe", "", "No"]),
        Step("-ir", typed=["what", "yes"]),
        put(GOOD),
        Step("-r", typed=["n"]),
        Step("-r"),
    ],
    "edit": [
        Step("-e", editor=["pwd >&2; stat -c '%a %U' \"$1\" $(dirname \"$1\") >&2"]),
        Step("-e", editor=[write(GOOD)]),
        Step("-l"),
        Step("-e", editor=['cat "$1" >&2']),
        Step("-e", editor=[write(b"")]),
        Step("-e", editor=['echo "5 5 * * * x" > "$1.n"; touch -d "10 seconds" "$1.n"; mv "$1.n" "$1"']),
        Step("-l"),
        Step("-e", editor=[f't=$(stat -c %y "$1"); {write(OTHER)}; touch -d "$t" "$1"'], differs="content",
             ours="crontab: installing new crontab\n", logged=(BEGAN, REPLACED, ENDED)),
        Step("-e", editor=[LATER], differs="content", ours="No modification made\n",
             logged=(BEGAN, ENDED)),
    ],
    "the same edit again": [
        Step("-e", editor=[write(BAD)], typed=["n"]),
        Step("-e", editor=[write(BAD)], typed=["NO"]),
        Step("-e", editor=[write(BAD), write(GOOD)], typed=["what", "", "yes"]),
        Step("-e", editor=[write(BAD), 'cat "$1" >&2', write(OTHER)], typed=["Y", "y"]),
        Step("-e", editor=[write(b"* * * * * q")], typed=["n"]),
        Step("-l"),
    ],
    "editors that fail": [
        Step("-e", environment={"EDITOR": "true", "VISUAL": "false"}),
        Step("-e", environment={"EDITOR": "false", "VISUAL": ""}),
        Step("-e", environment={"EDITOR": "/nosuch --wait"}),
        Step("-e", editor=["exit 3"]),
        Step("-e", editor=["kill -9 $$"]),
        put(GOOD),
        Step("-e", editor=[f"{write(OTHER)}; exit 3"], differs="kept",
             ours=f'crontab: "/bin/sh WORK/editor" exited with status 3\n{LEFT}', logged=(BEGAN, ENDED)),
        Step("-l"),
        spoilt('rm "$1"', "crontab: TEMPORARY/crontab: No such file or directory\n"),
        spoilt('rm "$1"; mkdir "$1"', f"crontab: TEMPORARY/crontab: Is a directory\n{LEFT}"),
        spoilt(
            'rm "$1"; ln -s /etc/passwd "$1"',
            f"crontab: TEMPORARY/crontab: Too many levels of symbolic links\n{LEFT}",
        ),
        spoilt(
            'rm "$1"; mkfifo "$1"',
            f"crontab: illegal crontab: the editor left something that is no file\n{LEFT}",
            alone=True,
        ),
        Step("-l"),
    ],
    "the end of input": [
        put(GOOD),
        Step("-ri", typed=[None], differs="end", ours=f"{REMOVE}(y/n) \n", alone=True),
        Step("-l"),
        Step("-e", editor=[write(BAD)], typed=[None], differs="end", alone=True,
             ours="Do you want to retry the same edit? (y/n) \ncrontab: installing new crontab\n"
             f'"TEMPORARY/crontab":1: bad minute\n{ERRORS}{LEFT}', logged=(BEGAN, ENDED)),
        Step("-l"),
    ],
    "denied": [
        put(GOOD),
        Step("allow:"),
        Step("-l"),
        Step("-l", piped=b""),
        put(OTHER),
        Step("-e", editor=[write(OTHER)]),
        Step("-r"),
        Step("-q"),
        Step("-u @ben -l"),
        Step("/nosuch"),
        Step("-l", who="root"),
        Step("allow:@ben\n@ann x\n"),
        Step("-l"),
        Step("allow: @ann\n"),
        Step("-l"),
        Step("allow:@ann\n"),
        Step("-l"),
        Step("deny:@ann\n"),
        Step("-l"),
        Step("allow"),
        Step("-l"),
        Step("-u @ann -l", who="root", differs="may", ours="* * * * * x\n",
             logged=["(root) LIST (ANN)"]),
        Step("deny:"),
        Step("-l"),
        Step("deny"),
        Step("-l"),
    ],
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Rooms:
    debian: Room
    ours: Room


@pytest.fixture(scope="module")
def rooms(ground: Ground, people: People, request: pytest.FixtureRequest) -> Iterator[Rooms]:
    cache = os.environ.get("CRONTABX_PACKAGES")
    folder = Path(cache) if cache else Path(request.config.cache.mkdir("packages"))
    with ExitStack() as ends:
        try:
            debian = Room(ground, people, debian_programs(ground, folder))
            ends.callback(debian.close)
            ours = Room(ground, people, our_programs(ground))
            ends.callback(ours.close)
        except packages.Unavailable as error:
            pytest.skip(str(error))
        ends.callback(ours.start("debian").close)
        yield Rooms(debian, ours)


@pytest.mark.parametrize("story", STORIES)
def test_beside_debian(rooms: Rooms, story: str) -> None:
    """Step by step: status, stdout, stderr and spool are Debian's, but for what the table names."""
    for room in (rooms.debian, rooms.ours):
        room.clear()
    begun = len(rooms.ours.logged())
    logged: list[str] = []
    for number, step in enumerate(STORIES[story], start=1):
        known = len(rooms.debian.logged())
        ours = taken(rooms.ours, step)
        theirs = None if step.alone else taken(rooms.debian, step)
        where = f"{story}, step {number}: crontab {step.arguments}"
        if step.differs:
            assert step.differs in DIFFERENCES
            assert ours.said == step.ours, where
            assert theirs is None or theirs.said != ours.said, f"{where}: the same by now"
            logged += step.logged
        else:
            assert ours == theirs, where
            logged += all_ended(rooms.debian.logged()[known:])
    wait_for(lambda: len(rooms.ours.logged()) - begun >= len(logged), f"{logged} are logged")
    assert rooms.ours.logged()[begun:] == logged


def all_ended(logged: list[str]) -> list[str]:
    """Return what ours logs where Debian's logs that: the end of an edit, too, that failed."""
    begins = [line for line in logged if "BEGIN EDIT" in line]
    ends = [line.replace("BEGIN", "END") for line in begins]
    return logged if any("END EDIT" in line for line in logged) else logged + ends


def test_a_crontab_of_debians(rooms: Rooms, people: People) -> None:
    """What Debian's crontab installed is listed and edited by ours as by it: without its header."""
    for room in (rooms.debian, rooms.ours):
        room.clear()
    rooms.debian.take(put(b"# mine\n" + GOOD))
    path = rooms.ours.spool / people.ann.pw_name
    path.write_bytes(rooms.debian.text() or b"")
    path.chmod(0o600)
    os.chown(path, people.ann.pw_uid, people.ann.pw_gid)
    assert path.read_bytes().startswith(b"# DO NOT EDIT")
    for step in (
        Step("-l"),
        Step("-l", piped=b""),
        Step("-l", environment={"CRONTAB_NOHEADER": "N"}),
        Step("-l", environment={"CRONTAB_NOHEADER": "N"}, piped=b""),
        Step("-l", environment={"CRONTAB_NOHEADER": "Y"}),
        Step("-e", editor=['cat "$1" >&2']),
        Step("-e", editor=['cat "$1" >&2'], environment={"CRONTAB_NOHEADER": "N"}),
        Step("-e", editor=[write(OTHER)]),
        Step("-l"),
    ):
        assert taken(rooms.ours, step) == taken(rooms.debian, step), step
    assert path.read_bytes() == OTHER


def taken(room: Room, step: Step) -> Heard:
    """Do `step`, or let root say who may use crontab. Return what the rooms must agree in."""
    file, found, names = step.arguments.partition(":")
    if file in ("allow", "deny"):
        room.list_names(f"cron.{file}", names if found else None)
        return Heard(0, "", "", None)
    heard = room.take(step)
    text = heard.crontab
    return replace(
        heard,
        stderr=_USAGE.sub("<usage>", heard.stderr),
        crontab=None if text is None else without_header(text.encode("latin-1")).decode("latin-1"),
    )


# --- cronie ------------------------------------------------------------------------------------------

USAGE = "crontab: usage error: {}\n<usage>"
DENIED = "You (ANN) are not allowed to use this program (crontab)\nSee crontab(1) for more information\n"
RETRY = "Do you want to retry the same edit? (Y/N) "
INSTALLING = "crontab: installing new crontab\n"
INVALID = '"{}":{}: {}\nInvalid crontab file, can\'t install.\n'
EDIT_INVALID = INVALID.format("TEMPORARY/crontab", 1, "bad minute")
EMPTY = "no crontab for ANN - using an empty one\n"
SAVED = "Backup of ANN's previous crontab saved to {}\n"

#: A step, and what it says on stdout and stderr. The status is 1 where the third is so.
Golden = tuple[Step, str, str, int]
CRONIE: dict[str, list[Golden]] = {
    "who may": [
        (Step("-l"), "", DENIED, 1),
        (Step("-q"), "", "crontab: invalid option -- 'q'\n" + USAGE.format("unrecognized option"), 1),
        (Step("/nosuch"), "", "/nosuch: No such file or directory\n", 1),
        (Step("allow:@ann\n"), "", "", 0),
        (Step("-l"), "", "no crontab for ANN\n", 1),
        (Step("-u @ann -l"), "", "must be privileged to use -u\n", 1),
        (Step("-u nosuch -l"), "", "must be privileged to use -u\n", 1),
        (Step("-u nosuch -l", who="root"), "", "crontab:  user `nosuch' unknown\n", 1),
        (Step("allow"), "", "", 0),
        (Step("-u @ann -l", who="root"), "", "no crontab for ANN\n", 1),
    ],
    "install": [
        (put(GOOD), "", "", 0),
        (Step("-l", piped=b""), "* * * * * x\n", "", 0),
        (put(BAD), "", INVALID.format("-", 1, "bad minute"), 1),
        (put(b"* * * * * x"), "", INVALID.format("-", 1, "premature EOF"), 1),
        (Step("/tmp"), "", "invalid crontab file: '/tmp' is a directory\n", 1),
        (put(b"# \b\r\n", ""), SAVED.format("HOME/.cache/crontab/crontab.bak"), "", 0),
        (Step("-l", piped=b""), "# \b\r\n", "", 0),
        (put(OTHER, "-b -"), "", "", 0),
        (put(b"*/70 * * * * x\n", "-b"), "", "Warning: Step size 70 higher than possible maximum of 59\n", 0),
        (Step(""), "", USAGE.format("file name or - (for stdin) must be specified"), 1),
    ],
    "check": [
        (put(GOOD, "-T -"), "", "No syntax issues were found in the crontab file.\n", 0),
        (put(GOOD, "-T"), "", "No syntax issues were found in the crontab file.\n", 0),
        (put(BAD, "-T -"), "", '"-":1: bad minute\nInvalid crontab file. Syntax issues were found.\n', 1),
        (Step("-T /nosuch"), "", "/nosuch: No such file or directory\n", 1),
        (Step("-T -l"), "", USAGE.format("only one operation permitted"), 1),
        (Step("-u @ann -T /dev/null", who="root"), "", "cannot use -u with -T\n", 1),
    ],
    "remove": [
        (Step("-ri", typed=["y"]), REMOVE, "no crontab for ANN\n", 1),
        (put(GOOD), "", "", 0),
        (Step("-ri", typed=["what"]), REMOVE, "", 0),
        (Step("-l", piped=b""), "* * * * * x\n", "", 0),
        (
            Step("-r", environment={"XDG_CACHE_HOME": "WORK/cache"}),
            SAVED.format("WORK/cache/crontab/crontab.bak"),
            "",
            0,
        ),
        (Step("-r"), "", "no crontab for ANN\n", 1),
    ],
    "edit": [
        (Step("-e", editor=[":"]), "", EMPTY + "crontab: no changes made to crontab\n", 0),
        (Step("-eb", editor=['wc -c < "$1" >&2; ' + write(GOOD)]), "", EMPTY + "0\n" + INSTALLING, 0),
        (Step("-eb", editor=[write(BAD), write(OTHER)], typed=["what", "y"]), RETRY * 2,
         INSTALLING + EDIT_INVALID + "Enter Y or N\n" + INSTALLING, 0),
        (Step("-e", editor=[write(BAD)], typed=["n"]), RETRY, INSTALLING + EDIT_INVALID + LEFT, 0),
        (Step("-e", editor=["exit 3"]), "", 'crontab: "/bin/sh WORK/editor" exited with status 3\n', 1),
        (Step("-e", editor=[write(GOOD)]), SAVED.format("HOME/.cache/crontab/crontab.bak"), INSTALLING, 0),
    ],
    "cluster": [
        (Step("-n"), "", "must be privileged to set host with -n\n", 1),
        (Step("-n one", who="root"), "", "", 0),
        (Step("-c"), "one\n", "", 0),
        (Step("-u @ann -c", who="root"), "", "cannot use -u with -c\n", 1),
        (Step("-n two -l", who="root"), "", USAGE.format("only one operation permitted"), 1),
    ],
}  # fmt: skip


@pytest.fixture(scope="module")
def cronie(ground: Ground, people: People) -> Iterator[tuple[Room, Crond]]:
    with ExitStack() as ends:
        try:
            room = Room(ground, people, our_programs(ground))
        except packages.Unavailable as error:
            pytest.skip(str(error))
        ends.callback(room.close)
        crond = room.start("cronie")
        ends.callback(crond.close)
        yield room, crond


@pytest.mark.parametrize("story", CRONIE)
def test_as_cronies(cronie: tuple[Room, Crond], story: str) -> None:
    """Status and words of cronie's crontab, with the differences that are ours from both."""
    room, _ = cronie
    room.clear()
    if story != "who may":
        room.list_names("cron.allow", "@ann\n")
    for number, (step, stdout, stderr, status) in enumerate(CRONIE[story], start=1):
        heard = taken(room, step)
        where = f"{story}, step {number}: crontab {step.arguments}"
        assert (heard.status, heard.stdout, heard.stderr) == (status, stdout, stderr), where


def test_what_a_backup_holds(cronie: tuple[Room, Crond], people: People) -> None:
    """The text that was replaced, for the caller alone; another's, beside one's own."""
    room, _ = cronie
    room.clear()
    room.list_names("cron.allow", "@ann\n")
    room.take(put(GOOD))
    room.take(put(OTHER))
    saved = Path(people.ann.pw_dir, ".cache/crontab/crontab.bak")
    assert saved.read_bytes() == GOOD
    assert (saved.stat().st_mode & 0o777, saved.stat().st_uid) == (0o600, people.ann.pw_uid)
    cache = {"XDG_CACHE_HOME": str(room.folder / "cache")}
    room.take(Step("-u @ann -", who="root", piped=GOOD, environment=cache))
    assert (room.folder / f"cache/crontab/crontab.{people.ann.pw_name}.bak").read_bytes() == OTHER


def test_colours_on_a_terminal(cronie: tuple[Room, Crond]) -> None:
    """Comments are coloured on a terminal, and nowhere else; NO_COLOR keeps it plain."""
    room, _ = cronie
    room.clear()
    room.list_names("cron.allow", "@ann\n")
    text = b"# one\n* * * * * x # y\n#no end"
    room.take(put(text))
    shown = room.take(Step("-l")).stdout
    assert shown.startswith("\x1b[36m# one\x1b[0m\n* * * * * x # y\n\x1b[36m#no end\x1b[0m")
    assert "No newline at end of file" in shown
    for plain in (Step("-l", environment={"NO_COLOR": "1"}), Step("-l", piped=b"")):
        assert room.take(plain).stdout == text.decode()


def test_what_cron_logs_of_it(cronie: tuple[Room, Crond], people: People) -> None:
    """Who did it, what, and whose crontab it was, as `crontab`."""
    room, crond = cronie
    room.clear()
    name = people.ann.pw_name
    room.take(Step("-l"))
    crond.line(f": ({name}) AUTH (crontab command not allowed)", errors=True)
    for arguments, event in (("-u @ann -", "REPLACE"), ("-u @ann -l", "LIST"), ("-u @ann -r", "DELETE")):
        room.take(Step(arguments, who="root", piped=GOOD, environment={"HOME": str(room.folder)}))
        assert " crontab[" in crond.line(f": (root) {event} ({name})", errors=True)
    room.take(Step("-u @ann -e", who="root", editor=[":"]))
    assert " crontab[" in crond.line(f": (root) BEGIN EDIT ({name})", errors=True)
    assert " crontab[" in crond.line(f": (root) END EDIT ({name})", errors=True)


def test_without_a_daemon(ground: Ground, people: People) -> None:
    """What needs none works; the rest says what to do, with status 1."""
    room = Room(ground, people, our_programs(ground))
    try:
        (room.etc / "os-release").unlink()
        (room.etc / "os-release").write_text("ID=fedora\n")
        assert room.take(put(GOOD, "-T -")).status == 0
        heard = room.take(Step("-l"))
        assert heard.status == 1
        assert heard.stderr.startswith("crontab: no crond daemon answers at ")
        assert "Start one with: " in heard.stderr
        (room.etc / "os-release").write_text("ID=debian\n")
        assert room.take(put(GOOD, "-n -")).stderr.startswith("The syntax of the crontab file was")
        assert room.take(put(GOOD)).status == 1
    finally:
        room.close()
