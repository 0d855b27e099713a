"""The one exception that a user sees as a sentence instead of a traceback."""


class HarnessError(Exception):
    """A fault whose cause and cure are known.

    The message names the file (and line) or the option, says what is wrong, what was expected,
    and how to mend it. The command line prints it and exits with status 3; anything else that
    escapes is a bug and keeps its traceback.
    """

    def __init__(self, message: str = "") -> None:
        super().__init__("\n".join(map(_bounded, message.split("\n"))))


# Characters of a line: what a message quotes may come from a file without an end.
_LONGEST = 4_000


def _bounded(line: str) -> str:
    """A line, without its middle where it is too long to be read."""
    if len(line) <= _LONGEST:
        return line
    return f"{line[: _LONGEST - 1_000]} ... {line[-500:]}"
