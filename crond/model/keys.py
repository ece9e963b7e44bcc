"""The keys that annotations know, as one table.

The reader, its messages, `check --explain`, the reference page, the man page and the syntax files of editors
all come from here: a key is added in this table and in `crond.model.policy`, and nowhere else. Pure data.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from crond.model.values import (
    CODES,
    COMMAND,
    COUNT,
    DAYS,
    DAYS_OFF,
    DEPENDENCIES,
    DURATION,
    FACTOR,
    INTEGER,
    IONICE,
    LOAD,
    MOMENT,
    NAME,
    NAMES,
    NICE,
    NUMBER,
    PATH,
    PERCENT,
    PERIOD,
    PINGS,
    RETRY_ON,
    SCHEDULE,
    SECRETS,
    SIGNAL,
    SIZE,
    TARGETS,
    TEXT,
    UMASK,
    VARIABLES,
    YES_NO,
    ZONE,
    Form,
    one_of,
)  # fmt: skip

#: Where a key may stand: above its entry, in `#: defaults` or in `#: job NAME`.
Place = Literal["entry", "defaults", "job"]

#: Airflow's names, and what each means for a job whose parents have ended so.
TRIGGER_RULES = {
    "all_success": "All have succeeded. One that failed makes it `upstream_failed`, one that was skipped"
    " makes it"
    " `skipped`.",
    "all_failed": "All have failed. One that succeeded or was skipped makes it `skipped`.",
    "all_done": "All have ended, however.",
    "all_skipped": "All were skipped. Any other end makes it `skipped`.",
    "one_success": "One has succeeded; the others are not waited for. If all were skipped it is `skipped`,"
    " if none"
    " succeeded it is `upstream_failed`.",
    "one_failed": "One has failed; the others are not waited for. If none did it is `skipped`.",
    "one_done": "One has succeeded or failed. If all were skipped it is `skipped`.",
    "none_failed": "All have ended, and none failed.",
    "none_failed_min_one_success": "As `none_failed`, and one has succeeded; if all were skipped it is"
    " `skipped`."
    " For what joins branches.",
    "none_skipped": "All have ended, and none was skipped; else it is `skipped`.",
    "all_done_min_one_success": "All have ended, none was skipped (else it is `skipped`) and one has"
    " succeeded"
    " (else it is `upstream_failed`).",
    "always": "It waits for nobody.",
}


@dataclass(frozen=True, slots=True)
class Key:
    """One key. `default` is how it would be written, "" where without the key there is nothing.

    `says` is a sentence for people with `{}` in the place of the value. `needs` names the key without which
    it has no effect.
    """

    name: str
    form: Form
    default: str
    meaning: str
    says: str
    needs: str = ""
    places: tuple[Place, ...] = ("entry", "defaults", "job")

    def sentence(self, value: object) -> str:
        """Return what `value` means, for a person."""
        return self.says.format(self.form.said(value))


@dataclass(frozen=True, slots=True)
class Section:
    """Keys that belong together."""

    title: str
    keys: tuple[Key, ...]


_OWN: tuple[Place, ...] = ("entry", "job")

SECTIONS = (
    Section("Which job", (
        Key("name", NAME, "", "What the job is called, in commands, in the history and by jobs that depend on"
            " it. Its runs belong together under this name, wherever the line moves. Without it, a"
            " configuration manager's marker or the command names the job.", "It is called {}.",
            places=("entry",)),
        Key("description", TEXT, "", "What the job is for.", "It is for: {}."),
        Key("owner", TEXT, "", "Who looks after it. Who may see and touch it is not changed by this.",
            "It is looked after by {}."),
        Key("tags", NAMES, "", "Words to find jobs by.", "It is tagged {}."),
    )),
    Section("When", (
        Key("schedule", SCHEDULE, "", "Replaces the time of the line, which other crons go on using: `@after`"
            " (when the jobs in `depends_on` have ended), `@every 15s`, `@at 2026-11-29T07:00` or cron's"
            " fields.", "Its time is {}, not that of its line.", places=_OWN),
        Key("timezone", ZONE, "",
            "The zone of its times, with cron's care for daylight saving applied in it.",
            "Its times are those of {}."),
        Key("jitter", DURATION, "0", "Starts up to this much later, by a time that stays the same for one job"
            " on one host. The instant that the run answers does not change.", "It starts up to {} later."),
        Key("starts_at", MOMENT, "", "It is never due before this time.", "It is not due before {}."),
        Key("expires_at", MOMENT, "", "It is never due from this time on.", "It is not due from {} on."),
        Key("enabled", YES_NO, "yes", "With `no` it is loaded and listed, and never due.", "Enabled: {}."),
        Key("catchup", one_of("none", "latest", "all"), "none", "Which instants are made up that were missed"
            " while the daemon was down or the host was off or asleep. `none` is cron's own way.",
            "Of instants that were missed it makes up: {}."),
        Key("catchup_window", PERIOD, "1d", "How far back catching up goes.",
            "It makes up at most the last {}.", needs="catchup"),
        Key("start_deadline", PERIOD, "", "Counted from its instant, with all waits before the first attempt:"
            " what could not start by then is skipped.", "If it cannot start within {} it is skipped."),
        Key("skip_on", DAYS_OFF, "", "Days on which it is skipped: a file of dates, or a country's holidays.",
            "It is skipped on days of {}."),
    )),
    Section("After what", (
        Key("depends_on", DEPENDENCIES, "", "The jobs that it waits for. With `NAME:failed`, `NAME:done` or"
            " `NAME:exit=10` a parent counts as success when that holds, else as skipped. Root may name"
            " `alice/backup`.", "It waits for {}.", places=_OWN),
        Key("trigger_rule", one_of(*TRIGGER_RULES), "all_success", "Which ends of its parents let it start.",
            "It starts by the rule {}.", needs="depends_on"),
        Key("pipeline", NAME, "", "The pipeline that it belongs to: jobs that people look at together.",
            "It belongs to the pipeline {}."),
        Key("depends_timeout", PERIOD, "1d",
            "How long it waits for its parents; then one that has not ended counts as failed.",
            "It waits for its parents at most {}.", needs="depends_on"),
        Key("depends_on_past", YES_NO, "no", "It runs only if its previous run succeeded or was skipped.",
            "It runs only if its previous run succeeded or was skipped: {}."),
        Key("wait_for", COMMAND, "",
            "A command, run as the job's user again and again: when it exits with 0 the job goes on.",
            "It waits until this succeeds: {}"),
        Key("wait_interval", PERIOD, "60s", "How often `wait_for` is tried.", "It tries that every {}.",
            needs="wait_for"),
        Key("wait_timeout", PERIOD, "1h", "How long `wait_for` is tried; then the run has failed.",
            "It waits for that at most {}.", needs="wait_for"),
        Key("condition", COMMAND, "", "A command, run as the job's user once everything else is granted: 0"
            " lets it start, 1 skips it, anything else fails the run.", "It starts only if this succeeds: {}",
            places=_OWN),
        Key("params", VARIABLES, "", "The variables that `run --env` may set.",
            "By hand it can be given {}."),
    )),
    Section("How often, how many, how long", (
        Key("retries", COUNT, "0", "How many more attempts a failed run gets.",
            "If it fails it is tried again, this many times at most: {}."),
        Key("retry_delay", DURATION, "1m", "The time from a failure to the next attempt.",
            "It is tried again after {}.", needs="retries"),
        Key("retry_backoff", FACTOR, "1", "By what the delay grows with each attempt.",
            "Each delay is {} times the one before.", needs="retries"),
        Key("retry_max_delay", DURATION, "1h", "What the delay grows to at most.",
            "No delay is longer than {}.", needs="retries"),
        Key("retry_jitter", DURATION, "0", "Up to this much is added to each delay: a time that stays the"
            " same for one job, instant and attempt.", "Each delay is up to {} longer.", needs="retries"),
        Key("retry_on", RETRY_ON, "exit,timeout,signal", "What is tried again: words, and exit statuses."
            " `lost` (nobody knows how it ended) only when it is named.", "It is tried again after: {}.",
            needs="retries"),
        Key("timeout", PERIOD, "", "How long an attempt may run. Then all of its processes get `stop_signal`"
            " and, after `kill_timeout`, KILL.", "An attempt that runs for {} is stopped."),
        Key("kill_timeout", DURATION, "", "How long a job that is stopped has to end by itself; without it,"
            " what the host's settings say.",
            "When stopped it has {} to end."),
        Key("stop_signal", SIGNAL, "TERM", "The signal that stops it.", "It is stopped with {}."),
        Key("success_codes", CODES, "0", "The whole list of exit statuses that are a success.",
            "Success is to exit with {}."),
        Key("skip_codes", CODES, "", "Exit statuses that mean there was nothing to do. One that is also in"
            " `success_codes` is a success.", "It counts as skipped if it exits with {}."),
        Key("fail_on_output", YES_NO, "no", "A run that writes anything has failed.",
            "It fails if it writes anything: {}."),
        Key("concurrency", one_of("allow", "forbid", "replace", "queue"), "allow", "What happens when it is"
            " due while it runs: `allow` is cron's way, `forbid` skips the new run, `replace` stops the old"
            " one, `queue` lets one wait.", "If it is due while it runs: {}."),
        Key("max_instances", NUMBER, "1", "How many of its runs there may be at once.",
            "So many runs may be there at once: {}.", needs="concurrency"),
        Key("pool", NAME, "", "The pool whose slots it takes: one of `#: pool`, or one of the host's.",
            "It takes slots of the pool {}."),
        Key("pool_slots", NUMBER, "1", "How many slots it takes.", "It takes this many slots: {}.",
            needs="pool"),
        Key("priority", INTEGER, "0", "Who goes first when several wait for one pool: the larger number.",
            "Its priority is {}."),
        Key("max_load", LOAD, "", "It waits until the load of the host is below this.",
            "It waits for a load below {}."),
    )),
    Section("Who hears of it", (
        Key("on_failure", TARGETS, "", "Who is told when a run has failed for good, after its retries.",
            "A failure is told to {}."),
        Key("on_retry", TARGETS, "", "Who is told when it will be tried again.",
            "A retry is told to {}."),
        Key("on_success", TARGETS, "", "Who is told of each success.",
            "A success is told to {}."),
        Key("on_recovery", TARGETS, "",
            "Who is told of the first success after a failure; those of `on_failure` are told anyway.",
            "A recovery is told to {}."),
        Key("on_skip", TARGETS, "", "Who is told when a run is skipped.",
            "A skipped run is told to {}."),
        Key("on_late", TARGETS, "", "Who is told when a promise is broken (the next three keys).",
            "Lateness is told to {}."),
        Key("late_after", PERIOD, "", "Promises that it has started so soon after its instant.",
            "It is late if it has not started after {}.", needs="on_late"),
        Key("warn_runtime", PERIOD, "", "Promises that it has ended after this time.",
            "It is late if it runs longer than {}.", needs="on_late"),
        Key("max_time_since_success", PERIOD, "",
            "Promises that its last success is not longer ago than this.",
            "It is late if its last success is longer ago than {}.", needs="on_late"),
        Key("alert_after", NUMBER, "1", "Failures are told from this many in a row on.",
            "It is told of after this many failures in a row: {}.", needs="on_failure"),
        Key("alert_cooldown", DURATION, "0", "At most one message in this time; a digest follows.",
            "There is at most one message in {}."),
        Key("mail", one_of("cron", "failure", "always", "never"), "cron",
            "When its output is mailed to `MAILTO`: `cron` is whenever there is some, `failure` is when it"
            " has failed for good, `always` is even without output.",
            "Its output is mailed: {}."),
        Key("ping", PINGS, "",
            "A URL in the manner of healthchecks: it is told of each start and of each end.",
            "Starts and ends are told to {}.", places=_OWN),
    )),
    Section("Where and with what", (
        Key("env_file", PATH, "", "A file of `NAME=VALUE` lines for its environment.",
            "Its environment is read from {}."),
        Key("secret_env", SECRETS, "",
            "A variable whose value is read when it starts and masked wherever it would be shown.",
            "It is given the secret {}."),
        Key("working_dir", PATH, "", "The folder that it starts in; without it, the user's home.",
            "It starts in {}."),
        Key("umask", UMASK, "", "Its file mode mask.", "Its umask is {}."),
        Key("nice", NICE, "", "Its niceness; below 0 for root only.", "Its niceness is {}."),
        Key("ionice", IONICE, "", "Its class and level of disk access.", "Its disk access is {}."),
        Key("limit_nofile", NUMBER, "", "How many files each of its processes may have open.",
            "Each of its processes may have so many files open: {}."),
        Key("memory_max", SIZE, "", "How much memory it may use.", "It may use {} of memory."),
        Key("cpu_quota", PERCENT, "", "How much of the processors it may use.",
            "It may use {} of a processor."),
        Key("log_max_size", SIZE, "",
            "What is kept of the output of an attempt; without it, what the host's settings say.",
            "{} of each output are kept."),
        Key("keep_runs", COUNT, "",
            "How many of its outputs are kept; without it, what the host's settings say.",
            "So many of its outputs are kept: {}."),
        Key("keep_days", DAYS, "",
            "How many days its outputs are kept; without it, what the host's settings say.",
            "So many days its outputs are kept: {}."),
    )),
)  # fmt: skip

#: By name, in the order of the reference.
KEYS = {key.name: key for section in SECTIONS for key in section.keys}


def keys_for(place: Place) -> Iterable[Key]:
    """Return the keys that may stand in `place`."""
    return (key for key in KEYS.values() if place in key.places)
