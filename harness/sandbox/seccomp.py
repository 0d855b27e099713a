"""The system calls that no program in the sandbox may make, as a filter for the kernel."""

from __future__ import annotations

import errno
import socket
import tempfile
from functools import cache

from harness.errors import HarnessError

# A program has no honest use for these: it is killed, and its verdict is "forbidden".
_KILLED = (
    *("ptrace", "process_vm_readv", "process_vm_writev", "kcmp"),
    *("mount", "umount2", "pivot_root", "chroot", "move_mount", "open_tree", "mount_setattr"),
    *("fsopen", "fsconfig", "fsmount", "fspick", "open_by_handle_at", "fanotify_init"),
    *("unshare", "setns", "bpf", "perf_event_open", "userfaultfd", "quotactl", "acct"),
    *("kexec_load", "kexec_file_load", "init_module", "finit_module", "delete_module"),
    *("reboot", "swapon", "swapoff", "iopl", "ioperm", "add_key", "keyctl", "request_key"),
    *("settimeofday", "clock_settime", "sethostname", "setdomainname"),
)

# These are refused with an error, since a program may well go on without them. System V and POSIX
# queues would outlive a program; a library may ask for a network address and do without.
# Memory files are memory that no limit counts, locks reach beyond the sandbox, and scheduling is
# the parent's too.
_REFUSED = (
    *("shmget", "semget", "msgget", "mq_open", "name_to_handle_at", "vhangup", "syslog"),
    *("memfd_create", "memfd_secret", "flock", "ioprio_set", "move_pages", "migrate_pages"),
    *("process_madvise", "process_mrelease", "pidfd_getfd"),
)

# Allowed upon the caller itself, whom 0 names: argument positions that must be 0.
_SELF_ONLY = {
    "setpriority": (0, 1),
    "sched_setaffinity": (0,),
    "sched_setscheduler": (0,),
    "sched_setparam": (0,),
    "sched_setattr": (0,),
    "prlimit64": (0,),
}

# Seen as missing, so that the C library and libuv take the older way, which the filter can judge.
_MISSING = ("clone3", "io_uring_setup", "io_uring_enter", "io_uring_register")

# CLONE_NEW*: time, mount, cgroup, UTS, IPC, user, PID and network namespaces.
_CLONE_FLAGS = (
    0x80, 0x20000, 0x02000000, 0x04000000, 0x08000000, 0x10000000, 0x20000000, 0x40000000,
)  # fmt: skip

_TIOCSTI, _TIOCLINUX = 0x5412, 0x541C


@cache
def bpf_filter() -> bytes:
    """The filter as the BPF program that prctl(PR_SET_SECCOMP) takes, for this machine's own
    architecture; calls by any other architecture's convention are killed.

    Raises HarnessError where libseccomp is not there.
    """
    try:
        import pyseccomp
    except (ImportError, RuntimeError, OSError) as error:
        raise HarnessError(
            f"libseccomp cannot be used ({error}); on Debian: apt-get install libseccomp2, "
            "and: pip install pyseccomp"
        ) from error

    made = pyseccomp.SyscallFilter(pyseccomp.ALLOW)
    made.set_attr(pyseccomp.Attr.ACT_BADARCH, pyseccomp.KILL_PROCESS)
    refuse = pyseccomp.ERRNO(errno.EPERM)
    for names, action in (
        (_KILLED, pyseccomp.KILL_PROCESS),
        (_REFUSED, refuse),
        (_MISSING, pyseccomp.ERRNO(errno.ENOSYS)),
    ):
        for name in names:
            made.add_rule(action, name)
    for name, positions in _SELF_ONLY.items():
        for position in positions:
            made.add_rule(refuse, name, pyseccomp.Arg(position, pyseccomp.NE, 0))
    # Socket pairs and local sockets are how event loops wake themselves; all else is network.
    made.add_rule(refuse, "socket", pyseccomp.Arg(0, pyseccomp.NE, socket.AF_UNIX))
    for flag in _CLONE_FLAGS:
        made.add_rule(refuse, "clone", pyseccomp.Arg(0, pyseccomp.MASKED_EQ, flag, flag))
    for request in (_TIOCSTI, _TIOCLINUX):
        low = pyseccomp.Arg(1, pyseccomp.MASKED_EQ, 0xFFFFFFFF, request)
        made.add_rule(refuse, "ioctl", low)
    with tempfile.TemporaryFile() as file:
        made.export_bpf(file)
        file.seek(0)
        return file.read()
