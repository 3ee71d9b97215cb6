"""Run directory + data directory -> how good the model is, beside rivals and baselines.

    python -m motionflow.evaluate --run_dir=R --data_dir=D [--split=validation|test]
    python -m motionflow.evaluate --model=X/1 --data_dir=D --output_dir=E

The second form takes an exported model. D may be another data directory than the model
was trained on: it is then scored in flow space only. Writes to `--output_dir`
(R/evaluation/<split>); see motionflow/scoring/assessment.py for what.
"""

from collections.abc import Sequence

from absl import flags

from motionflow import cli
from motionflow.evaluation_flags import arguments, define_flags
from motionflow.scoring import assessment


def main(argv: Sequence[str]) -> None:
    """Reads the flags and evaluates."""
    del argv
    chosen = arguments(flags.FLAGS)
    print(assessment.markdown(assessment.assess(**chosen)))
    print(f"Written to {chosen['output_dir']}")


if __name__ == "__main__":
    cli.run(main, define_flags)
