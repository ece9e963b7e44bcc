"""Cgroups: which one is ours to divide, what is written where, and a tree that cannot leave its group."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from crond.launcher import cgroups
from crond.launcher.cgroups import Group, Groups


@pytest.fixture
def mount(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that looks as a mounted hierarchy does, in which we are at the top, on a host without systemd.

    Its files are plain ones: the kernel's answers are missing, and groups must be given theirs.
    """
    root = tmp_path / "cgroup"
    (root / "service").mkdir(parents=True)
    for folder in (root, root / "service"):
        (folder / "cgroup.controllers").write_text("cpu memory\n")
        (folder / "cgroup.subtree_control").write_text("")
    monkeypatch.setattr(cgroups, "_MOUNTS", (str(tmp_path / "none"), str(root)))
    monkeypatch.setattr(cgroups, "_MEMBERSHIP", str(tmp_path / "membership"))
    monkeypatch.setattr(cgroups, "_SYSTEMD", str(tmp_path / "systemd"))
    (tmp_path / "membership").write_text("4:memory:/other\n0::/\n")
    return root


def written(group: Group, *names: str) -> dict[str, str]:
    return {name: Path(group.path, name).read_text() for name in names}


LIMITS = ("memory.max", "memory.oom.group", "cpu.max")


@pytest.fixture
def _kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every new folder has the files that the kernel makes in a group; so none can be removed."""
    make = os.mkdir

    def with_files(path: str, mode: int = 0o777) -> None:
        make(path, mode)
        for name in (*LIMITS, "cgroup.subtree_control"):
            Path(path, name).write_text("")

    monkeypatch.setattr(os, "mkdir", with_files)


def folder_of(groups: Groups) -> Path:
    probe = groups.make("probe.1", memory_max=None, cpu_quota=None)
    probe.remove()
    return Path(probe.path).parent


def test_without_a_cgroup_there_are_no_groups(mount: Path, tmp_path: Path) -> None:
    """No hierarchy of version 2, a group outside our namespace, a folder that cannot be written."""
    (tmp_path / "membership").write_text("0::/../other\n")
    assert Groups.find("/state") is None
    (tmp_path / "membership").write_text("4:memory:/other\n")
    assert Groups.find("/state") is None
    (tmp_path / "membership").unlink()
    assert Groups.find("/state") is None
    (tmp_path / "membership").write_text("0::/service\n")
    (mount / "service").rename(mount / "elsewhere")
    (mount / "service").write_text("no folder")
    assert Groups.find("/state") is None


def test_what_systemd_did_not_leave_to_us_is_not_divided(mount: Path, tmp_path: Path) -> None:
    """A session's scope has one writer, which is systemd; a service with Delegate= is marked."""
    (tmp_path / "systemd").mkdir()
    (tmp_path / "membership").write_text("0::/service\n")
    assert Groups.find("/state") is None
    assert not [path for path in (mount / "service").iterdir() if path.is_dir()]


