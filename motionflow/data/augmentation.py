"""Random changes of training images whose flow is known exactly afterwards.

    frames uint8 [B, S, S, 3], flow [B, g, g, 2], draws [B, 7] -> frames, flow

A whole batch at a time, inside the training step (`data.finishing`). Flow of several
steps, [B, T, g, g, 2], changes like that of one.

- mirroring left to right: the grid is mirrored, dx changes sign. The report gave it up
  since it "would have entailed reclassifying every label"; the records hold the
  unquantised flow, so classes are found anew after any of these changes.
- a random crop, enlarged to the frame's size: what lay at p lies at (p - corner) /
  side, so the flow becomes flow / side, read between cells where the grids do not meet.
  Linear in between, and beyond the outermost cells: an affine flow stays exact.
- random gains of brightness, of contrast about the image's mean gray and of saturation
  about each pixel's gray, which move nothing. Each is linear in the pixels, so one
  product with a 3x3 matrix an image does all of them.

One `crop_and_resize` does mirroring and cropping together.
"""

import dataclasses

import tensorflow as tf

# Of a sample: mirror, side, left, top; gains of brightness, contrast, saturation.
NUM_DRAWS = 7
_NUM_OLD_DRAWS = 5  # all of them before there was contrast and saturation
_GRAY = (0.299, 0.587, 0.114)  # of red, green, blue (ITU-R BT.601)


@dataclasses.dataclass(frozen=True)
class Augmentation:
    """What may be done to a training image.

    Attributes:
      mirror: mirror with probability one half.
      min_crop: a crop keeps a share of the sides between this and 1; 1: no crop.
      brightness: the gain lies between 1 - brightness and 1 + brightness; 0: none.
      contrast: as brightness, about the image's mean gray.
      saturation: as brightness, about each pixel's gray.
    """

    mirror: bool = False
    min_crop: float = 1.0
    brightness: float = 0.0
    contrast: float = 0.0
    saturation: float = 0.0

    @property
    def moves_pixels(self) -> bool:
        """Whether flow and classes change."""
        return self.mirror or self.min_crop < 1

    @property
    def recolors(self) -> bool:
        """Whether colours change."""
        return bool(self.brightness or self.contrast or self.saturation)


def draw(num_samples: int, seed: int, epoch: int) -> tf.Tensor:
    """The draws of an epoch's samples: float32 [num_samples, 7] in [0, 1).

    The first five are what they were when there were no others: older runs go on.
    """
    old, new = (
        tf.random.stateless_uniform([num_samples, num], [seed, key])
        for num, key in ((_NUM_OLD_DRAWS, epoch), (NUM_DRAWS - _NUM_OLD_DRAWS, ~epoch))
    )
    return tf.concat([old, new], axis=1)


