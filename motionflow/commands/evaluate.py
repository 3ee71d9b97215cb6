"""Scores a model beside baselines and other models, with intervals.

    motionflow evaluate R --data_dir=D [--split=validation|test]
    motionflow evaluate X/1 --data_dir=D --output_dir=E
    motionflow evaluate R --data_dir=D --known=none,past,arrows3

R is a run directory, X/1 an exported version. D may be another data directory than the
model was trained on: it is then scored in flow space only. Writes to --output_dir
(R/evaluation/<split>): metrics.json (everything), scores.npz (clip by clip, to pool),
tables.md, and the figures. With --known also tables of a model that is told something
of the motion, beside what needs no model, and known.npz.
"""

from absl import flags

from motionflow import cli
from motionflow.commands.evaluation_flags import arguments, define_flags

__all__ = ["define_flags", "main"]

WORDS = "run_dir"


def main(values: flags.FlagValues) -> None:
    """Evaluates, prints the tables."""
    from motionflow.scoring import assessment, tables

    with cli.progress_bar(values.split, "frame") as progress:
        chosen = arguments(values, progress)
        summary = assessment.assess(**chosen).summary
    print(tables.markdown(summary))
    print(f"Written to {chosen['output_dir']}")
