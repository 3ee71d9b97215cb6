"""Standard error, held back while others' C++ code writes what nobody asked for."""

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator


@contextlib.contextmanager
def stderr_held_back() -> Iterator[None]:
    """Keeps what is written to standard error, by whomever; an error brings it out."""
    sys.stderr.flush()
    with tempfile.TemporaryFile() as held, os.fdopen(os.dup(2), "wb") as stderr:
        os.dup2(held.fileno(), 2)
        try:
            yield
        except Exception:
            held.seek(0)
            stderr.write(held.read())
            raise
        finally:
            sys.stderr.flush()
            os.dup2(stderr.fileno(), 2)
