"""Every attack ends in its right verdict, leaves no process behind, and harms nothing outside."""

from __future__ import annotations

import contextlib
import os
import platform
import socket
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from harness.items.code_task import CodeTest
from harness.sandbox import Pool, support
from harness.sandbox.runner import sandbox_runner
from harness.scoring.code.types import CodeRun
from tests.attacks import ATTACKS, Attack

pytestmark = pytest.mark.skipif(
    not support("strict").works, reason=f"no strict sandbox here: {support('strict').reason}"
)

# clone and bpf by machine; the others that attacks call have a name in the C library.
_NUMBERS = {"x86_64": ("56", "321"), "aarch64": ("220", "280")}


@dataclass(frozen=True)
class Host:
    """What an attack could reach outside: a directory, two listening sockets, a pool."""

    directory: Path
    pool: Pool
    port: int
    abstract: str

    def run(self, attack: Attack) -> CodeRun:
        clone, bpf = _NUMBERS[platform.machine()]
        return attack.run(
            HOST=str(self.directory),
            PORT=str(self.port),
            ABSTRACT=self.abstract,
            CLONE=clone,
            BPF=bpf,
        )

    def harmed(self) -> str:
        """What is not as it was, as a phrase; empty when all is."""
        if (self.directory / "secret").read_text() != "unseen":
            return "a file was changed"
        if (self.directory / "writable").read_text() != "":
            return "a file was written"
        return self.survivors()

    def survivors(self) -> str:
        """Processes in a sandbox beside bubblewrap's own and the one Python that watches."""
        for pid in self.pool.pids():
            family = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
            names = Counter(one.name() for one in family if one.status() != psutil.STATUS_ZOMBIE)
            if sum(count for name, count in names.items() if name != "bwrap") > 1:
                return f"processes survive: {dict(names)}"
        return ""


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    directory = tmp_path_factory.mktemp("host")
    (directory / "home/.ssh").mkdir(parents=True)
    (directory / "home/.ssh/id_rsa").write_text("unseen")
    (directory / "secret").write_text("unseen")
    (directory / "writable").touch()
    (directory / "writable").chmod(0o666)
    for path in (directory, *directory.parents[:3]):
        with contextlib.suppress(PermissionError):  # Not ours, as /tmp.
            path.chmod(path.stat().st_mode | 0o055)
    abstract = f"harness-{os.getpid()}"
    os.environ["HARNESS_CANARY"] = "unseen"
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.socket(socket.AF_UNIX) as local,
        Pool("strict", workers=1) as pool,
    ):
        local.bind("\0" + abstract)
        local.listen()
        yield Host(directory, pool, server.getsockname()[1], abstract)
    del os.environ["HARNESS_CANARY"]


def test_there_are_forty_and_more() -> None:
    assert len({attack.name for attack in ATTACKS}) == len(ATTACKS) >= 40


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)
def test_attack(host: Host, attack: Attack) -> None:
    (outcome,) = sandbox_runner(host.pool)([host.run(attack)])
    assert outcome.verdict == attack.verdict, outcome
    assert host.harmed() == ""
    assert sandbox_runner(host.pool)([_UNTOUCHED])[0].verdict == "passed"


# Whoever comes after an attack finds the sandbox as it was.
_UNTOUCHED = CodeRun(
    "import os\ndef f():\n    there = [os.listdir('.'), os.listdir('/dev/shm'), os.getcwd()]\n"
    "    for place in ('.', '/dev/shm'):\n        open(f'{place}/x', 'w').close()\n"
    "        there.append(os.listxattr(place))\n"
    "    return [*there, os.getpriority(os.PRIO_PROCESS, 0)]",
    "calls",
    (CodeTest(args=(), expected=[[], [], "/tmp", [], [], 0]),),
    entry_point="f",
)


def test_the_table_in_the_documentation_is_this_one() -> None:
    text = (Path(__file__).parents[1] / "docs/sandbox.md").read_text(encoding="utf-8")
    table = text.split("<!-- attacks -->")[1].split("<!-- end of attacks -->")[0]
    rows = [line for line in table.splitlines() if line.startswith("| `")]
    assert rows == [
        f"| `{one.name}`{'' if one.checks == 'stdio' else f' ({one.checks})'} | {one.what} "
        f"| {one.verdict} |"
        for one in ATTACKS
    ]
