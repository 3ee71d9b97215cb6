"""One process of a training on several devices; see test_strategies.py.

    python -m tests.strategy_worker STRATEGY MODEL DATA_DIR RUN_DIR

prints what `learn` returns as one line of JSON. TF_CONFIG says who the other workers
are. mirrored gets two logical CPUs; they can train once in a process.
"""

import json
import sys

import tensorflow as tf


def learn(strategy: str, model: str, data_dir: str, run_dir: str) -> dict:
    """Trains; returns the replicas, metrics of both splits, norms of the weights."""
    # These touch the devices.
    from motionflow.training.trainer import Trainer
    from tests import tiny_run

    # Dropout draws other masks on each replica; the average has its own weights.
    # So does teacher forcing.
    changes = {"dropout": 0.0, "ema_decay": 0.5, "width": 0.1, "teacher_forcing": 0.0}
    changes |= {"strategy": strategy, "model": model}
    trainer = Trainer(tiny_run.settings(data_dir, run_dir, **changes))
    result = trainer.run()
    # A bias before batch normalisation has no gradient but rounding errors, which Adam
    # makes as large as any: kernels only.
    weights = trainer.model.trainable_weights
    weights = [float(tf.norm(weight)) for weight in weights if weight.shape.rank > 1]
    answer = {"replicas": trainer.strategy.num_replicas_in_sync, "weights": weights}
    return answer | {split: result[split] for split in ("training", "validation")}


def main(strategy: str, *arguments: str) -> None:
    if strategy == "mirrored":
        cpu = tf.config.list_physical_devices("CPU")[0]
        two = [tf.config.LogicalDeviceConfiguration()] * 2
        tf.config.set_logical_device_configuration(cpu, two)
    print(json.dumps(learn(strategy, *arguments)))


if __name__ == "__main__":
    main(*sys.argv[1:])
