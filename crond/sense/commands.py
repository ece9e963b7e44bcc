"""Rules about commands: percent signs, redirections, passwords, programs that are not found.

Judges only what `crond.sense.shell` surely understood, and stops looking for programs where the command
itself asks whether they are there, or changes its PATH. Pure; called by `crond.sense.judge`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from crond.model.crontab import Problem
from crond.sense.rules import finding
from crond.sense.scene import Command, Scene
from crond.sense.secrets import masked, secret_spans
from crond.sense.shell import Simple, read_commands

_BUILTIN_WORDS = """
    . : [ alias bg bind break builtin caller cd command compgen complete continue declare dirs
    disown echo enable eval exec exit export false fc fg getopts hash help history jobs kill let
    local logout mapfile popd printf pushd pwd read readarray readonly return set shift shopt source
    suspend test times trap true type typeset ulimit umask unalias unset wait
"""
_BUILTINS = frozenset(_BUILTIN_WORDS.split())
#: After one of these nobody can say what a name means, or whether it is reached.
_ENDS_THE_SEARCH = frozenset((".", "source", "eval", "alias", "set", "exec", "exit", "return", "builtin"))
_ASKS = frozenset(("[", "test", "command", "which", "type", "hash", "whereis"))
#: Where programs lie that a login shell finds.
_USUAL = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/snap/bin"
_OUTPUT_DEVICES = frozenset(
    f"{place}{name}"
    for place in ("/dev/", "/proc/self/fd/", "/dev/fd/")
    for name in ("stdout", "stderr", "1", "2")
)
_MEANT_AS_ARGUMENT = (
    re.compile(r"\bdate\b[^|;&]*\s[\"']?\+[^\s]*$"),
    re.compile(r"\bprintf\s+(?:--\s+)?\S*$"),
)
_IN_URL = re.compile(r"%[0-9A-Fa-f]{2}")
_NEAR = 40


def command_findings(scene: Scene) -> Iterator[Problem]:
    """Yield what is odd about the commands of `scene`."""
    for command in scene.commands:
        yield from _percent(command)
        for part, following in _with_operator(command.parts or ()):
            yield from _redirections(scene, command, part, following)
        yield from _Search(scene, command).findings()
    yield from _passwords(scene)


def _with_operator(parts: tuple[Simple, ...]) -> Iterator[tuple[Simple, str]]:
    """Yield each simple command with the operator after it."""
    for at, part in enumerate(parts):
        yield part, parts[at + 1].after if at + 1 < len(parts) else ""


def _percent(command: Command) -> Iterator[Problem]:
    at, whole = command.percent, command.entry.raw
    if at is None:
        return
    word = re.split(r"\s", command.raw)[-1]
    cut = read_commands(command.raw) is None and read_commands(whole) is not None
    if (
        cut
        or any(form.search(command.raw) for form in _MEANT_AS_ARGUMENT)
        or ("://" in word and _IN_URL.match(whole, at))
    ):
        got = masked(command.raw)[-_NEAR:]
        text = f"the command ends at this %: the shell gets {got!r}, the rest becomes its standard input"
        hint = "write \\% for a percent sign in a command"
        yield finding("percent-unescaped", command.entry.line, command.column + at, text, hint)


def _redirections(scene: Scene, command: Command, part: Simple, following: str) -> Iterator[Problem]:
    line, column = command.entry.line, command.column
    piped = following in ("|", "|&")
    joined = None
    for one in part.redirections:
        if one.sign == ">&" and one.fd == 2 and one.target.text == "1":
            joined = one
        elif joined is not None and one.fd == 1 and one.sign in (">", ">>", ">|") and not piped:
            text = (
                f"errors do not go to {masked(one.target.raw)}: 2>&1 comes before the redirection of output"
            )
            hint = f"{one.sign}{masked(one.target.raw)} 2>&1"
            yield finding("redirect-order", line, column + joined.start, text, hint)
            joined = None
        if (
            one.target.text in _OUTPUT_DEVICES
            and one.sign in (">", ">>", ">|")
            and not (piped or part.inside)
        ):
            root = scene.as_root(command.entry)
            if root and one.sign == ">>":
                continue
            does = "cuts off what was written before" if root else "is refused, since that file is not yours"
            text = f"output is captured in a file, and opening {one.target.text} opens it anew: this {does}"
            hint = f"write >&{2 if one.target.text.endswith(('err', '2')) else 1}"
            yield finding("redirect-device", line, column + one.start, text, hint)


def _passwords(scene: Scene) -> Iterator[Problem]:
    places = [(entry.line, False) for entry in scene.entries]
    places += [(assignment.line, True) for assignment in scene.assignments]
    for number, setting in places:
        for start, _ in sorted(secret_spans(scene.lines[number - 1]))[:1]:
            seen = "each mail of cron's" if setting else "the list of processes, in logs and in cron's mail"
            text = f"a password stands here; it can be read in {seen}"
            hint = "let the command read it from a file that only its user may read"
            yield finding("password-shown", number, start + 1, text, hint)


class _Search:
    """Looks for the programs of one command, until nothing is sure any more."""

    def __init__(self, scene: Scene, command: Command) -> None:
        self._scene = scene
        self._command = command
        self._path = scene.path_of(command.entry)
        self._moved = False
        # A relative folder depends on where the job is, and a shell may expand ~ in it, but never a $.
        self._sure = all(folder.startswith(("/", "$")) for folder in self._path.split(":"))

    def findings(self) -> Iterator[Problem]:
        for part in self._command.parts or ():
            if any(word.raw.startswith("PATH") for word in part.assignments):
                return
            name = part.name
            if name is None:
                if part.words:
                    return
                continue
            yield from self._program(part, name)
            exported = name in ("export", "readonly") and any(w.raw.startswith("PATH") for w in part.words)
            if name in _ENDS_THE_SEARCH | _ASKS or exported:
                return
            self._moved = self._moved or name in ("cd", "pushd")

    def _program(self, part: Simple, name: str) -> Iterator[Problem]:
        if not name or name in _BUILTINS or part.words[0].raw in ("for", "in", "do"):
            return
        if name.startswith("/"):
            if not self._scene.host.is_program(name):
                yield self._found("command-unknown", part, f"there is no program {name} on this host")
        elif "/" in name:
            if not self._moved:
                text = f"{name} is looked for from the home of the user that runs it"
                yield self._found("script-relative", part, text, "write the whole path")
        elif self._sure and self._scene.find_program(name, self._path) is None:
            yield self._missing(part, name)

    def _missing(self, part: Simple, name: str) -> Problem:
        usual = self._scene.find_program(name, _USUAL)
        if usual is not None:
            text = f"{name} is {usual}, but PATH is {self._path} here"
            folders = dict.fromkeys((usual.rpartition("/")[0], "/usr/bin", "/bin"))
            hint = f"write {usual}, or above this line: PATH={':'.join(folders)}"
            return self._found("command-off-path", part, text, hint)
        first = part is (self._command.parts or (None,))[0]
        if (
            first
            and not self._scene.system
            and self._may_be_command(part)
            and self._scene.host.has_account(name)
        ):
            text = f"{name!r} would be run as a program: this crontab has no user column"
            return self._found(
                "user-extra", part, text, "leave it out; or check a system crontab with --system"
            )
        return self._found("command-unknown", part, f"there is no program {name!r} on this host")

    def _may_be_command(self, part: Simple) -> bool:
        """True if what follows the first word may be a command: an option of `backup --all` is none."""
        return len(part.words) > 1 and not (part.words[1].text or "").startswith("-")

    def _found(self, code: str, part: Simple, text: str, hint: str = "") -> Problem:
        column = self._command.column + part.words[0].start
        return finding(code, self._command.entry.line, column, text, hint)
