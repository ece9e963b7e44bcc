"""Crontabs by chance: what a random source draws, as lines that can be changed one by one.

The source is any `random.Random`: a seeded one in long runs, Hypothesis' own where a failure is to shrink.
Knows the words of the language and no engine. Called by the world and by tests.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from crond.model.keys import TRIGGER_RULES

#: Times that come a few times a day at most, many of them in the hours that daylight saving moves.
SPARSE = (
    "0 6 * * *",
    "30 2 * * *",
    "10 1 * * *",
    "0 3 * * 1",
    "0 0 1 * *",
    "45 23 * * 1-5",
    "20 4 * * 0",
    "0 1-3 * * 6",
    "5 */12 * * *",
    "0 5 L * *",
    "@daily",
    "@weekly",
    "@monthly",
)
_MINUTES = ("*", "*/7", "0-59/10", "5,35", "0", "17")
_HOURS = ("*", "*/2", "1", "2", "1-3", "0-23")
_DENSE_OTHERS = ("@every 40s", "@every 1h", "@hourly")
_SPARSE_OTHERS = ("@every 1d", "@every 90000s")
#: How long what was asked for may take; a run of any of these must end within LONGEST (see `judge`).
_SHORT = ("10s", "1m", "5m", "30m")


@dataclass(slots=True)
class Line:
    """One entry. `keys` are its annotations; `options` stand before its command."""

    command: str
    time: str
    name: str = ""
    zone: str = ""
    options: str = ""
    keys: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Crontab:
    """A crontab that can be written down at any moment.

    `annotated`: with what no other cron has. `sparse`: due a few times a day, for worlds of years.
    """

    random: random.Random
    annotated: bool
    sparse: bool
    lines: list[Line] = field(default_factory=list)
    pools: dict[str, int] = field(default_factory=dict)
    defaults: dict[str, str] = field(default_factory=dict)
    times: tuple[str, ...] = ()
    named: int = 0

    def text(self) -> str:
        """Write it down."""
        told = [f"#: pool {name}={size}" for name, size in self.pools.items()]
        if self.defaults:
            told.append(f"#: defaults {_words(self.defaults)}")
        zone = ""
        for line in self.lines:
            if line.zone != zone:
                zone = line.zone
                told.append(f"CRON_TZ={zone}")
            keys = {"name": line.name, **line.keys} if line.name else line.keys
            if keys:
                told.append(f"#: {_words(keys)}")
            told.append(f"{line.time} {line.options}{line.command}")
        return "\n".join(told) + "\n"

    # --- how it comes to be, and changes -----------------------------------------------------------------

    def grow(self, size: int) -> None:
        """Draw everything anew, with `size` lines."""
        self.times = tuple(self.random.sample(SPARSE, 4) if self.sparse else self._dense(4))
        if self.annotated:
            self.pools = {f"pool{n}": self.random.randrange(1, 4) for n in range(self.random.randrange(3))}
        if self.annotated and self.random.random() < 0.3:
            self.defaults["alert_cooldown"] = self.random.choice(("10m", "2h"))
        self.lines = []
        for _ in range(size):
            self.add()

    def add(self) -> None:
        """One more line, anywhere."""
        self.named += 1
        name = f"j{self.named}" if self.annotated and self.random.random() < 0.9 else ""
        line = Line(name or f"c{self.random.randrange(9)}", self._time(), name)
        if self.random.random() < 0.1:
            line.options = "-s "
        # CRON_TZ holds for all lines below it: such a line stands first, or others would follow it.
        if self.random.random() < 0.1:
            line.zone = self.random.choice(("Asia/Seoul", "UTC", "Europe/Berlin"))
        self._annotate(line)
        self.lines.insert(0 if self.random.random() < 0.2 else len(self.lines), line)

    def change(self) -> str:
        """Do to it what people do to crontabs; return what that was."""
        changes = [self.add, self._remove, self._move, self._reschedule]
        if self.annotated:
            changes += [self._rename, self._rethink, self._rethink, self._break, self._resize]
        change = self.random.choice(changes)
        change()
        return change.__name__.strip("_")

    def _remove(self) -> None:
        if len(self.lines) > 1:
            self.lines.pop(self.random.randrange(len(self.lines)))

    def _move(self) -> None:
        self.lines.insert(0, self.lines.pop(self.random.randrange(len(self.lines))))

    def _reschedule(self) -> None:
        self._any().time = self._time()

    def _rename(self) -> None:
        self.named += 1
        self._any().name = f"j{self.named}"

    def _rethink(self) -> None:
        line = self._any()
        line.keys = {}
        self._annotate(line)

    def _break(self) -> None:
        """A mistake: of a key or a value, a parent that is not there, or jobs that wait for each other."""
        line = self._any()
        kind = self.random.randrange(4)
        if kind == 0:
            line.keys["retires"] = "2"
        elif kind == 1:
            line.keys["timeout"] = "soon"
        elif kind == 2:
            line.keys["depends_on"] = "nobody"
        elif line.name and len(self.lines) > 1:
            other = self._any()
            if other.name and other is not line:
                line.keys["depends_on"], other.keys["depends_on"] = other.name, line.name

    def _resize(self) -> None:
        for name in self.pools:
            self.pools[name] = self.random.randrange(1, 4)

    def _any(self) -> Line:
        return self.lines[self.random.randrange(len(self.lines))]

    # --- what a line says --------------------------------------------------------------------------------

    def _dense(self, count: int) -> list[str]:
        return [f"{self.random.choice(_MINUTES)} {self.random.choice(_HOURS)} * * *" for _ in range(count)]

    def _time(self) -> str:
        """Most lines share their time with others."""
        chance = self.random.random()
        if chance < 0.75:
            return self.random.choice(self.times)
        if chance < 0.8:
            return "@reboot"
        if chance < 0.85:
            return self.random.choice(
                ("@at 2026-03-08T03:05", "@at 2026-11-01T01:30", "@at 2026-07-01T12:00:20")
            )
        if chance < 0.9:
            return self.random.choice(_SPARSE_OTHERS if self.sparse else _DENSE_OTHERS)
        return self.random.choice(SPARSE) if self.sparse else self._dense(1)[0]

    def _annotate(self, line: Line) -> None:
        if not self.annotated:
            return
        for draw in (_after, _tries, _limits, _timing, _processes, _alerts):
            draw(self, line)


def _after(crontab: Crontab, line: Line) -> None:
    """What it waits for. Its parents stand before it, or it would wait for itself."""
    source, keys = crontab.random, line.keys
    elders = []
    for other in crontab.lines:
        if other is line:
            break
        if other.name:
            elders.append(other)
    if elders and source.random() < 0.55:
        parents = source.sample(elders, source.randrange(1, min(4, len(elders)) + 1))
        wants = ("", "", "", "", ":failed", ":done", ":exit=10")
        keys["depends_on"] = ",".join(parent.name + source.choice(wants) for parent in parents)
        if source.random() < 0.6:
            keys["trigger_rule"] = source.choice([*TRIGGER_RULES])
        if source.random() < 0.4:
            keys["depends_timeout"] = source.choice(("1m", "1h", "6h"))
        if source.random() < 0.4:
            keys["schedule"] = "@after"
        else:
            line.time = parents[0].time if source.random() < 0.7 else line.time
    if source.random() < 0.1:
        keys["depends_on_past"] = "yes"


def _tries(crontab: Crontab, line: Line) -> None:
    source, keys = crontab.random, line.keys
    if source.random() < 0.4:
        keys["retries"] = str(source.randrange(1, 4))
        keys["retry_delay"] = source.choice(("0", *_SHORT))
        if source.random() < 0.5:
            keys["retry_backoff"] = source.choice(("1.5", "2", "10"))
            keys["retry_max_delay"] = source.choice(("2m", "1h"))
        if source.random() < 0.3:
            keys["retry_jitter"] = source.choice(_SHORT)
        if source.random() < 0.3:
            keys["retry_on"] = source.choice(
                ("exit", "timeout,signal", "exit,lost", "2", "exit,timeout,signal,lost")
            )
    if source.random() < 0.2:
        keys["success_codes"] = source.choice(("0", "0,2", "3"))
    if source.random() < 0.2:
        keys["skip_codes"] = source.choice(("99", "3", "2,99"))


def _limits(crontab: Crontab, line: Line) -> None:
    source, keys = crontab.random, line.keys
    if source.random() < 0.3:
        keys["timeout"] = source.choice(_SHORT)
        keys["kill_timeout"] = source.choice(("0", "3s", "10s"))
    if source.random() < 0.4:
        keys["concurrency"] = source.choice(("forbid", "replace", "queue", "allow"))
        if source.random() < 0.3:
            keys["max_instances"] = str(source.randrange(1, 4))
    if crontab.pools and source.random() < 0.35:
        keys["pool"] = source.choice(list(crontab.pools))
        keys["pool_slots"] = str(source.randrange(1, crontab.pools[keys["pool"]] + 1))
        if not crontab.sparse:
            keys["start_deadline"] = "30m"  # or thousands would wait for who hangs
        if source.random() < 0.5:
            keys["priority"] = str(source.randrange(-2, 3))


def _timing(crontab: Crontab, line: Line) -> None:
    source, keys = crontab.random, line.keys
    if source.random() < 0.15:
        keys["jitter"] = source.choice(_SHORT)
    if source.random() < 0.2:
        keys["catchup"] = source.choice(("none", "latest", "all"))
        keys["catchup_window"] = source.choice(("1h", "1d"))
    if source.random() < 0.15:
        keys["start_deadline"] = source.choice(("1m", "10m", "3h"))
    if source.random() < 0.08:
        keys["starts_at"] = source.choice(("2026-01-01", "2026-06-01T12:00"))
    if source.random() < 0.08:
        keys["expires_at"] = source.choice(("2026-11-15", "2027-01-01T00:00"))
    if source.random() < 0.04:
        keys["enabled"] = "no"
    if source.random() < 0.1:
        keys["timezone"] = source.choice(("Asia/Seoul", "Australia/Lord_Howe", "UTC"))


def _processes(crontab: Crontab, line: Line) -> None:
    source, keys = crontab.random, line.keys
    if source.random() < 0.15:
        keys["condition"] = "test x"
    if source.random() < 0.12:
        keys["wait_for"] = "test y"
        keys["wait_interval"] = source.choice(("10s", "1m", "10m"))
        keys["wait_timeout"] = source.choice(("1m", "1h"))
    if source.random() < 0.05:
        keys["fail_on_output"] = "yes"
    if source.random() < 0.05:
        keys["max_load"] = "2.5"


def _alerts(crontab: Crontab, line: Line) -> None:
    """Who is told, and what is promised."""
    source, keys = crontab.random, line.keys
    if crontab.sparse and source.random() < 0.7:
        return  # or years would pass with telling
    if source.random() < 0.5:
        keys["on_failure"] = source.choice(("ops", "ops,boss@example.com", "json://localhost/x"))
        if source.random() < 0.3:
            keys["alert_after"] = source.choice(("2", "3"))
    for event, chance in (("retry", 0.2), ("success", 0.2), ("recovery", 0.15), ("skip", 0.15)):
        if source.random() < chance:
            keys[f"on_{event}"] = source.choice(("ops", "log", "ops,log"))
    if source.random() < 0.2:
        keys["ping"] = "https://hc.example/1"
    if source.random() < 0.3:
        keys["on_late"] = source.choice(("ops", "log"))
        for promise in ("late_after", "warn_runtime", "max_time_since_success"):
            if source.random() < 0.6:
                keys[promise] = source.choice(("1m", "10m", "2h", "3d"))


def _words(keys: dict[str, str]) -> str:
    told = []
    for key, value in keys.items():
        # Who is told is said one by one.
        values = value.split(",") if key.startswith("on_") else [value]
        told += [f"{key}='{one}'" if " " in one else f"{key}={one}" for one in values]
    return " ".join(told)
