"""A network by its name: the mean frame in front, float32 logits at the end.

    frames [B, S, S, 3] in 0..255 -> Standardize -> network -> logits [B, T, s, s, K]

The Keras model around a network's layers takes empty batches, and knows how long its
training waited for input.
"""

import contextlib
import re
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import numpy as np
import tensorflow as tf

from motionflow.compat import as_written, graph, keras
from motionflow.data.data_dir import DataDir
from motionflow.errors import InputError
from motionflow.models import (
    NetworkOptions,
    blocks,
    choose_head,
    choose_options,
    find_builder,
    network_options,
)
from motionflow.models.dilated_head import JOINED

# What a network may predict besides the next step on the grid; the data must keep it.
_TARGETS = ("dense_size", "sequence_length")
_Builder = TypeVar("_Builder", bound=Callable[..., tf.Tensor])


class InputClock:
    """Seconds that training steps waited for their batches, since it was last read."""

    def __init__(self) -> None:
        self._seconds = tf.Variable(0.0, trainable=False, dtype=tf.float64)

    def next(self, iterator: Iterator[Any]) -> Any:
        """Takes the next batch, inside a graph."""
        begin = tf.timestamp()
        with tf.control_dependencies([begin]):
            batch = next(iterator)
        with tf.control_dependencies(tf.nest.flatten(batch, expand_composites=True)):
            self._seconds.assign_add(tf.timestamp() - begin)
        return batch

    def read(self) -> float:
        """The seconds; begins anew."""
        seconds = float(self._seconds.numpy())
        self._seconds.assign(0.0)
        return seconds


class Network(keras.Model):
    """A functional model; see the module.

    A network that is fed more than frames is a subclass, which its builder `declares`.

    Attributes:
      takes_known: whether it can be told what is known of the motion, see `data.known`.
      grid_size: g, cells along one side of the grid of its features.
      finish: a training batch as it is read -> inputs, targets; inside the step.
      input_clock: what `fit` counts its waiting with; None before the first.
      draw: of networks of several steps: frames, noise [B, g, g, K] -> logits, each
        step being given the flow that the noise draws of the one before.
    """

    takes_known = False
    grid_size: int
    input_clock: InputClock | None = None
    draw: Callable[[tf.Tensor, tf.Tensor], tf.Tensor] | None = None
    finish: Callable[[Any], tuple[Any, tf.Tensor]] | None = None
    _after: Callable[..., tf.Tensor] | None = None
    train_function: Callable[..., Any] | None

    @property
    def num_steps(self) -> int:
        """T, how many steps ahead it looks; 1 but for sequences."""
        return self.output_shape[1]

    @property
    def fine_size(self) -> int:
        """s, cells along one side of each step's flow; g but for dense networks."""
        return self.output_shape[2]

    def call(
        self,
        inputs: tf.Tensor,
        training: bool | None = None,
        mask: tf.Tensor | None = None,
    ) -> tf.Tensor:
        """Puts one black frame in the place of none, and drops its logits.

        A replica's share of the last validation batch may be empty, and TensorFlow's
        convolution on CPUs (oneDNN, both 2.15 and 2.21) then returns the input's shape.
        """
        if training:
            return super().call(inputs, training, mask)
        num_frames = tf.shape(inputs)[0]
        missing = tf.cast(num_frames == 0, tf.int32)
        frames = tf.pad(inputs, [[0, missing], [0, 0], [0, 0], [0, 0]])
        return super().call(frames, training, mask)[:num_frames]

    def connect(self) -> None:
        """Adds the ways to logits that `call` does not go."""

    def set_up(self, centers: np.ndarray, **training: float) -> None:
        """Takes the codebook [K, 2] and those settings of a training that it knows."""

    def start_from_maps(self) -> None:
        """Training and validation are fed the trunk's maps in the place of frames."""
        after = keras.Model(self.get_layer(JOINED).output, self.output, name="after")
        # In a function, so that Keras counts no layer twice.
        self._after = lambda inputs, training: after(inputs, training=training)

    def train_step(self, data: Any) -> dict[str, tf.Tensor]:
        """Keras' own, but for what `finish` and `forward` make of the batch."""
        inputs, targets = self.finish(data) if self.finish else data
        # Of what trains only: else a frozen trunk is traced backward, too.
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(self.trainable_variables)
            logits, more_loss = self.forward(inputs, targets)
            loss = self.compute_loss(inputs, targets, logits) + more_loss
        self.optimizer.minimize(loss, self.trainable_variables, tape=tape)
        return self.compute_metrics(inputs, targets, logits, None)

    def forward(
        self, inputs: Any, targets: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor | float]:
        """A training batch -> logits, and what the loss has beside their own."""
        return (self._after or self)(inputs, training=True), 0.0

    def test_step(self, data: tuple[tf.Tensor, tf.Tensor]) -> dict[str, tf.Tensor]:
        """Keras' own, also from maps on."""
        inputs, targets = data
        logits = (self._after or self)(inputs, training=False)
        self.compute_loss(inputs, targets, logits)
        return self.compute_metrics(inputs, targets, logits, None)

    def make_train_function(self, force: bool = False) -> Callable[..., Any]:
        """One step of `fit`, as Keras makes it, but for the clock."""
        if self.train_function is None or force:
            strategy = self.distribute_strategy
            with strategy.scope():
                self.input_clock = clock = InputClock()

            def train_function(iterator: Iterator[Any]) -> Any:
                batch = clock.next(iterator)
                logs = strategy.run(self.train_step, args=(batch,))
                # Metrics are the same on every replica.
                return tf.nest.map_structure(
                    lambda value: strategy.experimental_local_results(value)[0], logs
                )

            self.train_function = graph(train_function, reduce_retracing=True)
        return self.train_function


