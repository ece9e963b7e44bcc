"""What holds for the entries of one crontab: its `#: defaults`, pools and jobs, and the host's defaults.

Follows a rules down the lines, gives each entry its name and policy, and at the end applies `#: job NAME`,
which may stand anywhere. What does not fit together is told by `crond.model.relations`. Pure; called by
`crond.model.crontab`, for one crontab each.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from crond.model.annotations import Annotation, BadAnnotation, Word, read_pools, read_words, words_of
from crond.model.entry import Entry
from crond.model.host import Host
from crond.model.policy import PLAIN, Layer, Policy, policy_of
from crond.model.problem import Problem, Report, did_you_mean
from crond.model.relations import Member, check_relations
from crond.model.values import Rules

#: A user's crontab may be of any size, and nobody else shall wait until millions of its words are read. An
#: item of a list is a word, and so are so many letters.
_WORDS = 100_000
_LETTERS = 40
_ERRORS = 1000
_LOST_HINTS = 100


@dataclass(frozen=True, slots=True)
class _Block:
    """What stands above one entry, and what it inherits."""

    own: Layer
    inherited: Layer


@dataclass(frozen=True, slots=True)
class _JobForm:
    """All that `#: job NAME` says of one name, and where it does first."""

    layer: Layer
    word: Word


class Scope:
    """Everything but the entries themselves; see the module."""

    def __init__(self, rules: Rules, host: Host, report: Report) -> None:
        self.pools: dict[str, int] = {}
        self._host_pools = host.pools
        self._rules = rules
        self._report_to = report
        self._words = _WORDS
        self._gave_up = False
        self._errors = _ERRORS
        self._inherited: Layer = host.defaults
        #: That of every entry without annotations of its own: one value for all of them.
        self.policy = policy_of(host.defaults) if host.defaults else PLAIN
        self._blocks: dict[int, _Block] = {}
        self._jobs: dict[str, _JobForm] = {}

    # --- the lines -----------------------------------------------------------------------------------

    def declare(self, annotation: Annotation) -> None:
        """Take a line that belongs to no entry."""
        form, *words = self._split((annotation,)) or [Word(annotation.line, annotation.column, "", 1)]
        match form.text:
            case "defaults":
                said = read_words(words, "defaults", self._rules, self._report)
                self._inherited = {**self._inherited, **said}
                self.policy = policy_of(self._inherited)
            case "pool":
                self._declare_pools(form, words)
            case "job":
                self._declare_job(form, words)

    def _declare_pools(self, form: Word, words: list[Word]) -> None:
        if not words:
            self._refuse(form, "a pool needs a name and a size", "for example: #: pool gpu=1")
        self.pools.update(read_pools(words, self._rules, self._report))

    def _declare_job(self, form: Word, words: list[Word]) -> None:
        if not words or "=" in words[0].text:
            self._refuse(words[0] if words else form, "which job?", "for example: #: job NAME retries=2")
            return
        name, *rest = words
        said = read_words(rest, "job", self._rules, self._report)
        before = self._jobs.get(name.text)
        self._jobs[name.text] = _JobForm(
            {**(before.layer if before else {}), **said}, before.word if before else name
        )

    def entry(
        self, number: int, block: tuple[Annotation, ...], marker: str | None
    ) -> tuple[str | None, Policy]:
        """Return name and policy of entry `number` (from 0), as far as the lines up to it tell.

        Only for entries of which there is more to say than `policy`.
        """
        own = read_words(self._split(block), "entry", self._rules, self._report) if block else {}
        self._blocks[number] = _Block(own, self._inherited)
        name = own["name"].value if "name" in own else None
        policy = policy_of(self._inherited, own) if own else self.policy
        return (name if isinstance(name, str) else marker), policy

    def _split(self, annotations: tuple[Annotation, ...]) -> list[Word]:
        """Return the words of some lines; one that cannot be split is reported, and says nothing."""
        words: list[Word] = []
        for annotation in annotations:
            if self._gave_up:
                break
            try:
                found = list(words_of(annotation))
            except BadAnnotation as error:
                text = "close the quote, or write \\ before it"
                self._report(
                    Problem(annotation.line, error.column, "error", str(error), text, "annotation-bad")
                )
                continue
            words += found
            count = sum(1 + word.text.count(",") for word in found)
            self._words -= max(count, len(annotation.text) // _LETTERS) + 1
            if self._words <= 0 and not self._rules.root:
                self._give_up(annotation.line, "too many annotations")
                return []
        return words

    # --- the end -------------------------------------------------------------------------------------

    def settle(self, entries: list[Entry]) -> None:
        """Give each entry what `#: job` says of it, and check the whole."""
        members = list(self._members(entries))
        named: dict[str, Member] = {}
        for member in members:
            if member.name is not None:
                named.setdefault(member.name, member)
        lost = 0
        for name, form in self._jobs.items():
            if name in named:
                self._apply(named[name], form.layer, entries)
            else:
                lost += 1
                near = did_you_mean(name, named) if lost <= _LOST_HINTS else ""
                hint = near or "its name is name= above it, or a marker"
                text = f"no entry of this crontab is called {name[:64]!r}"
                self._report(
                    Problem(form.word.line, form.word.column, "warning", text, hint, "annotation-lost")
                )
        pools = {**self._host_pools, **self.pools}
        check_relations(list(self._members(entries)), pools, self._report)

    def _apply(self, member: Member, layer: Layer, entries: list[Entry]) -> None:
        block = self._blocks[member.number]
        self._blocks[member.number] = replace(block, own={**layer, **block.own})
        policy = policy_of(block.inherited, layer, block.own)
        entries[member.number] = replace(
            entries[member.number], policy=policy, schedule=policy.schedule or entries[member.number].schedule
        )

    def _members(self, entries: list[Entry]) -> Iterator[Member]:
        for number, block in self._blocks.items():
            if number < len(entries):
                yield Member(number, entries[number], block.own)

    # --- problems ------------------------------------------------------------------------------------

    def _refuse(self, word: Word, message: str, hint: str) -> None:
        self._report(Problem(word.line, word.column, "error", message, hint, "annotation-bad"))

    def _report(self, problem: Problem) -> None:
        if problem.severity == "error":
            self._errors -= 1
            if self._errors == 0:
                self._give_up(problem.line, "too many errors in annotations")
        self._report_to(problem)

    def _give_up(self, line: int, message: str) -> None:
        self._gave_up = True
        hint = "annotations from here on are not read"
        self._report_to(Problem(line, 1, "error", message, hint, "annotation-bad"))
