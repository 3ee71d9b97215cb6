"""What ends a command with one line in place of a traceback.

`InputError` is raised at the boundary: a missing folder, a file that is no video, a
codebook that does not belong to the data. Its message says what was found and what was
expected. A bug raises anything else.
"""

import os


class InputError(ValueError):
    """Input that the user can put right; the message says how."""


class NotWritten(InputError):
    """A full disk, no right to write: what was there before is as it was.

    Args:
      path: of what could not be written.
      reason: what the system says.
    """

    def __init__(self, path: str | os.PathLike, reason: str):
        super().__init__(path, reason)
        self.filename, self.reason = os.fspath(path), reason

    def __str__(self) -> str:
        """One line for the user."""
        return f"{self.filename} could not be written: {self.reason}"


class Stopped(KeyboardInterrupt):
    """A signal asked the process to end.

    Args:
      number: of the signal.
      text: one line for the user, if there is more to say than that.
    """

    def __init__(self, number: int, text: str = ""):
        super().__init__(text)
        self.code = 128 + number
