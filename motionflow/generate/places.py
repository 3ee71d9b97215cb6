"""Flow at places between pixels: read, and made to be what is told there.

    flow [B, H, W, 2], places [B, M, 2] --flow_at-----> vectors [B, M, 2]
    flow, places, vectors               --keep_places-> flow with these vectors there

Places are x and y in pixels, counted from the centre of the first.
"""

import tensorflow as tf

# Of the weights' equations: two places next to each other may be told different things.
_RIDGE = 1e-4
_LEAST_WEIGHT = 0.25


def is_inside(places: tf.Tensor, size: tf.Tensor) -> tf.Tensor:
    """Whether places [B, M, 2] lie in a frame of this height and width, [B, M]."""
    end = tf.cast(size[::-1], tf.float32) - 0.5
    return tf.reduce_all((places >= -0.5) & (places < end), axis=-1)


def flow_at(flow: tf.Tensor, places: tf.Tensor) -> tf.Tensor:
    """Maps [B, H, W, C] between their pixels, at [B, M, 2]: bilinear, [B, M, C].

    Beyond the frame it is that of its edge.
    """
    height, width = tf.unstack(tf.shape(flow)[1:3])
    rows, columns = _hats(places[..., 1], height), _hats(places[..., 0], width)
    size = flow.shape[-1]
    lines = tf.matmul(rows, tf.reshape(flow, [-1, height, width * size]))
    lines = tf.reshape(lines, [-1, tf.shape(places)[1], width, size])
    return tf.reduce_sum(columns[..., None] * lines, axis=2)


def keep_places(
    flow: tf.Tensor,
    weights: tf.Tensor,
    places: tf.Tensor,
    vectors: tf.Tensor,
    told: tf.Tensor,
    cell: float | tf.Tensor,
) -> tf.Tensor:
    """Flow that is, at each told place, the vector that was told.

        flow(x) <- flow(x) + sum_j w_j exp(-|x - p_j|^2 / 2 cell^2)

    with the w_j that give each place p_j its own vector (radial basis functions).

    Args:
      flow: [B, H, W, 2].
      weights: [B, H, W, 1], 0 to 1, how far each pixel may be changed. Where it is less
        than a quarter a told place falls short.
      places: [B, M, 2], x and y.
      vectors: [B, M, 2].
      told: [B, M], 1 where something is told.
      cell: how far a change reaches, pixels.
    """
    height, width = tf.unstack(tf.shape(flow)[1:3])
    axes = [(places[..., 1], height), (places[..., 0], width)]
    hats = [_hats(*axis) for axis in axes]
    bells = [_bells(*axis, cell) * told[..., None] for axis in axes]
    # What each bell [M] is at each place [M], as the flow between pixels is read.
    reach = tf.reduce_prod(
        [tf.matmul(*pair, transpose_b=True) for pair in zip(hats, bells, strict=True)],
        axis=0,
    )
    missing = (vectors - flow_at(flow, places)) * told[..., None]
    missing /= tf.maximum(flow_at(weights, places), _LEAST_WEIGHT)
    # What is not told has the equation w_j = 0.
    ridge = tf.linalg.diag(1 - told + _RIDGE)
    shares = tf.linalg.solve(reach * told[..., None] + ridge, missing)
    rows, columns = bells
    along = columns[..., None] * shares[:, :, None]
    along = tf.reshape(along, [-1, tf.shape(places)[1], 2 * width])
    change = tf.matmul(rows, along, transpose_a=True)
    return flow + weights * tf.reshape(change, tf.shape(flow))


def along_ways(
    places: tf.Tensor, ends: tf.Tensor, vectors: tf.Tensor, told: tf.Tensor, cell: float
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Places on the straight ways to where each ends, a cell apart.

    Returns:
      places [B, N, 2], with the vectors and `told` of those whose ways they are on.
    """
    way = ends - places
    num = 1 + tf.math.ceil(tf.norm(way, axis=-1, keepdims=True) / cell)
    index = tf.range(tf.reduce_max(tf.concat([[[[1.0]]], num], axis=1)))
    share = tf.minimum(index / tf.maximum(num - 1, 1), 1)
    places = places[:, :, None] + share[..., None] * way[:, :, None]
    told = told[..., None] * tf.cast(index < num, tf.float32)
    vectors = tf.broadcast_to(vectors[:, :, None], tf.shape(places))
    batch = tf.shape(told)[0]
    places, vectors = (tf.reshape(x, [batch, -1, 2]) for x in (places, vectors))
    return places, vectors, tf.reshape(told, [batch, -1])


def _hats(places: tf.Tensor, size: tf.Tensor) -> tf.Tensor:
    """Shares of the pixels of an axis, [B, M] -> [B, M, size]."""
    last = tf.cast(size - 1, tf.float32)
    places = tf.clip_by_value(places, 0.0, last)[..., None]
    return tf.nn.relu(1 - tf.abs(places - tf.range(last + 1)))


def _bells(places: tf.Tensor, size: tf.Tensor, cell: float) -> tf.Tensor:
    pixels = tf.range(tf.cast(size, tf.float32))
    return tf.exp(-((places[..., None] - pixels) ** 2) / (2 * cell**2))
