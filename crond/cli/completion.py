"""The verb `completion`, and what the shells are offered for jobs, runs and files.

click speaks with the shells; the names come from the scheduler, which is asked briefly. Whatever goes wrong
offers nothing: a shell that waits, or shows an error, at the Tab key is worse. The verbs name these functions
for their arguments.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import click

from crond.cli.failure import Failure
from crond.cli.format import printable

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

SHELLS = ("bash", "zsh", "fish")
#: click's name for the variable in which a shell asks.
VARIABLE = "_CRONTABX_COMPLETE"
#: Seconds that the scheduler is given.
_PATIENCE = 0.7
_RUNS = "50"


@click.command(short_help="Print what completes crontabx in your shell.")
@click.argument("shell", type=click.Choice(SHELLS))
@click.pass_context
def completion(context: click.Context, *, shell: str) -> None:
    """Print the script with which SHELL completes verbs, options, and the names of jobs and runs.

    Put into ~/.bashrc: eval "$(crontabx completion bash)"; into ~/.zshrc, after compinit, the same with zsh;
    into ~/.config/fish/config.fish: crontabx completion fish | source.
    """
    from click.shell_completion import get_completion_class

    kind = get_completion_class(shell)
    assert kind is not None, shell
    click.echo(kind(context.find_root().command, {}, "crontabx", VARIABLE).source())


def jobs(context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Offer the jobs: by name, or by OWNER/NAME where that is begun or the name alone says too little."""
    return _jobs([job for job in _asked(context, "names", "names") if isinstance(job, str)], incomplete)


def paused(context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Offer the jobs that are paused, as `jobs` does."""
    held = _asked(context, "status", "paused")
    return _jobs([str(one.get("job")) for one in held if isinstance(one, dict)], incomplete)


def muted(context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Offer the jobs that are muted, as `jobs` does."""
    held = _asked(context, "status", "muted")
    return _jobs([str(one.get("job")) for one in held if isinstance(one, dict)], incomplete)


def pipelines(context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Offer the names of pipelines."""
    held = _asked(context, "graph", "jobs")
    names = {str(one.get("pipeline")): None for one in held if isinstance(one, dict) and one.get("pipeline")}
    return _items((name, None) for name in names if name.startswith(incomplete))


def _jobs(ids: list[str], incomplete: str) -> list[CompletionItem]:
    names = [job.partition("/")[2] for job in ids]
    told = [
        job if "/" in incomplete or names.count(name) > 1 else name
        for job, name in zip(ids, names, strict=True)
    ]
    return _items((name, None) for name in told if name.startswith(incomplete))


def runs(context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Offer the runs that the scheduler remembers, newest first, with the job of each."""
    held = _asked(context, "runs", "runs", count=_RUNS)
    told = [(str(run.get("id")), printable(str(run.get("job")))) for run in held if isinstance(run, dict)]
    return _items((run, job) for run, job in told if run.startswith(incomplete))


def jobs_and_runs(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Offer both; runs only once one is begun, since nobody knows an id by heart."""
    found = jobs(context, parameter, incomplete)
    return found + (runs(context, parameter, incomplete) if incomplete else [])


def one_shots(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Offer the one-shots where they are named, which is behind -r."""
    from crond.model.oneshots import PREFIX

    if not context.params.get("remove"):
        return []
    return [item for item in jobs(context, parameter, incomplete) if item.value.startswith(PREFIX)]


def runs_and_jobs(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Offer both, the runs first: it is mostly one of the newest that is meant."""
    return runs(context, parameter, incomplete) + jobs(context, parameter, incomplete)


def files(_context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Let the shell offer files."""
    from click.shell_completion import CompletionItem

    return [CompletionItem(incomplete, type="file")]


def files_and_jobs(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Offer jobs, and let the shell offer files where no job fits."""
    # First the files: bash forgets what it was offered before them.
    return files(context, parameter, incomplete) + jobs(context, parameter, incomplete)


def zones(_context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Offer time zones."""
    from zoneinfo import available_timezones

    return _items((zone, None) for zone in sorted(available_timezones()) if zone.startswith(incomplete))


def _items(offers: Iterable[tuple[str, str | None]]) -> list[CompletionItem]:
    from click.shell_completion import CompletionItem

    return [CompletionItem(value, help=text) for value, text in offers if _is_plain(value)]


def _is_plain(value: str) -> bool:
    """True for what a shell takes as one word and obeys nothing in: it is put on somebody's command line."""
    return value.isascii() and all(c.isalnum() or c in "._-/+@" for c in value)


def _asked(context: click.Context, verb: str, key: str, **arguments: str) -> list[Any]:
    """The list at `key` of what the scheduler says to `verb`; an empty one if it does not say it at once."""
    from crond.cli.client import SCHEDULER, Connection, find_place

    try:
        place = find_place(context.find_root().params.get("state"))
        with Connection(place, SCHEDULER, patience=_PATIENCE) as scheduler:
            scheduler.begin(verb, **arguments)
            reply = scheduler.poll(_PATIENCE)
    except Failure:
        return []
    held = None if reply is None else reply.body.get(key)
    return held if isinstance(held, list) else []
