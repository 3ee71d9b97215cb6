"""The same extraction past one machine, on Apache Beam.

    clips --Create, Reshuffle--> workers: one clip at a time, in a process of its own
      --> one file of samples a clip, in the work folder

Elements are clips' names; frames and flow never travel through the pipeline. The work
folder has to lie where all workers and the machine that starts them see it, and so have
the videos. What follows extraction (split, codebook, shards) takes minutes where flow
takes hours and happens where the build was started, the same as after the local engine.
"""

import json
from collections.abc import Callable, Iterator, Sequence

from motionflow.data.clips import Clip
from motionflow.data.extraction import (
    DEFAULT_LIMITS,
    ClipLimits,
    Failure,
    WorkDir,
    make_pool,
    outcome,
    submit,
)
from motionflow.errors import InputError

try:
    import apache_beam
    from apache_beam.options.pipeline_options import PipelineOptions
except ImportError as error:
    raise InputError("--engine=beam needs Beam: pip install '.[beam]'") from error


class _Extract(apache_beam.DoFn):
    """Extracts clips one by one; leaves a note in the work folder where one fails."""

    def __init__(self, work: WorkDir, limits: ClipLimits):
        self._work, self._limits = work, limits

    def setup(self) -> None:
        self._pool = make_pool(1, self._limits)

    def process(self, clip: Clip) -> Iterator[str]:
        failure = outcome(
            submit(self._pool, clip, self._work, self._limits), self._limits
        )
        if failure:
            note = self._work.file(clip).with_suffix(".failed.json")
            note.write_text(json.dumps(failure))
        yield clip.path

    def teardown(self) -> None:
        self._pool.stop()
        self._pool.join()


def extract_clips(
    clips: Sequence[Clip],
    work: WorkDir,
    limits: ClipLimits = DEFAULT_LIMITS,
    pipeline_args: Sequence[str] = (),
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> dict[str, Failure]:
    """Makes the samples of all clips, on the runner that the pipeline's options name.

    Args:
      clips: what to extract.
      work: where the samples go; finished clips are found there.
      limits: what one clip may cost.
      pipeline_args: Beam's options, as on a command line.
      progress: called with (clips done, clips in all).

    Returns:
      clip path -> what is wrong with it, for the clips that gave nothing.
    """
    notes = {clip.path: work.file(clip).with_suffix(".failed.json") for clip in clips}
    for note in notes.values():
        note.unlink(missing_ok=True)  # of a run that was stopped: try again
    progress(0, len(clips))
    options = PipelineOptions(list(pipeline_args), save_main_session=False)
    with apache_beam.Pipeline(options=options) as pipeline:
        _ = (
            pipeline
            | "clips" >> apache_beam.Create(list(clips))
            | "spread" >> apache_beam.Reshuffle()
            | "extract" >> apache_beam.ParDo(_Extract(work, limits))
        )
    progress(len(clips), len(clips))
    return {
        path: Failure(*json.loads(note.read_text()))
        for path, note in notes.items()
        if note.exists()
    }
