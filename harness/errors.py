"""The one exception that a user sees as a sentence instead of a traceback."""


class HarnessError(Exception):
    """A fault whose cause and cure are known.

    The message names the file (and line) or the option, says what is wrong, what was expected,
    and how to mend it. The command line prints it and exits with status 3; anything else that
    escapes is a bug and keeps its traceback.
    """
