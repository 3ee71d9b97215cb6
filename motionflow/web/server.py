"""A small server: a model, an address --serve--> the page, until Ctrl-C."""

import os
import threading
from collections.abc import Callable

from motionflow.errors import InputError
from motionflow.films.model import load

_MEMORY = 64 * 2**20  # bytes of a request or answer that are not put on disk
_NUM_THREADS = 8  # more than may wait, so that the page itself is always there


def serve(
    model: str | os.PathLike, host: str, port: int, announce: Callable[[str], None]
) -> None:
    """Serves the page until it is interrupted.

    Args:
      model: see `motionflow.load`.
      host: address to listen at.
      port: 0 for any free one.
      announce: is told the page's address when it can be opened.

    Raises:
      KeyboardInterrupt: it was.
      InputError: there is no sound model or no such address, the port is taken, or a
        package is missing.
    """
    try:
        import waitress

        from motionflow.web import answer
        from motionflow.web.app import FILMS, make_app
    except ImportError as error:
        raise InputError(
            f"the page needs {error.name}: pip install 'motionflow[serving]'"
        ) from error
    local_only = host in ("localhost", "127.0.0.1", "::1")
    loaded = load(model)
    app = make_app(loaded, local_only)
    try:
        server = waitress.create_server(
            app,
            host=host,
            port=port,
            threads=_NUM_THREADS,
            inbuf_overflow=_MEMORY,
            outbuf_overflow=_MEMORY,
            max_request_body_size=_MEMORY,
            channel_request_lookahead=1,  # sees a browser that leaves, see `app`
            ident=None,
        )
    except (OSError, ValueError) as error:
        raise InputError(f"cannot listen at {host}, port {port}: {error}") from error
    # One address has attributes of its own, several have a list.
    listens = vars(server).get("effective_listen") or [server.getsockname()]
    name = f"[{host}]" if ":" in host else host
    announce(f"http://{name}:{listens[0][1]}")

    def warm_up() -> None:
        # The page is open meanwhile; who is quick waits as for another visitor.
        with app.extensions[FILMS].take():
            answer.warm_up(loaded)

    threading.Thread(target=warm_up, daemon=True).start()
    server.run()
    raise KeyboardInterrupt("the page is closed")  # which the server answered by that
