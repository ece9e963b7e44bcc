"""The SMTP server that settings name: our mail command for it, and the password that this gets.

Owns the check of the password's file, and hands on its descriptor: nothing here reads it. The talk with the
server is `crond.mailer`'s. Called by post.
"""

from __future__ import annotations

import json
import os
import stat
import sys

from crond.launcher.config import Config
from crond.launcher.letter import Addressed
from crond.launcher.spawn import Identity, Program

_BOOT = (
    "import sys; sys.path.insert(0, sys.argv[1]); "
    "from crond.mailer.main import main; sys.exit(main(sys.argv[2]))"
)
#: Where a host's own certificate authorities are, if not at the usual place.
_PASSED_ON = ("SSL_CERT_FILE", "SSL_CERT_DIR")


class Smarthost:
    """The server of `config`. `identity` is whom our mail command runs as."""

    def __init__(self, config: Config, identity: Identity | None) -> None:
        self._config = config
        self._identity = identity

    def program(self, to: Addressed) -> Program:
        """Return the command that reads a letter and sends it to the server."""
        host, _, port = self._config.smtp.rpartition(":")
        order = {
            "host": host.strip("[]"),
            "port": int(port),
            "security": self._config.smtp_security,
            "user": self._config.smtp_user,
            "patience": self._config.mail_time_limit,
            "sender": to.sender,
            "recipients": [one for one in (to.to or "").split(",") if one],
        }
        words = (sys.executable, "-I", "-S", "-c", _BOOT, self._config.package, json.dumps(order))
        environment = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
        return Program(
            path=os.fsencode(sys.executable),
            arguments=tuple(os.fsencode(word) for word in words),
            environment={os.fsencode(name): os.fsencode(value) for name, value in environment.items()},
            identity=self._identity,
            directory=b"/",
        )

    def password(self) -> int | None:
        """Return a descriptor of the password's file, None where none is needed.

        Raises OSError, PermissionError among them where others than its owner may read it.
        """
        path = self._config.smtp_password_file
        if not self._config.smtp_user or path is None:
            return None
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
        found = os.fstat(fd)
        if not stat.S_ISREG(found.st_mode) or found.st_mode & 0o077 or found.st_uid not in (0, os.geteuid()):
            os.close(fd)
            raise PermissionError(1, f"{path} must be a file that only its owner, root, may read")
        return fd
