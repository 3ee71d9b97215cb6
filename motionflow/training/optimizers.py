"""The optimizers and the learning rate of each step.

    settings -> Schedule -> make_optimizer

The rate is a function of the optimizer's own step, so it needs no callback, and a
resumed training finds it again.

Keras' Adam is some twelve operations a weight, each of which goes through memory once;
TensorFlow's own kernel is one, which reads weight, moments and gradient and writes the
first three: 28 bytes a weight.
"""

import math
from typing import Any

import tensorflow as tf

from motionflow.compat import keras

# Names of weights whose last part is no kernel's: biases, gamma, beta, factors.
_NO_KERNEL = r"(^|/)(?!\w*kernel)[^/]*$"


class Schedule(keras.optimizers.schedules.LearningRateSchedule):
    """The learning rate of each step; see the flags of `learning_rate_schedule`.

    Args:
      kind: one of `settings.SCHEDULES`.
      rate: the highest rate.
      total: steps of the whole training, for "cosine".
      decay: steps until the rate is divided, for "drop" and "step"; 0: never.
      factor: what it is divided by.
      warmup: steps in which it rises linearly; 0: none.
    """

    def __init__(
        self,
        kind: str,
        rate: float,
        total: int,
        decay: int = 0,
        factor: float = 10.0,
        warmup: int = 0,
    ):
        self._config: dict[str, Any] = {"kind": kind, "rate": rate, "total": total}
        self._config |= {"decay": decay, "factor": factor, "warmup": warmup}

    def __call__(self, step: tf.Tensor | int) -> tf.Tensor:
        """The rate of the step with this number, from 0; float32."""
        config, step = self._config, tf.cast(step, tf.float32)
        rate = config["rate"] * tf.minimum(1.0, (step + 1) / max(1, config["warmup"]))
        if config["kind"] == "cosine":
            rest = max(1, config["total"] - config["warmup"])
            done = tf.clip_by_value((step - config["warmup"]) / rest, 0.0, 1.0)
            return rate * 0.5 * (1 + tf.cos(math.pi * done))
        if not config["decay"]:
            return rate
        num = tf.floor(step / config["decay"])
        if config["kind"] == "drop":
            num = tf.minimum(num, 1.0)
        return rate / config["factor"] ** num

    def get_config(self) -> dict[str, Any]:
        """What it was made with."""
        return dict(self._config)


def _update_step(self: Any, gradient: tf.Tensor, variable: tf.Variable) -> None:
    """Adam's arithmetic (Kingma and Ba 2015, section 2) in one operation.

    The variables are Keras' own, so checkpoints are those of Keras' optimizers.
    """
    dtype, index = variable.dtype, self._index_dict[self._var_key(variable)]
    step = tf.cast(self.iterations + 1, dtype)
    tf.raw_ops.ResourceApplyAdam(
        var=variable.handle,
        m=self._momentums[index].handle,
        v=self._velocities[index].handle,
        beta1_power=tf.pow(tf.cast(self.beta_1, dtype), step),
        beta2_power=tf.pow(tf.cast(self.beta_2, dtype), step),
        lr=tf.cast(self.learning_rate, dtype),
        beta1=tf.cast(self.beta_1, dtype),
        beta2=tf.cast(self.beta_2, dtype),
        epsilon=tf.cast(self.epsilon, dtype),
        grad=tf.convert_to_tensor(gradient),  # of an embedding it is sparse
    )


class FusedAdam(keras.optimizers.Adam):
    """Keras' Adam in one operation a weight."""

    update_step = _update_step


class FusedAdamW(keras.optimizers.AdamW):
    """Keras' AdamW, its decay apart in one operation a weight."""

    update_step = _update_step


def make_optimizer(
    name: str,
    schedule: keras.optimizers.schedules.LearningRateSchedule,
    weight_decay: float = 0.0,
    clip_norm: float = 0.0,
) -> keras.optimizers.Optimizer:
    """Makes an optimizer with the settings of the field's recipes.

    "adam" has the report's decay rates, 0.9 and 0.999, and Torch7's epsilon; "sgd" a
    momentum of 0.9, as in Walker's and Simonyan's files. "adamw" is "adam" with decay
    that is no part of the gradient (Loshchilov and Hutter 2019, arXiv 1711.05101).

    Args:
      name: one of `settings.OPTIMIZERS`.
      schedule: the learning rate of each step.
      weight_decay: of "adamw": kernels lose so many times the rate at each step.
        Biases, batch normalisation and other factors stay free.
      clip_norm: gradients of a larger norm, over all weights, are scaled down to it;
        0: none are.
    """
    clip = {"global_clipnorm": clip_norm or None}
    adam = {"beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-8} | clip
    if name == "sgd":
        optimizer = keras.optimizers.SGD(schedule, momentum=0.9, **clip)
    elif name == "adamw":
        optimizer = FusedAdamW(schedule, weight_decay, **adam)
        optimizer.exclude_from_weight_decay(var_names=[_NO_KERNEL])
    else:
        optimizer = FusedAdam(schedule, **adam)
    if keras.mixed_precision.global_policy().name == "mixed_float16":
        # The loss is a sum over cells: from Keras' 2^15 on, its gradient overflows and
        # the first steps are lost until the scale has come down.
        return keras.mixed_precision.LossScaleOptimizer(optimizer, initial_scale=2**10)
    return optimizer
