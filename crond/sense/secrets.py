"""Where a line of a crontab shows a password: for the rule that says so, and for hiding it in reports.

Only forms that are surely a password given as it is; one that is read from a variable or a file is none.
Pure; called by the rules and by whoever shows a crontab's line.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from crond.model.annotations import is_annotation

#: What is no secret: nothing, an expansion, a path, a small number, a yes or no.
_HARMLESS = r"(?!['\"]?(?:\d{1,4}|true|false|yes|no|none|null)['\"]?(?:\s|$))"
_VALUE = _HARMLESS + r"(?P<secret>'[^'$`]+'|\"[^\"$`]+\"|[^\s'\"$`/;&|<>()~][^\s'\"$`;&|<>()]*)"
_NAMES = r"[A-Z0-9_]*(?:PASSWORD|PASSWD|PASSPHRASE|SECRET|SECRET_KEY|API_?KEY|TOKEN|MYSQL_PWD)"
_FORMS = tuple(
    re.compile(pattern, flags)
    for pattern, flags in (
        (rf"(?:^|[\s;&|(\"']){_NAMES}\s*=\s*{_VALUE}", re.ASCII | re.IGNORECASE),
        (rf"\s--?(?:password|passwd|passphrase|api-?key|token|secret)(?:=|\s+(?!-)){_VALUE}", re.ASCII),
        # Not to the line's end: with a program's name in each word that would take minutes.
        (rf"\b(?:mysql(?:dump|admin|import|check)?|mariadb(?:-\w+)?)\s(?:[^|;&]{{0,1000}}?\s)?-p{_VALUE}",
         re.ASCII),
        (rf"\bsshpass\s+-p\s*{_VALUE}", re.ASCII),
        (r"\w://[^\s/:@'\"$]*:(?P<secret>[^\s/@'\"$]+)@[\w\[]", re.ASCII),
    )
)  # fmt: skip

#: In annotations any part of a URL may be a token, and a secret stands elsewhere or is a mistake.
_ANNOTATED = (
    re.compile(r"\b(?:on_[a-z]+|ping)=['\"]?[A-Za-z][A-Za-z0-9+.-]*://(?P<secret>[^\s'\"]+)", re.ASCII),
    re.compile(r"\bsecret_env=['\"]?(?:\w+=)?+(?!file:|env:)(?P<secret>[^\s'\"]+)", re.ASCII),
)


def secret_spans(line: str) -> Iterator[tuple[int, int]]:
    """Yield (start, end) of each password in `line`, in order of the rules."""
    for form in _FORMS:
        for found in form.finditer(line):
            yield found.span("secret")


def masked(line: str) -> str:
    """Return `line` with every password, and in an annotation every address, as asterisks: columns stay."""
    spans = [*secret_spans(line)]
    if is_annotation(line.lstrip(" \t")):
        spans += (found.span("secret") for form in _ANNOTATED for found in form.finditer(line))
    for start, end in spans:
        line = line[:start] + "*" * (end - start) + line[end:]
    return line
