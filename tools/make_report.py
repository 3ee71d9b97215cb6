"""A run and a data directory -> one page of HTML to judge the model by.

    python tools/make_report.py --run_dir=R --data_dir=D [--split=validation|test]

Takes the flags of motionflow.evaluate, evaluates, and adds report.html to what that
writes: tables with intervals, the report's figures from this run, and videos, in one
file that needs no other.
"""

from collections.abc import Sequence

from absl import flags

from motionflow import cli
from motionflow.evaluation_flags import arguments, define_flags
from motionflow.report import page


def main(argv: Sequence[str]) -> None:
    """Reads the flags, writes the page and says where it is."""
    del argv
    path = page.make_report(**arguments(flags.FLAGS))
    print(f"wrote {path}, {path.stat().st_size / 1e6:.1f} MB: open it in a browser")


if __name__ == "__main__":
    cli.run(main, define_flags)
