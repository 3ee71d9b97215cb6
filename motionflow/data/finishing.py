"""What training makes of a batch that was read, inside its step, on its device.

    frames, flow, past, draws --augment_samples--> frames, flow, past -> codes, targets
    flow, past, chances       --known.tell-------> known [B, g, g, 7]

The pipeline only reads and decodes: whole batches are changed where the arithmetic is.
All that is random was drawn before, by a sample's place in the epoch.
"""

import numpy as np
import tensorflow as tf

from motionflow.data.augmentation import Augmentation, augment
from motionflow.data.data_dir import DataDir
from motionflow.data.known import tell
from motionflow.data.pipeline import assign_codes, pack_targets


def finish(
    data_dir: DataDir, augmentation: Augmentation, batch: dict[str, tf.Tensor]
) -> tuple[tf.Tensor | tuple[tf.Tensor, tf.Tensor], tf.Tensor]:
    """Makes a network's input and targets of a batch of `pipeline.training_batches`.

    Args:
      data_dir: the view that was read.
      augmentation: what is done to the images.
      batch: on one replica.

    Returns:
      frames [B, S, S, 3] in 0..255, uint8 as they were read or float32 if changed;
      targets float32 [B, T, s, s, 3], see `pipeline.pack_targets`. Where the batch
      has chances, the first of the two is (frames, known [B, g, g, 7]).
    """
    frames, flow, past = augment_samples(data_dir, batch, batch["draws"], augmentation)
    if "codes" in batch and not augmentation.moves_pixels:
        codes = batch["codes"]
    else:
        codes = assign_codes(flow, data_dir.codebook.centers)
    targets = pack_targets(codes, flow)
    if "chances" not in batch:
        return frames, targets
    return (frames, tell(flow[:, 0], past, batch["chances"])), targets


def augment_samples(
    data_dir: DataDir, samples: dict, draws: tf.Tensor, augmentation: Augmentation
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Changes a batch of samples as `augment` does; the past goes with them.

    Returns:
      frames, flow, and the past [B, g, g, 2]: NaN where the directory's view has none.
    """
    frames, flow = samples["frames"], samples["flow"]
    sampling = "area" if data_dir.dense else data_dir.labels.grid_sampling
    if not data_dir.past:
        frames, flow = augment(frames, flow, draws, augmentation, sampling)
        return frames, flow, tf.fill(tf.shape(flow[:, 0]), np.float32(np.nan))
    both = tf.concat([flow, samples["past_flow"][:, None]], axis=1)
    frames, both = augment(frames, both, draws, augmentation, sampling)
    return frames, both[:, :-1], both[:, -1]
