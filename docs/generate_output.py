"""Writes docs/reference/output.md: what each verb of `crontabx` shows, from a real daemon.

`python docs/generate_output.py`, as root, starts the host's cron in mount and process namespaces of its own
(an empty /run, /home and /var, a copy of /etc with the account alice) and plays one morning of hers. With
`--check` it writes nothing, compares what can be the same twice, and exits with 1 if anything else was shown.
"""

from __future__ import annotations

import difflib
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from crond.cli.main import VERBS  # noqa: E402 - needs the line above
from tests.receivers.http import HttpReceiver  # noqa: E402
from tests.system.ground import Ground, made_ground  # noqa: E402

PAGE = ROOT / "docs" / "reference" / "output.md"
INSIDE = "CRONTABX_OUTPUT_FOLDER"
#: What the daemon of the page stands on: nothing of this host is seen or touched.
EMPTY = ("/run", "/home", "/var/lib", "/var/spool", "/var/log")
ACCOUNTS = {"alice": 1000, "crontabx": 999}
ZONE = "Europe/Berlin"
HOME = pathlib.Path("/home/alice")
CLIENT = "from crond.cli.entry import main; main()"
DEADLINE = 30.0
ID = re.compile(r"\b[0-9a-f]{14}\b")

FIRST = """\
#: name=backup
0 3 * * *     cp -r "$HOME/notes" "$HOME/backups/notes"
#: name=report
30 7 * * 1-5  echo "3 orders"
"""
SECOND = FIRST + "#: name=sync\n@hourly       sleep 600\n"
PIPELINE = """\
#: name=sales
0 6 * * *  test -e sales
#: name=features depends_on=sales
0 6 * * *  echo "joined"
#: name=mail depends_on=features schedule=@after
0 9 * * *  echo "sent"
"""
#: The webhook of alice's, in the morning's own network.
PORT = 8080
TOLD = f"""\
#: name=upload on_failure=json://127.0.0.1:{PORT}/cron
0 5 * * *     echo "no route to the archive"; exit 2
"""
WRONG = FIRST.replace("0 3 * * *", "0 25 * * *") + "@dayly sync\n"


@dataclass(slots=True)
class Morning:
    """A shell of alice's beside a daemon; `shown` is what came, in order."""

    ground: Ground
    shown: list[str] = field(default_factory=list)

    def say(self, text: str) -> None:
        self.shown.append(f"{text}\n\n")

    def title(self, text: str) -> None:
        self.say(f"## {text}")

    def run(self, *words: str, lines: int = 0, user: str = "alice") -> None:
        """Run `crontabx WORDS` as `user` and show what it prints, if `lines` is not 0 only so many."""
        text = self._ask(words, user).splitlines()
        cut = [*text[:lines], "..."] if 0 < lines < len(text) else text
        prompt = "$" if user == "alice" else "#"
        command = " ".join(f"'{word}'" if " " in word else word for word in words)
        block = "".join(f"    {line}".rstrip() + "\n" for line in [f"{prompt} crontabx {command}", *cut])
        self.shown.append(f"{block}\n")

    def until(self, words: tuple[str, ...], there: str, user: str = "alice") -> str:
        """Ask again until `there` is in the answer; return it."""
        deadline = time.monotonic() + DEADLINE
        while there not in (text := self._ask(words, user)):
            if time.monotonic() > deadline:
                raise SystemExit(f"crontabx {' '.join(words)} does not show {there!r} but:\n{text}")
            time.sleep(0.05)
        return text

    def _ask(self, words: tuple[str, ...], user: str = "alice") -> str:
        done = subprocess.run(
            ["runuser", "-u", user, "--", self.ground.python, "-c", CLIENT, *words],
            env=self.ground.environment(TZ=ZONE, COLUMNS="90", HOME=str(HOME), LANG="C.UTF-8"),
            cwd=HOME, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, timeout=DEADLINE, check=False,
        )  # fmt: skip
        return done.stdout


def play(alice: Morning, home: pathlib.Path) -> None:
    """Use every verb, in an order that a morning could have."""
    alice.title("Check and install a crontab")
    _install(alice, home)
    alice.title("What comes")
    _see_what_comes(alice, home)
    alice.title("What ran")
    _see_what_ran(alice, home)
    alice.title("Jobs that depend on each other")
    _run_a_pipeline(alice, home)
    alice.title("Be told")
    _be_told(alice, home)
    alice.title("Undo an edit")
    alice.run("versions")
    alice.run("diff")
    alice.run("restore", "1")
    alice.run("-r")
    alice.title("Run something once")
    _run_once(alice)
    alice.title("Keep house")
    _keep_house(alice)


def _install(alice: Morning, home: pathlib.Path) -> None:
    (home / "jobs").write_text(WRONG)
    alice.run("check", "jobs")
    (home / "jobs").write_text(FIRST)
    alice.run("check", "jobs")
    alice.run("jobs")
    alice.run("-l")


