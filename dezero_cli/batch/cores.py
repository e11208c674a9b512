"""How many processes the machine has cores for."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

GROUPS = Path("/sys/fs/cgroup")
OWN_GROUPS = Path("/proc/self/cgroup")


def cores(groups: Path = GROUPS, own: Path = OWN_GROUPS) -> int:
    """The cores that this process may use, which its control groups may limit; at least 1.

    `groups` is where Linux mounts control groups, `own` names those of this process.
    """
    if hasattr(os, "sched_getaffinity"):
        count = len(os.sched_getaffinity(0))
    else:
        count = os.cpu_count() or 1
    return max(1, int(min([count, *_limits(groups, own)])))


def _limits(groups: Path, own: Path) -> Iterator[float]:
    """The cores' worth of time that each control group around this process allows."""
    for path in _folders(groups, own):
        try:
            if (path / "cpu.max").exists():
                quota, period = (path / "cpu.max").read_text().split()
            else:
                quota = (path / "cpu.cfs_quota_us").read_text()
                period = (path / "cpu.cfs_period_us").read_text()
            if float(quota) > 0 < float(period):
                yield float(quota) / float(period)
        except (OSError, ValueError):  # no limit there: cpu.max has "max", version 1 has -1
            continue


def _folders(groups: Path, own: Path) -> Iterator[Path]:
    """The folders of this process's control groups and of those around them.

    A line of `own` is ``0::/path`` (version 2) or ``4:cpu,cpuacct:/path`` (version 1).
    """
    try:
        lines = own.read_text().splitlines()
    except (OSError, ValueError):
        lines = []
    for line in lines:
        _, _, group = line.partition(":")
        controllers, _, path = group.partition(":")
        if controllers and "cpu" not in controllers.split(","):
            continue
        root = groups / "cpu" if controllers else groups
        within = root / path.lstrip("/")
        yield from [within, *within.parents[: len(within.parents) - len(root.parents)]]