@pytest.fixture
def marks(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """The paths that systemd has marked; not each file system takes an attribute of the kernel's."""
    marked: set[str] = set()

    def read(path: str, _name: str) -> bytes:
        if path in marked:
            return b"1"
        raise OSError(errno.ENODATA, "no such attribute")

    monkeypatch.setattr(os, "getxattr", read)
    return marked


def test_a_service_that_may_divide_its_group(mount: Path, tmp_path: Path, marks: set[str]) -> None:
    """Delegate=: its group is ours, but for limits: a group with them takes no process of a new start."""
    (tmp_path / "systemd").mkdir()
    (tmp_path / "membership").write_text("0::/service\n")
    marks.add(str(mount / "service"))
    groups = Groups.find("/state")
    assert groups is not None
    assert folder_of(groups).parent == mount / "service"
    assert groups.controllers == frozenset()
    assert (mount / "service" / "cgroup.subtree_control").read_text() == ""


@pytest.mark.usefixtures("_kernel")
def test_a_service_in_a_part_of_its_group(mount: Path, tmp_path: Path, marks: set[str]) -> None:
    """Delegate= and DelegateSubgroup=: what is above us is ours, with its limits."""
    (tmp_path / "systemd").mkdir()
    (mount / "service" / "crond").mkdir()
    (tmp_path / "membership").write_text("0::/service/crond\n")
    marks.add(str(mount / "service"))
    groups = Groups.find("/state")
    assert groups is not None
    assert groups.controllers == {"memory", "cpu"}
    assert groups.make("r.1", memory_max=1, cpu_quota=None).path.startswith(f"{mount}/service/crontabx.")


def test_each_state_has_a_folder_of_its_own(mount: Path) -> None:
    """Two daemons in one container: one must not remove the groups of the other."""
    first, second = Groups.find("/one"), Groups.find("/two")
    assert first is not None
    assert second is not None
    assert folder_of(first) != folder_of(second)
    again = Groups.find("/one")
    assert again is not None
    assert folder_of(again) == folder_of(first)
    assert folder_of(first).parent == mount


@pytest.mark.usefixtures("_kernel")
def test_limits_are_written_before_anybody_is_in(tmp_path: Path) -> None:
    """Bytes, and microseconds in each tenth of a second; a controller that is not there is left alone."""
    groups = Groups(str(tmp_path), frozenset(("memory", "cpu")))
    made = groups.make("r.1", memory_max=1 << 20, cpu_quota=150.0)
    assert written(made, *LIMITS) == {
        "memory.max": "1048576",
        "memory.oom.group": "1",
        "cpu.max": "150000 100000",
    }
    plain = Groups(str(tmp_path)).make("r.2", memory_max=1 << 20, cpu_quota=150.0)
    assert set(written(plain, *LIMITS).values()) == {""}


def test_a_limit_that_cannot_be_set_is_an_error(tmp_path: Path) -> None:
    """A job that asks for a bound does not run without it; nothing is left behind."""
    groups = Groups(str(tmp_path), frozenset(("memory",)))
    with pytest.raises(OSError, match=r"job\.r\.1/memory\.max"):
        groups.make("r.1", memory_max=1, cpu_quota=None)
    assert list(tmp_path.iterdir()) == []


def test_what_is_left_is_removed_later(tmp_path: Path) -> None:
    """A group stays while somebody is in it, also into the next life; what is not ours stays for good."""
    for name in ("job.old.1", "job.busy.1", "crond"):
        (tmp_path / name).mkdir()
    # A file of ours that no rmdir removes, as a process in a group.
    (tmp_path / "job.busy.1" / "cgroup.procs").write_text("")
    groups = Groups(str(tmp_path))
    assert groups.held("busy.1") is not None
    assert groups.held("none.1") is None
    groups.let_go(groups.make("new.1", memory_max=None, cpu_quota=None))
    assert groups.tidy()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["crond", "job.busy.1"]
    (tmp_path / "job.busy.1" / "cgroup.procs").unlink()
    assert not groups.tidy()
    assert [path.name for path in tmp_path.iterdir()] == ["crond"]


# --- the kernel's own ------------------------------------------------------------------------------


@pytest.fixture
def group(tmp_path: Path) -> Iterator[Group]:
    """A real group, where this host gives us one."""
    groups = Groups.find(str(tmp_path))
    if groups is None:
        pytest.skip("no cgroup here is ours")
    made = groups.make("test.1", memory_max=None, cpu_quota=None)
    yield made
    groups.let_go(made)
    groups.close()


_FORKS = """
import os, sys, time
os.write(int(sys.argv[1]), b"0")
for _ in range(3):
    if os.fork():
        os._exit(0)
    os.setsid()
print(os.getpid(), flush=True)
time.sleep(1000)
"""


def test_nobody_leaves_a_group(group: Group) -> None:
    """A daemon that forked away, in a session of its own: the group knows it and ends it."""
    entrance = group.entrance()
    process = subprocess.Popen(
        [sys.executable, "-c", _FORKS, str(entrance)], pass_fds=[entrance], stdout=subprocess.PIPE
    )
    os.close(entrance)
    assert process.stdout is not None
    with process.stdout:
        pid = int(process.stdout.readline())
        assert process.wait(20) == 0
        assert group.pids() == {pid}
        assert not group.remove()
        handle = os.pidfd_open(pid)
        try:
            assert group.kill()
            # Readable when it has ended.
            import select

            assert select.select([handle], [], [], 20)[0]
        finally:
            os.close(handle)
    assert group.pids() == set()


def test_a_group_of_ours_that_somebody_removed_is_made_again(mount: Path) -> None:
    """Every annotated job could not start once a clean-up had removed the daemon's empty cgroup."""
    groups = Groups.find("/state")
    assert groups is not None
    folder = folder_of(groups)
    folder.rmdir()
    group = groups.make("run.1", memory_max=None, cpu_quota=None)
    assert Path(group.path).is_dir()
    assert Path(group.path).parent == folder
    assert mount in folder.parents