def _see_what_comes(alice: Morning, home: pathlib.Path) -> None:
    alice.run("next", "-n", "3")
    (home / "night").write_text("30 2 * * * nightly\n")
    alice.run("simulate", "night", "--from", "2026-03-28", "--until", "2026-03-30", "--timezone", ZONE)
    alice.run("explain", "0 4 13 * fri")
    alice.run("list")
    alice.run("env", "report")
    alice.run("shell", "report", "-c", "ls; umask")


def _see_what_ran(alice: Morning, home: pathlib.Path) -> None:
    alice.run("run", "--wait", "backup")
    alice.run("run", "--wait", "report")
    (home / "jobs").write_text(SECOND)
    alice.run("jobs")
    alice.until(("list",), "sync")
    alice.run("run", "sync")
    failed = ID.findall(alice.until(("history", "backup"), "failed"))[0]
    alice.until(("history", "report"), "success")
    alice.run("status")
    alice.run("top")
    alice.run("history")
    alice.run("history", "--failed")
    alice.run("show", failed)
    alice.run("why", "backup")
    alice.run("why", "report", "2026-01-01T07:30")
    alice.run("logs", "backup")
    alice.run("stats", "report")
    alice.run("stop", "sync")


def _run_once(alice: Morning) -> None:
    alice.run("at", "tomorrow 7am", "--", "cp", "notes/list", "list of today")
    alice.run("at", "-l")


def _run_a_pipeline(alice: Morning, home: pathlib.Path) -> None:
    (home / "jobs").write_text(SECOND + PIPELINE)
    alice.run("jobs")
    alice.until(("list",), "features")
    alice.run("run", "--downstream", "--wait", "sales")
    alice.run("graph", "mail")
    alice.until(("why", "mail"), "The cause")
    alice.run("why", "mail")
    (home / "sales").write_text("")
    alice.run("rerun", "--downstream", "--failed", "--wait", "sales")
    alice.until(("history", "--pipeline", "mail"), "3 success")
    alice.run("history", "--pipeline", "mail")
    alice.run("mark", "failed", "mail")
    alice.run("pause", "sales", "--note", "on holiday")
    alice.run("next", "sales")
    alice.run("resume", "sales")
    alice.run("backfill", "sales", "--from", "2026-01-05", "--to", "2026-01-07", "--dry-run")
    alice.run("backfill", "sales", "--from", "2026-01-05", "--to", "2026-01-07")


def _be_told(alice: Morning, home: pathlib.Path) -> None:
    with HttpReceiver(port=PORT) as hook:
        (home / "jobs").write_text(SECOND + TOLD)
        alice.run("jobs")
        alice.until(("list",), "upload")
        alice.run("notify", "--test")
        alice.run("run", "--wait", "upload")
        alice.until(("alerts", "--job", "upload"), "delivered")
        alice.run("alerts", "--job", "upload")
        told = hook.wait_for(2)[1].json()
        alice.say("What the webhook got, title and message:")
        lines = [told["title"], "", *told["message"].splitlines()]
        alice.shown.append("".join(f"    {line}".rstrip() + "\n" for line in lines) + "\n")
        alice.run("mute", "upload", "--for", "2h", "--note", "the archive moves")
        alice.run("run", "--wait", "upload")
        alice.until(("alerts", "--state", "muted"), "upload")
        alice.run("alerts", "--state", "muted")
        alice.run("unmute", "upload")


def _keep_house(alice: Morning) -> None:
    alice.run("prune", "--dry-run", "--keep-runs", "1")
    alice.until(("history", "sync"), "stopped")
    alice.until(("db", "status"), "up to date", user="root")
    alice.run("db", "status", user="root")
    alice.run("metrics", lines=12)
    alice.run("completion", "bash", lines=3)


def page(ground: Ground) -> str:
    """Return the page of today."""
    alice = Morning(ground)
    alice.say(
        "# What the verbs show\n\nOne morning of alice's on a host whose cron is crontabx, as it really came"
        " out of the commands. Written by\n`docs/generate_output.py`; a test plays the morning again and"
        " compares. All options are in the [reference](crontabx.md);\nwith `--json` every verb tells the same"
        " for [programs](json.md)."
    )
    with _Daemon(ground):
        play(alice, HOME)
    return "".join(alice.shown).rstrip() + "\n"