def declares(
    model_class: type[Network] = Network, pixel_mean: float | None = None
) -> Callable[[_Builder], _Builder]:
    """Notes what `build_model` must know of a builder.

    That is the Keras model around its layers, and a value of 0..255 that its weights
    expect in the place of the mean frame.
    """

    def note(build: _Builder) -> _Builder:
        vars(build).update(model_class=model_class, pixel_mean=pixel_mean)
        return build

    return note


def _model_class(name: str) -> type[Network]:
    return getattr(find_builder(name), "model_class", Network)


def takes_known(name: str) -> bool:
    """Whether a network can be told what is known of the motion."""
    return _model_class(name).takes_known


def target_options(name: str, data: DataDir) -> dict[str, int]:
    """What `build_model` must be told of the targets, of `_TARGETS`."""
    labels, taken = data.labels, network_options(name)
    sizes = (labels.store_dense_flow, labels.sequence_length)
    found = dict(zip(_TARGETS, sizes, strict=True))
    return {option: size for option, size in found.items() if option in taken}


def target_view(name: str, data: DataDir) -> DataDir:
    """The data directory with the targets of a network.

    Raises:
      InputError: the data do not keep them.
    """
    taken = network_options(name)
    past = takes_known(name) and data.labels.past_frames > 0
    dense, sequence = (option in taken for option in _TARGETS)
    return data.view(dense, sequence, past)


@contextlib.contextmanager
def in_float32() -> Iterator[None]:
    """Inside, networks are built in float32 whatever they are trained in."""
    policy = keras.mixed_precision.global_policy()
    keras.mixed_precision.set_global_policy("float32")
    try:
        yield
    finally:
        keras.mixed_precision.set_global_policy(policy)


