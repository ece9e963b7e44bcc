"""A real mail transfer agent for tests: OpenSMTPD from Debian's package, over a copy of this machine.

In namespaces of its own it is this host's sendmail, and delivers into a folder that the test can read.
Nothing is installed, and nothing listens on this host's own network.
"""

from __future__ import annotations

import email
import email.policy
import pwd
import subprocess
from email.message import Message
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.system.daemon import wait_for
from tests.system.packages import fetch, unpack

PACKAGES = ("opensmtpd", "libevent-2.1-7", "libdb5.3")
_UNSHARE = ("unshare", "--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc")
_ENTER = r"""
set -e
packages=$1 base=$2 boxes=$3
mount -t tmpfs tmpfs "$base"
mkdir "$base/upper" "$base/work" "$base/etc"
mount -t overlay overlay -o "lowerdir=$packages/usr:/usr,upperdir=$base/upper,workdir=$base/work" /usr
cp -a /etc/. "$base/etc/"
mount --bind "$base/etc" /etc
for place in /run /var/lib /var/spool; do mount -t tmpfs tmpfs $place; done
mkdir -p /var/lib/opensmtpd/empty
mkdir -m 711 /var/spool/smtpd
mount --bind "$boxes" /var/mail
for account in opensmtpd opensmtpq; do
    useradd --system --user-group --no-create-home --home-dir /var/lib/opensmtpd/empty $account
done
chgrp opensmtpq /usr/sbin/smtpctl
chmod 2755 /usr/sbin/smtpctl
{
    echo 'listen on socket'
    echo 'action "here" maildir "/var/mail/%{user.username}"'
    echo 'match for local action "here"'
} > /etc/smtpd.conf
exec smtpd -d
"""


class Mta:
    """OpenSMTPD, up while the context lasts; `wrapper` runs a command where it is the sendmail."""

    def __init__(self, cache: Path, folder: Path) -> None:
        """Raises Unavailable where the packages cannot be had."""
        self._packages, self._base, self.boxes = folder / "packages", folder / "base", folder / "mail"
        for path in (self._packages, self._base, self.boxes):
            path.mkdir()
        self.boxes.chmod(0o1777)
        unpack(fetch(cache, PACKAGES), self._packages)

    def __enter__(self) -> Self:
        command = [*_UNSHARE, "sh", "-c", _ENTER, "sh", *map(str, (self._packages, self._base, self.boxes))]
        self._process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        try:
            wait_for(self._is_up, "OpenSMTPD is up")
        except AssertionError as error:
            self._process.kill()
            said, _ = self._process.communicate()
            raise AssertionError(f"{error}: {said.decode()}") from None
        return self

    def _is_up(self) -> bool:
        return Path(f"/proc/{self._pid()}/root/run/smtpd.sock").exists()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.communicate()

    def _pid(self) -> int:
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text().split()
        return int(children[0]) if children else 0

    @property
    def wrapper(self) -> tuple[str, ...]:
        """What a command is to stand behind, to run there."""
        return ("nsenter", f"--target={self._pid()}", "--mount", "--net", "--")

    def letters(self, user: pwd.struct_passwd, count: int) -> list[Message]:
        """Return the letters of `user`, in their order, once there are `count`."""
        folder = self.boxes / user.pw_name / "new"

        def enough() -> list[Message] | None:
            paths = sorted(folder.glob("*"), key=lambda path: path.stat().st_mtime_ns)
            return (
                [email.message_from_bytes(path.read_bytes(), policy=email.policy.default) for path in paths]
                if len(paths) >= count
                else None
            )

        return wait_for(enough, f"{user.pw_name} has {count} letters")
