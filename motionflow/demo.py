"""A model -> a page on which a picture is dropped and seen to move.

    python -m motionflow.demo --export_dir=exported

Open the address that it prints. The page, its script and its pictures come from this
program alone; what is uploaded is kept nowhere. Ctrl-C ends it.
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from absl import flags

from motionflow import cli
from motionflow.errors import InputError
from motionflow.models import predictor
from motionflow.serving import versions

_MEMORY = 64 * 2**20  # bytes of a request or answer that are not put on disk
_NUM_THREADS = 8  # more than may wait, so that the page itself is always there


def define_flags(flag_values: flags.FlagValues = flags.FLAGS) -> None:
    """Defines this command's flags on a registry."""
    own: dict[str, Any] = {"flag_values": flag_values}
    flags.DEFINE_string(
        "export_dir",
        "exported",
        "Folder of versions (the newest is shown), one version, or a run directory.",
        **own,
    )
    flags.DEFINE_string(
        "host",
        "127.0.0.1",
        "Address to listen at; 0.0.0.0 opens the page to the network.",
        **own,
    )
    flags.DEFINE_integer(
        "port", 8080, "Port; 0: any free one.", 0, upper_bound=65535, **own
    )


def find_model(export_dir: str | os.PathLike) -> Path:
    """The newest version in a folder of versions; any other path as it is.

    Raises:
      InputError: the newest version is no SavedModel.
    """
    path = Path(export_dir)
    main_file = versions.MAIN_FILES["saved_model"]
    if not path.is_dir() or (path / main_file).exists():
        return path
    found = versions.versions(path)
    if not found:
        return path
    if not (found[-1] / main_file).is_file():
        raise InputError(
            f"{found[-1]} is the newest version and holds no {main_file}: expected an "
            f"export with --format=saved_model"
        )
    return found[-1]


def serve(export_dir: str | os.PathLike, host: str, port: int) -> None:
    """Serves the page until it is interrupted.

    Args:
      export_dir: folder of versions, one version, or a run directory.
      host: address to listen at.
      port: 0 for any free one.

    Raises:
      InputError: there is no sound model or no such address, the port is taken, or a
        package is missing.
    """
    try:
        import waitress

        from motionflow.web.app import make_app
    except ImportError as error:
        raise InputError(
            f"the page needs {error.name}: pip install 'motionflow[serving]'"
        ) from error
    path = find_model(export_dir)
    try:
        model = predictor.load(path)
    except OSError as error:
        raise InputError(f"{path} holds a damaged model: {error}") from error
    app = make_app(model, local_only=host in ("localhost", "127.0.0.1", "::1"))
    try:
        server = waitress.create_server(
            app,
            host=host,
            port=port,
            threads=_NUM_THREADS,
            inbuf_overflow=_MEMORY,
            outbuf_overflow=_MEMORY,
            max_request_body_size=_MEMORY,
            ident=None,
        )
    except (OSError, ValueError) as error:
        raise InputError(f"cannot listen at {host}, port {port}: {error}") from error
    # One address has attributes of its own, several have a list.
    listens = vars(server).get("effective_listen") or [server.getsockname()]
    name = f"[{host}]" if ":" in host else host
    address = f"http://{name}:{listens[0][1]}"
    print(f"{path}: open {address} in a browser; Ctrl-C ends it", flush=True)
    server.run()


def main(argv: Sequence[str]) -> None:
    """Runs the command."""
    del argv
    values = flags.FLAGS
    serve(values.export_dir, values.host, values.port)


if __name__ == "__main__":
    cli.run(main, define_flags)
