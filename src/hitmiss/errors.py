"""What a user is told when something cannot be done.

Every error that a user can meet is a `HitmissError`: one sentence that names the thing, what to do next, and the
exit code of `product.md`'s contract. It imports nothing, so every room may raise it.
"""

BUILT, BUILD_FAILED, WRONG_USAGE, NO_ENGINE, CANCELED = 0, 1, 2, 3, 130
"""Exit codes of the command line."""


class HitmissError(Exception):
    """One clear sentence for the user.

    `message` names the thing that is wrong; `mend` says what to do next (a command, where there is one).
    """

    exit_code = WRONG_USAGE

    def __init__(self, message: str, mend: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.mend = mend

    def __str__(self) -> str:
        return f"{self.message} {self.mend}".rstrip()


class UsageError(HitmissError):
    """Wrong usage, or a project that cannot be built (exit code 2)."""


class EngineError(HitmissError):
    """No engine, no permission on its socket, or a client that is missing or too old (exit code 3)."""

    exit_code = NO_ENGINE
