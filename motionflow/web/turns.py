"""Many visitors, one network: with turns.take(is_gone): alone, or an error at once."""

import contextlib
import threading
from collections.abc import Callable, Iterator

_LOOK = 0.1  # seconds after which one who waits is looked for again


class BusyError(Exception):
    """So many wait already that another one would wait too long."""


class GoneError(Exception):
    """Who asked does not wait any more."""


class Turns:
    """One at a time, and a few that wait."""

    def __init__(self, max_waiting: int):
        self._places = threading.BoundedSemaphore(1 + max_waiting)
        self._turn = threading.Lock()

    @contextlib.contextmanager
    def take(self, is_gone: Callable[[], bool] = lambda: False) -> Iterator[None]:
        """Waits for a turn and holds it.

        Args:
          is_gone: whether who asked has left; then the place is free for others.

        Raises:
          BusyError: `max_waiting` wait already.
          GoneError: who asked left while waiting.
        """
        if not self._places.acquire(blocking=False):
            raise BusyError
        try:
            while not self._turn.acquire(timeout=_LOOK):
                if is_gone():
                    raise GoneError
            try:
                yield
            finally:
                self._turn.release()
        finally:
            self._places.release()
