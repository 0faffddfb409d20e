"""The one kind of error that a command shows: a line that says what is wrong and what to do."""


class CommandError(Exception):
    """Shown as ``livemeter: MESSAGE`` on stderr; no traceback."""

    def __init__(self, message: str, exit_code: int = 1) -> None:
        super().__init__(message)
        self.exit_code = exit_code
