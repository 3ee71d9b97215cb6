"""Where and how a training runs: devices, precision.

name -> tf.distribute.Strategy
"""

import logging
import time

import tensorflow as tf

from motionflow.compat import keras
from motionflow.errors import InputError
from motionflow.models.depthwise import is_on_cpu
from motionflow.training.settings import PRECISIONS, STRATEGIES

_LOG = logging.getLogger(__name__)
_PROBE_SIZE, _NUM_PROBES = 512, 5  # of the matrices that are multiplied; products
_SLOW = 1.5  # times float32, from which on it is no chance, on a busy machine too


def _mirrored() -> tf.distribute.Strategy:
    # Left to itself the strategy would ignore all logical CPUs but the first.
    devices = tf.config.list_logical_devices("GPU")
    devices = devices or tf.config.list_logical_devices("CPU")
    return tf.distribute.MirroredStrategy([device.name for device in devices])


def _tpu() -> tf.distribute.Strategy:
    try:
        resolver = tf.distribute.cluster_resolver.TPUClusterResolver()
    except ValueError as error:
        raise InputError(
            f"--strategy=tpu found no TPU ({error}); run on a TPU host or set TPU_NAME"
        ) from error
    tf.config.experimental_connect_to_cluster(resolver)
    tf.tpu.experimental.initialize_tpu_system(resolver)
    return tf.distribute.TPUStrategy(resolver)


_MAKERS = (
    tf.distribute.get_strategy,
    _mirrored,
    tf.distribute.MultiWorkerMirroredStrategy,
    _tpu,
)


def make_strategy(name: str) -> tf.distribute.Strategy:
    """Makes the strategy under which to build and fit a model.

    Args:
      name: one_device (TensorFlow's default placement), mirrored (every local GPU, or
        every logical CPU without one), multi_worker (the cluster in TF_CONFIG, same
        command on each worker, run directory on a shared disk), tpu.

    Raises:
      InputError: unknown name, or no TPU where one is asked for.
    """
    if name not in STRATEGIES:
        raise InputError(f"no strategy {name!r}; choose one of {', '.join(STRATEGIES)}")
    return dict(zip(STRATEGIES, _MAKERS, strict=True))[name]()


def finishes_on_host(strategy: tf.distribute.Strategy) -> bool:
    """Whether batches are finished in the pipeline: XLA for TPUs cannot crop images."""
    return isinstance(strategy, tf.distribute.TPUStrategy)


def is_chief(strategy: tf.distribute.Strategy) -> bool:
    """Whether this process is the one that writes the run directory."""
    resolver = strategy.cluster_resolver
    if not isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy):
        return True
    if resolver.task_type in ("", None, "chief"):
        return True
    has_chief = "chief" in resolver.cluster_spec().jobs
    return not has_chief and resolver.task_type == "worker" and resolver.task_id == 0


def set_precision(policy: str) -> None:
    """Sets the Keras precision policy: float32, mixed_float16 or mixed_bfloat16.

    Raises:
      InputError: unknown policy.
    """
    if policy not in PRECISIONS:
        raise InputError(
            f"no precision {policy!r}; choose one of {', '.join(PRECISIONS)}"
        )
    keras.mixed_precision.set_global_policy(policy)


def warn_if_slow(policy: str) -> None:
    """Says so where a CPU is slower in this precision than in float32, and how much."""
    if policy == "float32" or not is_on_cpu():
        return
    low = tf.as_dtype(policy.removeprefix("mixed_"))
    times = product_seconds(low) / product_seconds(tf.float32)
    if times > _SLOW:
        _LOG.warning(
            f"{policy} is slow here: this CPU takes {times:.1f} times as long as in "
            f"float32 for a product of matrices. --precision=float32 is faster"
        )


def product_seconds(dtype: tf.DType, size: int = _PROBE_SIZE) -> float:
    """The fastest of some products of two square matrices on a CPU."""
    matrix = tf.cast(tf.random.stateless_uniform([size] * 2, [0, 0]), dtype)
    seconds = []
    for _ in range(_NUM_PROBES):
        begin = time.perf_counter()
        tf.linalg.matmul(matrix, matrix)
        seconds.append(time.perf_counter() - begin)
    return min(seconds)