class _Daemon:
    """The host's cron, up while the context lasts."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground

    def __enter__(self) -> None:
        command = [self._ground.python, "-m", "crond.cli.daemon", "-n", "--dialect", "debian"]
        self._log = tempfile.TemporaryFile()
        self._process = subprocess.Popen(
            command, env=self._ground.environment(TZ=ZONE), cwd="/", stdin=subprocess.DEVNULL,
            stdout=self._log, stderr=self._log,
        )  # fmt: skip
        try:
            Morning(self._ground).until(("history",), "No such runs")
        except SystemExit as failed:
            self._log.seek(0)
            raise SystemExit(f"{failed}\n{self._log.read().decode(errors='replace')}") from None

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(DEADLINE)
        self._log.close()


def inside() -> str:
    """Hide the host, make the accounts, and return the page. Runs in namespaces of its own."""
    with made_ground() as ground:
        for place in EMPTY:
            subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=755", "none", place], check=True)
        etc = ground.folder / "etc"
        subprocess.run(["cp", "-a", "/etc", str(etc)], check=True)
        for name in ("crontab", "cron.allow", "cron.deny"):
            (etc / name).unlink(missing_ok=True)
        for file in (etc / "cron.d").glob("*"):
            file.unlink()
        for name, number in ACCOUNTS.items():
            for file, line in _account(name, number):
                _replace(etc / file, name, line)
        (etc / "hostname").write_text("vm\n")
        subprocess.run(["mount", "--bind", str(etc), "/etc"], check=True)
        subprocess.run(["hostname", "vm"], check=True)
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        (HOME / "notes").mkdir(parents=True)
        (HOME / "notes" / "list").write_text("buy milk\n")
        for path in (HOME, HOME / "notes"):
            os.chown(path, ACCOUNTS["alice"], ACCOUNTS["alice"])
        pathlib.Path("/var/spool/cron/crontabs").mkdir(parents=True)
        return page(ground)


def _account(name: str, number: int) -> Iterator[tuple[str, str]]:
    yield "passwd", f"{name}:x:{number}:{number}::/home/{name}:/bin/sh"
    yield "group", f"{name}:x:{number}:"
    yield "shadow", f"{name}:*:20000:0:99999:7:::"


def _replace(file: pathlib.Path, name: str, line: str) -> None:
    number = line.split(":")[2] if ":x:" in line else "none"
    kept = [held for held in file.read_text().splitlines() if not held.startswith(f"{name}:")]
    # Whoever has the number on this host would be named instead.
    kept = [held for held in kept if held.split(":")[2:3] != [number]]
    file.write_text("\n".join([*kept, line]) + "\n")


def masked(text: str) -> list[str]:
    """Return the lines of `text`, without what differs each time.

    That is: ids, instants, numbers with their units, the gaps, where prose is folded, how much memory (told
    of larger jobs only), and, within the answer to one command, the order, since which job is next depends
    on the time of day.
    """
    answers = re.split(r"\n\n(?=    [$#] |#)", text)
    return [line for answer in answers for line in sorted(_same_each_time(_unfolded(answer))) if line]


def _unfolded(answer: str) -> str:
    """Return an answer in prose with one sentence on a line: what it tells of differs in width."""
    if not answer.startswith("    $ crontabx why"):
        return answer
    command, *told = answer.splitlines()
    return "\n".join([command, *re.split(r"(?<=\.) ", _closed_up(" ".join(told)))])


def _same_each_time(text: str) -> list[str]:
    text = re.sub(r"\n +most memory .*", "", text)
    text = re.sub(r"\b[0-9a-f]{16}\b|\b[0-9a-f]{14}\b|\bat-[a-z2-9]{6}\b", "ID", text)
    text = re.sub(r"[▁▂▃▄▅▆▇█]", "*", text)
    text = re.sub(r"\bCES?T\b", "CET", text)
    text = re.sub(r"\b\d{4}-\d\d-\d\d(?:[ T]\d\d:\d\d(?::\d\d)?)?\b", "0", text)
    # A whole duration first: `21 h` and `20 h 59 min` are the same once a day.
    text = re.sub(r"\b\d[\d.]* (?:ms|s|min|h|d)\b(?: \d+ (?:s|min|h)\b)*", "0", text)
    text = re.sub(r"\b\d[\d.,:-]*(?: ?(?:(?:ms|s|min|h|d|days?|B|KB|MB|GB)\b|%))*(?: \d+)?", "0", text)
    return [_closed_up(line) for line in text.splitlines()]


def _closed_up(line: str) -> str:
    return re.sub(r"\s+", " ", line).strip()


def main(arguments: list[str]) -> int:
    """Play the morning in a namespace of its own; write the page or compare it."""
    if INSIDE in os.environ:
        pathlib.Path(os.environ[INSIDE], "page").write_text(inside())
        return 0
    if os.geteuid() != 0:
        print("only root can start the host's cron", file=sys.stderr)
        return 2
    unshare = ("unshare", "--mount", "--uts", "--net", "--pid", "--fork", "--kill-child", "--mount-proc")
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([*unshare, sys.executable, __file__], env=os.environ | {INSIDE: folder}, check=True)
        text = pathlib.Path(folder, "page").read_text()
    missing = [verb for verb in VERBS if f" crontabx {verb}" not in text]
    if missing:
        raise SystemExit(f"the morning does not use {', '.join(missing)}")
    if arguments != ["--check"]:
        PAGE.write_text(text)
        print(f"wrote {PAGE.relative_to(ROOT)}")
        return 0
    on_page, today = masked(PAGE.read_text()), masked(text)
    difference = list(difflib.unified_diff(on_page, today, "the page", "today", lineterm=""))
    print("\n".join(difference))
    return 1 if difference else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
