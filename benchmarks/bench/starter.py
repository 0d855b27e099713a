"""Runs one command and writes to a file what it took: seconds, processor seconds, peak MiB.

A process's peak memory starts at what its parent had, so its parent has to be as small as this one.

Usage: python -I -S starter.py FILE COMMAND...
"""

import os
import sys
import time

file, *command = sys.argv[1:]
began = time.perf_counter()
child = os.posix_spawnp(command[0], command, os.environ)
_, status, used = os.wait4(child, 0)
wall = time.perf_counter() - began
with open(file, "w") as out:  # noqa: PTH123
    print(wall, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024, file=out)
sys.exit(os.waitstatus_to_exitcode(status) % 256)
