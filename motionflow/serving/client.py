"""Asks a TensorFlow Serving server: one interface, over REST or gRPC.

    signature, inputs {name: array} --predict--> outputs {name: array}

See `signatures` for the names. Failures that pass, such as a server that is starting or
busy, are tried again with growing pauses until one deadline for the whole call; what
the server says is wrong with a request is raised at once.
"""

import abc
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import tenacity

from motionflow.errors import InputError

AVAILABLE = "AVAILABLE"
Arrays = dict[str, np.ndarray]


class ServingError(InputError):
    """The server cannot be reached, does not serve the model, or refused a request."""


class PassingError(ServingError):
    """A failure that may be gone at the next attempt."""


class Client(abc.ABC):
    """A model on a server.

    Args:
      address: of the server.
      model_name: as the server calls it.
      version: None for the one that the server chooses, the newest.
      deadline: seconds that a call may take with all its attempts.
    """

    def __init__(
        self,
        address: str,
        model_name: str = "motionflow",
        version: int | None = None,
        deadline: float = 30.0,
    ):
        self.address = address
        self.model_name, self.version, self.deadline = model_name, version, deadline

    def predict(self, signature: str, inputs: Arrays) -> Arrays:
        """Asks one signature.

        Args:
          signature: its name.
          inputs: by their names; bytes in an array of objects.

        Returns:
          The outputs by their names.

        Raises:
          ServingError: says what the server answered, or that it did not.
        """
        return self._persist(lambda left: self._predict(signature, inputs, left))

    def status(self) -> str:
        """The state of the version that would answer, such as "LOADING"; one attempt.

        Raises:
          ServingError: the server is not reached or does not know the model.
        """
        states = self._states(self.deadline)
        if self.version is not None:
            states = {k: v for k, v in states.items() if k == self.version}
        available = [k for k, state in states.items() if state == AVAILABLE]
        if not states:
            raise ServingError(f"{self} is not served")
        return states[max(available or states)]

    def wait_until_available(self) -> None:
        """Waits until requests would be answered, at most until the deadline.

        Raises:
          ServingError: it was not available by then; says its last state.
        """

        def look(left: float) -> None:
            del left
            try:
                state = self.status()
            except ServingError as error:
                raise PassingError(str(error)) from error
            if state != AVAILABLE:
                raise PassingError(f"{self} is {state}, expected {AVAILABLE}")

        self._persist(look)

    def _persist(self, attempt: Callable[[float], Any]) -> Any:
        """Calls with the seconds that are left, again while failures may pass."""
        end = time.monotonic() + self.deadline
        retrying = tenacity.Retrying(
            # An attempt that has no time left would hide what the last one found.
            stop=tenacity.stop_before_delay(self.deadline),
            wait=tenacity.wait_random_exponential(multiplier=0.1, max=2.0),
            retry=tenacity.retry_if_exception_type(PassingError),
            reraise=True,
        )
        return retrying(lambda: attempt(max(0.001, end - time.monotonic())))

    def __str__(self) -> str:
        version = "" if self.version is None else f" version {self.version}"
        return f"model {self.model_name}{version} at {self.address}"

    @abc.abstractmethod
    def _predict(self, signature: str, inputs: Arrays, timeout: float) -> Arrays:
        """One attempt."""

    @abc.abstractmethod
    def _states(self, timeout: float) -> dict[int, str]:
        """The states of the model's versions."""