def augment(
    frames: tf.Tensor,
    flow: tf.Tensor,
    draws: tf.Tensor,
    options: Augmentation,
    grid_sampling: str = "area",
) -> tuple[tf.Tensor, tf.Tensor]:
    """Changes each sample of a batch by its own draws.

    Args:
      frames: uint8 [B, S, S, 3].
      flow: float32 [B, T, g, g, 2], pixels of the frame.
      draws: float32 [B, 7] in [0, 1), see `NUM_DRAWS`.
      options: what to do.
      grid_sampling: "area" if the grid's vectors belong to the middle of their blocks,
        "point" if to the pixel behind it (see `flow.to_grid`).

    Returns:
      frames of the same shape, float32 in 0..255, or as they came if nothing is to be
      done; flow float32 of its old shape, pixels of the new frames.
    """
    if not (options.moves_pixels or options.recolors):
        return frames, flow
    frames = tf.cast(frames, tf.float32)  # bytes cannot be cropped on a GPU
    num_steps = flow.shape[1]
    flow = tf.concat(tf.unstack(flow, axis=1), axis=-1)  # [B, g, g, 2 T]
    is_mirrored = tf.logical_and(draws[:, 0] < 0.5, options.mirror)
    if options.moves_pixels and (options.min_crop < 1 or grid_sampling == "point"):
        frames, flow = _crop(frames, flow, draws, is_mirrored, options, grid_sampling)
    elif options.mirror:
        signs = tf.tile([-1.0, 1.0], [flow.shape[-1] // 2])
        frames = _choose(is_mirrored, _mirrored(frames), frames)
        flow = _choose(is_mirrored, _mirrored(flow) * signs, flow)
    if options.recolors:
        frames = _recolor(frames, draws, options)
    return frames, tf.stack(tf.split(flow, num_steps, axis=-1), axis=1)


# Takes whole images of a batch, where TensorFlow 2's would take each pixel.
_choose = tf.compat.v1.where


def _mirrored(images: tf.Tensor) -> tf.Tensor:
    """[B, H, W, C], left to right."""
    # Reversing the middle one of three axes is twice as fast.
    rows = tf.reshape(images, [-1, *images.shape[2:]])
    return tf.reshape(tf.reverse(rows, [1]), tf.shape(images))


def _recolor(frames: tf.Tensor, draws: tf.Tensor, options: Augmentation) -> tf.Tensor:
    """Changes brightness, then contrast, then saturation; cut to 0..255 at the end."""

    def gain(strength: float, column: int) -> tf.Tensor:
        if not strength:
            return tf.ones_like(draws[:, 0, None, None])
        return 1 + strength * (2 * draws[:, column, None, None] - 1)

    brightness = gain(options.brightness, 4)
    contrast = gain(options.contrast, 5)
    saturation = gain(options.saturation, 6)
    gray = tf.constant([[weight] for weight in _GRAY])
    mixed = saturation * tf.eye(3) + (1 - saturation) * tf.tile(gray, [1, 3])
    pixels = tf.reshape(frames, [-1, frames.shape[1] * frames.shape[2], 3])
    changed = tf.matmul(pixels, brightness * contrast * mixed)
    if options.contrast:
        mean = tf.matmul(tf.reduce_mean(pixels, axis=1, keepdims=True), gray)
        changed += (1 - contrast) * brightness * mean
    return tf.reshape(tf.clip_by_value(changed, 0.0, 255.0), tf.shape(frames))


def _crop(
    frames: tf.Tensor,
    flow: tf.Tensor,
    draws: tf.Tensor,
    is_mirrored: tf.Tensor,
    options: Augmentation,
    grid_sampling: str,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Crops, enlarges and mirrors.

    Positions are pixel indices: the new pixel j shows what lay at corner + side * j.
    """
    size, grid = frames.shape[1], flow.shape[1]
    side = options.min_crop + (1 - options.min_crop) * draws[:, 1]
    left, top = ((1 - side) * (size - 1) * draws[:, i] for i in (2, 3))
    new = _sample(frames, left, top, side, is_mirrored)
    # The same in cells: the first one's vector lies at pixel `first`.
    block = size // grid
    first = block // 2 if grid_sampling == "point" else (block - 1) / 2
    left, top = ((corner + (side - 1) * first) / block for corner in (left, top))
    # In blocks of even size no pixel is the middle one: mirrored, points lie beside it.
    left += tf.where(is_mirrored, side * (block - 1 - 2 * first) / block, 0.0)
    new_flow = _sample(_extrapolated(flow), left + 1, top + 1, side, is_mirrored, grid)
    sign = tf.where(is_mirrored, -1.0, 1.0)
    scale = tf.stack([sign, tf.ones_like(sign)], axis=-1) / side[:, None]
    scale = tf.tile(scale, [1, flow.shape[-1] // 2])
    return new, new_flow * scale[:, None, None, :]


def _sample(
    images: tf.Tensor,
    left: tf.Tensor,
    top: tf.Tensor,
    side: tf.Tensor,
    is_mirrored: tf.Tensor,
    num: int | None = None,
) -> tf.Tensor:
    """Reads images [B, N, N, C] at corner + side * (0 .. num - 1), bilinearly."""
    last = images.shape[1] - 1
    num = num or images.shape[1]
    right, bottom = (corner + side * (num - 1) for corner in (left, top))
    left, right = (
        tf.where(is_mirrored, right, left),
        tf.where(is_mirrored, left, right),
    )
    boxes = tf.stack([top, left, bottom, right], axis=-1) / last
    # Rounding must not put the outermost pixel outside, where zeros are read.
    boxes = tf.clip_by_value(boxes, 0.0, 1.0)
    return tf.image.crop_and_resize(
        images, boxes, tf.range(tf.shape(images)[0]), [num, num]
    )


def _extrapolated(flow: tf.Tensor) -> tf.Tensor:
    """Adds a cell on each side that continues the two outermost ones linearly."""
    for axis in (1, 2):
        size = flow.shape[axis]
        a, b, y, z = (
            tf.gather(flow, [i], axis=axis) for i in (0, 1, size - 2, size - 1)
        )
        flow = tf.concat([2 * a - b, flow, 2 * z - y], axis=axis)
    return flow
