"""Real Debian packages for tests: fetched once, laid over a copy of this machine that nobody will miss.

The copy is an overlay in a mount namespace of its own, without network: what the packages' scripts do
there is undone with the namespace.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

from tests.system.daemon import Crond
from tests.system.ground import Ground

#: Each brings a file for cron.d or scripts for cron.daily and its sisters.
PACKAGES = (
    "anacron",
    "apt",
    "certbot",
    "dpkg",
    "e2fsprogs",
    "logrotate",
    "man-db",
    "mdadm",
    "php-common",
    "popularity-contest",
    "sysstat",
)
PERIODS = ("hourly", "daily", "weekly", "monthly")

_UNSHARE = ("unshare", "--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc")
_ENTER = r"""
set -e
base=$1 shared=$2
shift 2
mount -t tmpfs tmpfs "$base"
root=$base/root
mkdir "$base/upper" "$base/work" "$root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$base/upper,workdir=$base/work" "$root"
mount -t tmpfs tmpfs "$root/run"
mount --rbind /dev "$root/dev"
mount -t proc proc "$root/proc"
mkdir -p "$root$shared"
mount --bind "$shared" "$root$shared"
rm -rf "$root"/etc/cron.d/* "$root"/etc/cron.*ly/*
# /bin and /lib are links by now, and packages still bring files in folders of that name.
for package in "$shared"/packages/*.deb; do
    dpkg-deb --fsys-tarfile "$package" | tar -x --keep-directory-symlink -C "$root"
done
# What their configuration scripts would have written.
echo 'AUTOSCAN=true' > "$root/etc/default/mdadm"
mkdir -p "$root/etc/mdadm"
echo 'MAILADDR root' > "$root/etc/mdadm/mdadm.conf"
echo 'PARTICIPATE="no"' > "$root/etc/popularity-contest.conf"
# As on a machine where nothing is put off by up to half an hour.
echo 'APT::Periodic::RandomSleep "0";' > "$root/etc/apt/apt.conf.d/99at-once"
chroot "$root" useradd --system --user-group --no-create-home --shell /usr/sbin/nologin cxscheduler
mkdir -p "$root/var/spool/cron/crontabs" "$root/etc/crontabx"
printf '[daemon]\naccount = "cxscheduler"\n' > "$root/etc/crontabx/crontabx.toml"
cp "$shared/crontab" "$root/etc/crontab"
chown 0:0 "$root/etc/crontab"
chmod 644 "$root/etc/crontab"
exec chroot "$root" "$@"
"""

CRONTAB = """\
SHELL=/bin/sh
PATH=/usr/local/sbin:/usr/local/bin:/sbin:/bin:/usr/sbin:/usr/bin
""" + "".join(
    f"#: name={period}\n* * * * * root cd / && run-parts --report /etc/cron.{period}\n" for period in PERIODS
)


class Unavailable(Exception):
    """The packages cannot be had, or cannot be run, here; the text says why."""


def fetch(cache: Path, names: Sequence[str] = PACKAGES) -> list[Path]:
    """Return the packages, from `cache` where they are there already. Raises Unavailable."""
    missing = [name for name in names if not list(cache.glob(f"{name}_*.deb"))]
    if missing:
        command = ["apt-get", "download", "-q", "-o", "Acquire::Retries=1", *missing]
        try:
            done = subprocess.run(
                command, cwd=cache, capture_output=True, text=True, timeout=120, check=False
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise Unavailable(f"apt-get: {error}") from None
        if done.returncode != 0:
            raise Unavailable(f"apt-get download: {done.stderr.strip()[-300:]}")
    return [next(cache.glob(f"{name}_*.deb")) for name in names]


def unpack(packages: list[Path], folder: Path) -> None:
    """Put the files of `packages` under `folder`."""
    for package in packages:
        subprocess.run(["dpkg-deb", "-x", package, folder], check=True)


def start_over_a_copy(ground: Ground, packages: list[Path]) -> Crond:
    """Start crond, as on a Debian machine that has `packages`. Raises Unavailable."""
    python = "/usr/bin/python3"
    if subprocess.run([*_UNSHARE, "true"], capture_output=True, check=False).returncode != 0:
        raise Unavailable("no new namespaces can be made here")
    if not os.access(python, os.X_OK):
        raise Unavailable(f"no {python}")
    base, shared = ground.new_folder("copy"), ground.new_folder("debian")
    (shared / "packages").mkdir()
    for package in packages:
        (shared / "packages" / package.name).write_bytes(package.read_bytes())
    (shared / "crontab").write_text(CRONTAB)
    subprocess.run(["cp", "-a", ground.site, shared / "site"], check=True)
    inside = Ground(shared, shared / "site", python)
    crond = Crond(
        inside,
        ["-f", "-m", "off", "--dialect", "debian", "--state", str(shared / "state")],
        state=shared / "state",
        wrapper=[*_UNSHARE, "/bin/sh", "-c", _ENTER, "sh", str(base), str(shared)],
    )
    try:
        return crond.up()
    except AssertionError as error:
        crond.close()
        if any("overlay" in line or "permission denied" in line.lower() for line in crond.errors):
            raise Unavailable(f"no overlay can be mounted here: {crond.errors[-1]}") from None
        raise error from None
