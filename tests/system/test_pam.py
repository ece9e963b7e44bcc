"""The host's cron with PAM, from its settings to what people see: limits, a refusal, and doing without."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.system.conftest import StartHost
from tests.system.daemon import Crond, host_folder, install, wait_for
from tests.system.ground import Ground, People

_ENTER = ("unshare", "--mount", "sh", "-ec", 'mount --bind "$1" /etc; shift; exec "$@"', "sh")
SERVICE = """\
auth required pam_permit.so
account required pam_unix.so
session required pam_limits.so conf={limits}
"""
LIMITS = 'ulimit -Sn; ulimit -Hn; grep -E "processes|core" /proc/self/limits'


class Machine:
    """A folder for the host's cron, and a copy of /etc in which ben has expired and ann has limits."""

    def __init__(self, ground: Ground, people: People, start_host: StartHost) -> None:
        self.folder = host_folder(ground, people, dialect="debian")
        self._start = start_host
        self.etc = self.folder / "etc"
        subprocess.run(["cp", "-a", "/etc", self.folder], stderr=subprocess.DEVNULL, check=False)
        shadow = (self.etc / "shadow").read_text().splitlines()
        expired = [
            line if not line.startswith(f"{people.ben.pw_name}:") else _expired(line) for line in shadow
        ]
        (self.etc / "shadow").write_text("\n".join(expired) + "\n")
        limits = self.folder / "limits.conf"
        limits.write_text(f"{people.ann.pw_name} - nofile 111\n{people.ann.pw_name} soft nproc 99\n")
        (self.etc / "pam.d" / "cron").write_text(SERVICE.format(limits=limits))
        for user in (people.ann, people.ben):
            install(self.folder, user, f"#: name=job\n0 0 31 2 * {LIMITS}\n")

    def start(self, pam: str) -> Crond:
        settings = self.folder / "settings.toml"
        settings.write_text(settings.read_text().replace("[daemon]", f'[daemon]\npam = "{pam}"'))
        crond, _ = self._start(folder=self.folder, wrapper=(*_ENTER, str(self.etc)))
        return crond

    def up(self, pam: str) -> Crond:
        crond = self.start(pam).up()
        wait_for(lambda: len(crond.jobs()) == 2, "both tables are loaded")
        return crond


def _expired(line: str) -> str:
    fields = line.split(":")
    fields[7] = "1"
    return ":".join(fields)


@pytest.fixture
def machine(ground: Ground, people: People, start_host: StartHost) -> Machine:
    return Machine(ground, people, start_host)


def test_a_host_with_pam(machine: Machine, people: People) -> None:
    """Ben's account has expired, and he learns why nothing ran; Ann's job and its shell have limits."""
    crond = machine.up("auto")
    ann, ben = (f"{user.pw_name}/job" for user in (people.ann, people.ben))
    refused = crond.run_now(ben)
    assert refused["outcome"] == "could_not_start"
    assert refused["reason"] == f"permission: PAM refuses {people.ben.pw_name}: User account has expired"
    crond.line(
        f"({people.ben.pw_name}) FAILED to authorize user with PAM (User account has expired)", errors=True
    )
    told = crond.client("env", ben, user=people.ben)
    assert (told.returncode, told.stdout) != (0, "")
    assert "User account has expired" in told.stderr

    run = crond.run_now(ann)
    seen = crond.output(run["attempt"]).decode()
    assert seen.startswith("111\n111\n")
    assert "Max processes             99 " in seen
    for user in (None, people.ann):
        shell = crond.client("shell", ann, "-c", LIMITS, user=user)
        assert (shell.stdout, shell.stderr) == (seen, "")


def test_a_host_that_does_without(machine: Machine, people: People) -> None:
    """Nobody is refused, and nobody has other limits than the daemon."""
    crond = machine.up("no")
    runs = [crond.run_now(f"{user.pw_name}/job") for user in (people.ann, people.ben)]
    assert [run["outcome"] for run in runs] == ["success", "success"]
    outputs = {crond.output(run["attempt"]) for run in runs}
    assert len(outputs) == 1
    assert b"111\n" not in outputs.pop()


def test_a_host_that_must_have_pam(machine: Machine) -> None:
    """Without a service file it does not start, and says what to do."""
    Path(machine.etc, "pam.d", "cron").unlink()
    crond = machine.start("yes")
    assert crond.wait() == 1
    assert crond.errors[0] == "crond: pam is set to yes, but there is no file for the service cron"
