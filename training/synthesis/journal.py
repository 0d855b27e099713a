"""Every reply of a teacher, kept by the content of its question: what was paid for once is not
asked again, whichever round asks."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Sequence
from pathlib import Path

from harness.errors import HarnessError
from harness.items.schema import content_hash
from training.synthesis.types import Prompt, Reply

_SCHEMA = """
CREATE TABLE IF NOT EXISTS replies (
    key TEXT PRIMARY KEY,
    teacher TEXT NOT NULL,
    prompt TEXT NOT NULL,
    text TEXT NOT NULL,
    finish TEXT NOT NULL,
    prompt_tokens INTEGER NOT NULL,
    completion_tokens INTEGER NOT NULL,
    round TEXT NOT NULL
) WITHOUT ROWID
"""
# SQLite's own limit of values in one statement is higher.
_LOOKED_UP = 500
# Seconds that a writer waits for another process's commit.
_WAIT = 60.0


def prompt_key(teacher: str, prompt: Prompt) -> str:
    """SHA-256 (hex) of a question to a teacher: its identity, the messages, sampling and seed."""
    return content_hash([teacher, prompt])


class Journal:
    """A SQLite file of replies. Each is durable when `keep` returns: a killed process loses those
    that had not arrived. Safe to use from several threads and processes.

    Raises HarnessError where the file cannot be opened or is none of these.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = threading.Lock()
        try:
            # Each statement is its own transaction.
            self._connection = sqlite3.connect(
                path, timeout=_WAIT, isolation_level=None, check_same_thread=False
            )
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute("PRAGMA synchronous = NORMAL")
            self._connection.execute(_SCHEMA)
        except sqlite3.Error as error:
            raise HarnessError(
                f"{path}: not a journal of replies ({error}); move it away, or name another "
                "--output"
            ) from None

    def find(self, keys: Sequence[str]) -> dict[str, Reply]:
        """The replies there are, by key."""
        found: dict[str, Reply] = {}
        for start in range(0, len(keys), _LOOKED_UP):
            some = keys[start : start + _LOOKED_UP]
            marks = ",".join("?" * len(some))
            query = (
                "SELECT key, text, finish, prompt_tokens, completion_tokens FROM replies "
                f"WHERE key IN ({marks})"
            )
            with self._lock:
                rows = self._connection.execute(query, some).fetchall()
            found |= {key: Reply(*rest) for key, *rest in rows}
        return found

    def keep(self, key: str, teacher: str, prompt: Prompt, reply: Reply, round: str) -> Reply:
        """Keeps a reply and returns the one that is kept: another's, where that came first."""
        row = (
            key,
            teacher,
            json.dumps([[one.role, one.content] for one in prompt.messages], ensure_ascii=False),
            reply.text,
            reply.finish,
            reply.prompt_tokens,
            reply.completion_tokens,
            round,
        )
        with self._lock:
            written = self._connection.execute(
                "INSERT INTO replies VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING", row
            )
            if written.rowcount:
                return reply
        return self.find([key])[key]

    def spent(self, round: str) -> tuple[int, int, int]:
        """Replies, prompt tokens and completion tokens that a round has paid for."""
        with self._lock:
            row = self._connection.execute(
                "SELECT count(*), coalesce(sum(prompt_tokens), 0), "
                "coalesce(sum(completion_tokens), 0) FROM replies WHERE round = ?",
                (round,),
            ).fetchone()
        return int(row[0]), int(row[1]), int(row[2])

    def close(self) -> None:
        with self._lock:
            self._connection.close()
