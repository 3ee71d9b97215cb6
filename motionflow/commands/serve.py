"""Opens a page in the browser: draw arrows on a picture, it moves.

    motionflow serve
    motionflow serve runs/allconv

Open the address that it prints. The page, its script and its pictures come from this
program alone; what is uploaded is kept nowhere. Ctrl-C ends it. The page needs
pip install 'motionflow[serving]'.
"""

from absl import flags

from motionflow.flag_groups import MODEL, FlagGroups
from motionflow.models.model_path import DEFAULT

WORDS = "export_dir"


def define_flags(values: flags.FlagValues) -> None:
    """Adds this command's flags."""
    define = FlagGroups(values, "Page")
    define.text("export_dir", DEFAULT, MODEL)
    text = "Address to listen at; 0.0.0.0 opens the page to the network."
    define.text("host", "127.0.0.1", text)
    define.number("port", 8080, "Port; 0: any free one.", 0, 65535)


def main(values: flags.FlagValues) -> None:
    """Serves until it is interrupted."""
    from motionflow.web.server import serve

    def announce(address: str) -> None:
        text = f"{values.export_dir}: open {address} in a browser; Ctrl-C ends it"
        print(text, flush=True)

    serve(values.export_dir, values.host, values.port, announce)
