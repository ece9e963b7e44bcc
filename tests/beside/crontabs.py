"""The crontabs of the comparison: entries of three users and root, and files that cron must refuse.

Each entry says its name to the job, so that its starts are told from all others. The times crowd where New
York's clock is changed: 2:00 to 2:59 does not exist in spring, 1:00 to 1:59 comes twice in autumn.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

JOB = "/run/beside/job"
USERS = ("ann", "ben", "cat")

SYSTEM = """\
# /etc/crontab, much as Debian has it
SHELL=/bin/sh
PATH=/usr/local/sbin:/usr/local/bin:/sbin:/bin:/usr/sbin:/usr/bin
@reboot root @job@ s-reboot
17 *\t* * *\troot    cd / && @job@ s-17-hourly
25 6\t* * *\troot    test -x /bin/false || @job@ s-25-6; @job@ s-daily-6
*/10 * * * * root @job@ s-every-10; echo to stderr >&2
0 0 * * * @ann@ @job@ s-midnight; echo good night
30 2 * * * root @job@ s-gap-fixed
*/20 2 * * * root @job@ s-gap-wild
30 1 * * * root @job@ s-twice-fixed
*/30 1 * * * @ben@ @job@ s-twice-wild
0 3 * * * root @job@ s-after-gap; exit 3
"""

CRON_D = """\
MAILTO=@cat@
15 0-23 * * * @cat@ @job@ d-15-listed; echo quarter past
5,10,15 2 * * * @ann@ @job@ d-gap-list
0 2,3 * * * @ann@ @job@ d-gap-both
59 1,2 * * * @ben@ @job@ d-59
0-59/15 1-3 * * * @ben@ @job@ d-steps
@daily @cat@ @job@ d-daily; echo a day
@hourly root @job@ d-hourly
@midnight root @job@ d-midnight
@weekly @ben@ @job@ d-weekly; echo a week
@monthly root @job@ d-monthly
@yearly root @job@ d-yearly
MAILTO=""
@reboot @ben@ @job@ d-reboot; echo nobody reads this
"""

ANN = """\
# days, names, ranges
* * * * * @job@ a-each-minute
*/7 * * * * @job@ a-7
10-14 * * * * @job@ a-range
1-59/20 * * * * @job@ a-odd-step
45 1-4 * * sun @job@ a-sunday; echo sunday
45 1-4 * * 7 @job@ a-seven
46 1-4 * * mon-fri @job@ a-working-day
47 1-4 1-7 * * @job@ a-first-week
48 1-4 8,10 mar-nov tue @job@ a-day-or-weekday
49 1-4 */2 * sun @job@ a-day-and-weekday
50 1-4 * JAN,Mar,jun,NOV * @job@ a-months
51 1-4 31 2 * @job@ a-never
5-1 * * * * @job@ a-reversed
30 1,* * * * @job@ a-late-star
*,5 3 * * * @job@ a-star-first
@reboot @job@ a-reboot; echo started
"""

BEN = """\
MAILTO=ben@example.org,cat
FOO = "bar baz"
QUOTED='single # quoted'
EMPTY=""
9=nine
3 * * * * @job@ b-assignments; echo "$FOO|$QUOTED|$EMPTY"
CONTENT_TYPE=text/html; charset=iso-8859-1
CONTENT_TRANSFER_ENCODING=quoted-printable
6 * * * * @job@ b-content; echo '<p>hello'
MAILFROM=robot@example.org
9 * * * * @job@ b-from; echo from
SHELL=/bin/bash
12 * * * * [[ -n $BASH ]] && @job@ b-bash; echo $((1 << 4)) {a,b}
HOME=/tmp
PATH=/bin:/usr/bin:/opt/bin
LANG=de_DE.UTF-8
TZ=Asia/Tokyo
16 * * * * @job@ b-home; /bin/pwd; /bin/date +\\%Z
MAILTO=bad address
13 * * * * @job@ b-unsafe; echo never sent
MAILTO=ann
MAILFROM=not an address
4 * * * * @job@ b-from-unsafe; printf 'a\\r\\nb\\r\\n'
MAILFROM=""
5 * * * * @job@ b-from-nobody; echo nobody
CONTENT_TYPE=""
CONTENT_TRANSFER_ENCODING=""
7 * * * * @job@ b-no-content; echo plain
MAILTO=a=b/c
8 * * * * @job@ b-signs; echo signs
MAILTO=@x
10 * * * * @job@ b-sign-first; echo never sent
MAILTO=$HOME
11 * * * * @job@ b-variable; echo never sent
MAILTO=""
21 * * * * @job@ b-no-mail; echo never sent
LOGNAME=root
USER=root
24 * * * * @job@ b-logname; echo never sent
"""

CAT = """\
2 * * * * @job@ c-stdin%one%two%three
4 * * * * @job@ c-stdin-escaped%50\\% \\\\ \\x%end%
7 * * * * @job@ c-percent; echo 100\\%
8 * * * * @job@ c-no-stdin%
11 * * * * @job@ c-fails; exit 7
13 * * * * @job@ c-fails-loudly; echo oops >&2; exit 1
CONTENT_TYPE=text/x-job
14 * * * * @job@ c-type; echo typed
18 * * * * @job@ c-carriage; printf 'one\\rtwo\\r\\n\\rthree\\n'
22 * * * * @job@ c-bytes; printf '\\351\\377\\n'
23 * * * * @job@ c-no-newline; printf 'no newline'
26 * * * * @job@ c-dots; printf '.\\n..\\nFrom here\\n'
27 * * * * @job@ c-child; (sleep 0.2; echo late) & echo early
28 * * * * @job@ c-killed; echo going; kill -9 $$
29 * * * * @job@ c-env; env | sort
31 * * * *   \t  @job@   c-blanks;   echo "a   b"  # no comment
"""


@dataclass(frozen=True, slots=True)
class File:
    """One crontab: below `etc` with a slash in its name, else in the spool; `owner` "" is root."""

    name: str
    text: str
    owner: str = ""
    mode: int = 0o644


def crontabs(names: dict[str, str]) -> list[File]:
    """Return all files, for accounts called `names[user]` where the texts say `user`."""

    def filled(text: str) -> str:
        for user, name in names.items():
            text = text.replace(f"@{user}@", name)
        return text.replace("@job@", JOB)

    refused = f"* * * * * root {JOB} refused\n"
    return [
        File("etc/crontab", filled(SYSTEM)),
        File("etc/cron.d/beside", filled(CRON_D)),
        File("etc/cron.d/dotted.name", refused),
        File("etc/cron.d/saved~", refused),
        File("etc/cron.d/broken", f"{refused}61 * * * * root {JOB} refused\n"),
        File("etc/cron.d/unfinished", f"* * * * * root {JOB} refused"),
        File("etc/cron.d/writable", refused, mode=0o666),
        *(
            File(names[user], filled(text), owner=names[user], mode=0o600)
            for user, text in zip(USERS, (ANN, BEN, CAT), strict=True)
        ),
        File("no-such-account", f"* * * * * {JOB} refused\n", mode=0o600),
    ]


def entries(files: list[File]) -> list[str]:
    """Return the names of all entries, those that are never to run left out."""
    text = "".join(file.text for file in files)
    return [name for name in re.findall(rf"{JOB}\s+([a-z0-9-]+)", text) if name != "refused"]
