"""Where mail goes, from flags and settings, and which settings are refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from crond.cli.host import StartError
from crond.cli.mail import mail_of
from crond.settings import Settings, SettingsError, parse_settings


def test_a_server_with_a_login(tmp_path: Path) -> None:
    """Settings name the server and the password's file; flags go before them."""
    secret = tmp_path / "password"
    secret.write_text("x\n")
    secret.chmod(0o600)
    text = f'[mail]\nsmtp = "[::1]:587"\nsmtp_user = "u"\nsmtp_password_file = "{secret}"\ntime_limit = 9\n'
    settings = parse_settings(text.encode(), "x")
    assert mail_of(None, settings, to_syslog=False) == {
        "mail": "smtp",
        "smtp": "[::1]:587",
        "smtp_security": "starttls",
        "smtp_user": "u",
        "smtp_password_file": str(secret),
        "mail_time_limit": 9,
    }
    assert mail_of("off", settings, to_syslog=False)["mail"] == "off"
    assert mail_of(None, settings, to_syslog=True)["mail"] == "syslog"


def test_a_password_that_others_may_read(tmp_path: Path) -> None:
    """It is refused with the cure."""
    secret = tmp_path / "password"
    secret.write_text("x\n")
    secret.chmod(0o640)
    settings = Settings(smtp="a:25", smtp_user="u", smtp_password_file=str(secret))
    with pytest.raises(StartError, match=f"chmod 600 {secret}"):
        mail_of(None, settings, to_syslog=False)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (Settings(smtp="a:25", smtp_user="u"), "one needs the other"),
        (Settings(smtp="a:25", smtp_password_file="/p"), "one needs the other"),
        (
            Settings(smtp="a:25", smtp_user="u", smtp_password_file="/p", smtp_security="none"),
            "sent openly",
        ),
        (Settings(smtp="a:25", smtp_user="u", smtp_password_file="/none/p"), "No such file"),
    ],
)
def test_what_cannot_be(settings: Settings, words: str) -> None:
    """Half a login, an open one, and a file that is not there."""
    with pytest.raises(StartError, match=words):
        mail_of(None, settings, to_syslog=False)


@pytest.mark.parametrize("server", ["mail", "mail:", ":25", "mail:0", "mail:70000", "a b:25", "mail:２５"])
def test_what_is_no_server(server: str) -> None:
    """A host and a port are needed."""
    with pytest.raises(SettingsError, match="must be a host and a port"):
        parse_settings(f'[mail]\nsmtp = "{server}"\n'.encode(), "x")
