"""What a host's settings say of every crontab: TOML's values as annotations write them, and read back."""

from __future__ import annotations

import tomllib

import pytest

from crond.model.crontab import parse_crontab
from crond.model.host import Host, pairs_of, problems_of_defaults, problems_of_pools, read_host
from crond.model.policy import PLAIN, Policy, policy_of

LINE = "0 6 * * * true\n"


def policy(text: str) -> Policy:
    """The policy of a plain entry under the defaults in `text`, which are right."""
    section = tomllib.loads(text)
    assert list(problems_of_defaults(section)) == []
    return policy_of(read_host(pairs_of(section), ()).defaults)


def problems(text: str) -> list[str]:
    return list(problems_of_defaults(tomllib.loads(text)))


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("retries = 2\nretry_backoff = 1.5", Policy(retries=2, retry_backoff=1.5)),
        ("retries = '2'\ntimeout = '10m'", Policy(retries=2, timeout=600)),
        ("fail_on_output = true\nenabled = false", Policy(fail_on_output=True, enabled=False)),
        ("success_codes = [0, 3]\ntags = ['a', 'b']", Policy(success_codes=(0, 3), tags=("a", "b"))),
        ("tags = 'a,b'", Policy(tags=("a", "b"))),
        ("on_failure = ['ops@h.example', 'json://h/a,b']", Policy(on_failure=("ops@h.example", "json://h/a,b"))),
        ("starts_at = 2026-11-29T07:00:00", policy("starts_at = '2026-11-29T07:00'")),
        ("starts_at = 2026-11-29", policy("starts_at = '2026-11-29'")),
        ("tags = []\nretries = 'none'", PLAIN),
    ],
)  # fmt: skip
def test_values_of_toml(text: str, wanted: Policy) -> None:
    """A string is what an annotation would say; numbers, truths, lists and dates where they mean the same."""
    assert policy(text) == wanted


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("retires = 2", "retires: unknown key 'retires'; did you mean retries?"),
        ("name = 'x'", "name: name cannot stand in #: defaults; put it above its entry"),
        ("depends_on = 'x'", "depends_on: depends_on cannot stand in #: defaults; put it above its entry"),
        ("schedule = '@after'", "schedule: schedule cannot stand in #: defaults; put it above its entry"),
        ("ping = 'x'", "ping: ping cannot stand in #: defaults; put it above its entry"),
        ("condition = 'x'", "condition: condition cannot stand in #: defaults; put it above its entry"),
        ("retries = true", "retries: bad retries ''; it takes a whole number, such as 3"),
        ("retries = [1, 2]", "retries: bad retries '1,2'; it takes a whole number, such as 3"),
        ("retry_backoff = inf", "retry_backoff: bad retry_backoff 'inf'; it takes a number of at least 1"),
        ("on_failure = 'x//me:hunter2 @h'", "on_failure: bad on_failure; it takes a URL"),
        ("retries = { x = 1 }", "retries: must be a value, not a section"),
        (f"tags = '{'a,' * 9000}a'", "is longer than 16 KiB"),
    ],
)
def test_what_is_refused(text: str, problem: str) -> None:
    """Each with its key and with what it takes; secrets are not shown."""
    (found, *_) = problems(text)
    assert found.startswith(problem)


def test_too_many_values() -> None:
    """The wire has a bound, and says so here instead of in a daemon that cannot start."""
    many = ", ".join(f"'json://h/{n}'" for n in range(65))
    assert problems(f"on_failure = [{many}]") == ["has 65 values: at most 64 are read"]
    assert list(problems_of_pools({f"p{n}": 1 for n in range(257)})) == [
        "has 257 pools: at most 256 are read"
    ]


@pytest.mark.parametrize(
    ("section", "problem"),
    [
        ({"gpu": 0}, "gpu: bad pool 'gpu=0'; NAME=SLOTS: a whole number of at least 1"),
        ({"g u": 1}, "g u: bad pool 'g u=1'; NAME=SLOTS: a whole number of at least 1"),
        ({"gpu": True}, "gpu: bad pool 'gpu='; NAME=SLOTS: a whole number of at least 1"),
        ({"gpu": {}}, "gpu: must be a value, not a section"),
    ],
)
def test_wrong_pools(section: dict[str, object], problem: str) -> None:
    assert list(problems_of_pools(section)) == [problem]


def test_every_entry_is_reached() -> None:
    """One line for a host, also for entries without any annotation; what a crontab says counts more."""
    host = read_host((("on_failure", "ops@h.example"), ("retries", "3")), ())
    text = f"{LINE}#: retries=1\n{LINE}#: defaults retries=none\n{LINE}#: on_failure=none\n{LINE}"
    table = parse_crontab(text, extensions=True, host=host)
    told = ("ops@h.example",)
    assert [entry.policy for entry in table.entries] == [
        Policy(on_failure=told, retries=3), Policy(on_failure=told, retries=1), Policy(on_failure=told),
        PLAIN,
    ]  # fmt: skip
    assert parse_crontab(LINE, host=host).entries[0].policy is PLAIN


def test_pools_of_the_host_are_known() -> None:
    """They may be named, their size counts, and they stay apart from the file's, which go before them."""
    host = read_host((), (("gpu", "2"), ("db", "1")))
    assert host == Host({}, {"gpu": 2, "db": 1})
    text = f"#: pool db=5\n#: pool=gpu pool_slots=2\n{LINE}#: pool=db pool_slots=5\n{LINE}"
    table = parse_crontab(text, extensions=True, host=host)
    assert not table.problems
    assert dict(table.pools) == {"db": 5}
    (problem,) = parse_crontab(f"#: pool=gpu pool_slots=3\n{LINE}", extensions=True, host=host).errors
    assert problem.message == "3 slots of 'gpu' are never free: the pool has 2"
    (problem,) = parse_crontab(f"#: pool=gpu\n{LINE}", extensions=True).problems
    assert (problem.severity, problem.code) == ("warning", "annotation-elsewhere")
