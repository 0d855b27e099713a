"""What this machine offers an engine, found out without importing torch."""

from __future__ import annotations

import ctypes
import math
import os
from functools import cache
from pathlib import Path


@cache
def gpu_count() -> int:
    """CUDA devices that the driver shows this process (CUDA_VISIBLE_DEVICES included)."""
    if os.environ.get("CUDA_VISIBLE_DEVICES") in ("", "-1"):
        return 0
    try:
        driver = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return 0
    count = ctypes.c_int(0)
    if driver.cuInit(0) != 0 or driver.cuDeviceGetCount(ctypes.byref(count)) != 0:
        return 0
    return count.value


def cpu_threads() -> int:
    """Threads for matrix work: OMP_NUM_THREADS when set, else the physical cores this process
    may use, at most the container's CPU quota."""
    wanted = os.environ.get("OMP_NUM_THREADS", "").split(",")[0]
    if wanted.isdigit() and int(wanted) > 0:
        return int(wanted)
    cores = {_siblings(cpu) for cpu in os.sched_getaffinity(0)}
    return max(1, math.ceil(min(len(cores), _quota())))


def _siblings(cpu: int) -> str:
    """Name of the physical core of a logical one."""
    try:
        return Path(f"/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list").read_text()
    except OSError:
        return str(cpu)


def _quota() -> float:
    """CPUs that the control group grants (version 2, then 1); infinite without a limit."""
    try:
        limit, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
        return math.inf if limit == "max" else int(limit) / int(period)
    except (OSError, ValueError):
        pass
    try:
        group = Path("/sys/fs/cgroup/cpu")
        micros = int((group / "cpu.cfs_quota_us").read_text())
        period_v1 = int((group / "cpu.cfs_period_us").read_text())
        return micros / period_v1 if micros > 0 else math.inf
    except (OSError, ValueError):
        return math.inf


def free_memory() -> int:
    """Bytes that can be taken without swapping; 4 GiB where the kernel does not say."""
    try:
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return 4 << 30
