"""Makes one page of HTML to judge a model by.

    motionflow report R --data_dir=D [--split=validation|test]

Takes the flags of `evaluate`, evaluates, and adds report.html to what that writes: what
the model can do in plain words, films, tables with intervals, and figures, in one file
that needs no other.
"""

from absl import flags

from motionflow import cli
from motionflow.commands.evaluation_flags import arguments, define_flags

__all__ = ["define_flags", "main"]

WORDS = "run_dir"


def main(values: flags.FlagValues) -> None:
    """Writes the page and says where it is."""
    from motionflow.report import page

    with cli.progress_bar(values.split, "frame") as progress:
        path = page.make_report(**arguments(values, progress))
    print(f"wrote {path}, {path.stat().st_size / 1e6:.1f} MB: open it in a browser")
