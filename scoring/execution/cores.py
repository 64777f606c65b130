"""How many cores the container lets this process use."""

import math
import os
from pathlib import Path

_CPU_MAX = Path("/sys/fs/cgroup/cpu.max")
_CPU_V1 = Path("/sys/fs/cgroup/cpu")


def cpu_threads() -> int:
    """Give the threads that a session may use: the cgroup's CPU quota rounded up, at most the cores it may run on."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        limit, period = _CPU_MAX.read_text().split()
    except (OSError, ValueError):
        try:
            limit = (_CPU_V1 / "cpu.cfs_quota_us").read_text()
            period = (_CPU_V1 / "cpu.cfs_period_us").read_text()
        except OSError:
            return cores
    return cores if limit == "max" or int(limit) <= 0 else max(1, min(cores, math.ceil(int(limit) / int(period))))
