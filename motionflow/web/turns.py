"""Many visitors, one network: each waits for a turn, and too many are sent away.

with turns.take(): ...    alone in here, or Busy at once
"""

import contextlib
import threading
from collections.abc import Iterator


class BusyError(Exception):
    """So many wait already that another one would wait too long."""


class Turns:
    """One at a time, and a few that wait."""

    def __init__(self, max_waiting: int):
        self._places = threading.BoundedSemaphore(1 + max_waiting)
        self._turn = threading.Lock()

    @contextlib.contextmanager
    def take(self) -> Iterator[None]:
        """Waits for a turn and holds it.

        Raises:
          BusyError: `max_waiting` wait already.
        """
        if not self._places.acquire(blocking=False):
            raise BusyError
        try:
            with self._turn:
                yield
        finally:
            self._places.release()