@as_written
def build_model(
    name: str,
    *,
    mean_frame: np.ndarray,
    num_clusters: int,
    grid_size: int,
    width: float = 1.0,
    l2: float = 0.0,
    dropout: float = 0.0,
    untilt: bool = False,
    head: str = "",
    freeze_trunk: bool = False,
    train_trunk_from: int = -1,
    fixed_norm: bool = False,
    **own: Any,
) -> Network:
    """Builds a network with the mean frame as its first layer and float32 logits.

    Args:
      name: of `network_names`.
      mean_frame: float32 [S, S, 3], 0..255; its side is the size of the input. Networks
        that begin with weights of another training have a value of their own instead.
      num_clusters: K, the size of the codebook.
      grid_size: cells along one side of the flow grid.
      width: factor on the numbers of filters and units.
      l2: weight of the L2 regularisation, in Torch7's sense.
      dropout: share dropped where a network drops.
      untilt: end with `blocks.Untilt`, whose tilt is zero until it is assigned.
      head: see `choose_head`.
      freeze_trunk: train the head of a network with a trunk only.
      train_trunk_from: freeze the trunk but for this block and those after it; below 0:
        as `freeze_trunk` says.
      fixed_norm: keep the trunk's batch normalisation as it is, see `fix_norms`.
      **own: what this network takes besides, see `network_options`.

    Returns:
      A model from frames [B, S, S, 3] in 0..255 (float32; uint8 is cast) to logits
      [B, T, s, s, K] in float32; T is 1 and s is grid_size, unless the network takes a
      sequence_length or a dense_size.

    Raises:
      InputError: unknown name, a grid, head or option that the network does not have,
        or no trunk (or block of it) to freeze.
    """
    build = find_builder(name)
    own = choose_options(name, {"head": choose_head(name, head)} | own)
    frames = keras.Input(mean_frame.shape, dtype="float32", name="frames")
    standardize = blocks.Standardize(name="standardize")
    options = NetworkOptions(grid_size, num_clusters, width, l2, dropout)
    scores = build(standardize(frames), options, **own)
    fine_size = own.get("dense_size", grid_size)
    shape = own.get("sequence_length", 1), fine_size, fine_size, num_clusters
    cells = keras.layers.Reshape(shape, name="cells")(scores)
    if untilt:
        end = blocks.Untilt(dtype="float32", name="logits")
    else:
        end = keras.layers.Activation("linear", dtype="float32", name="logits")
    model = _model_class(name)(frames, end(cells), name=name)
    mean = getattr(build, "pixel_mean", None)
    mean = mean_frame if mean is None else np.full_like(mean_frame, mean)
    standardize.mean_frame.assign(mean)
    model.grid_size = grid_size
    model.connect()
    if freeze_trunk or train_trunk_from >= 0:
        freeze(model, train_trunk_from)
    if fixed_norm:
        fix_norms(model)
    return model


def trunk_layers(model: keras.Model, flag: str) -> list[keras.layers.Layer]:
    """The layers of a trunk, which a flag asks for; an InputError where none are."""
    found = [layer for layer in model.layers if layer.name.startswith(blocks.TRUNK)]
    if not found:
        raise InputError(f"{model.name} has no trunk: {flag} is for efficientnet")
    return found


def freeze(model: keras.Model, train_from: int = -1) -> None:
    """Keeps a trunk as it is, from its first block to that before `train_from`.

    Nothing trains there, batch normalisation uses its moving averages; below 0: all.
    """
    layers = trunk_layers(model, "--freeze_trunk")
    last = max(map(_block_number, layers))
    if train_from > last:
        raise InputError(f"--train_trunk_from={train_from}: the last block is {last}")
    for layer in layers:
        layer.trainable = 0 <= train_from <= _block_number(layer)


def _block_number(layer: keras.layers.Layer) -> int:
    """-1 for the stem."""
    found = re.match(rf"{blocks.TRUNK}block(\d+)_", layer.name)
    return int(found[1]) if found else -1


def fix_norms(model: keras.Model) -> None:
    """Keeps a trunk's batch normalisation as it is, where the rest of it trains too.

    It uses its moving averages in training, and all four of its weights stay: those of
    the other pictures are better than what a few clips give.
    """
    for layer in trunk_layers(model, "--pretrained"):
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.trainable = False
