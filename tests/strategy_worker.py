"""One process of a training on several devices; see test_strategies.py.

    python -m tests.strategy_worker STRATEGY DATA_DIR RUN_DIR [MODEL]

prints training and validation metrics, and norms of the weights, as one line of JSON.
TF_CONFIG says who the other workers are. mirrored gets two logical CPUs.
"""

import json
import sys

import tensorflow as tf


def main(strategy: str, data_dir: str, run_dir: str, model: str = "allconv") -> None:
    if strategy == "mirrored":
        cpu = tf.config.list_physical_devices("CPU")[0]
        two = [tf.config.LogicalDeviceConfiguration()] * 2
        tf.config.set_logical_device_configuration(cpu, two)

    # These touch the devices.
    from motionflow.training.trainer import Trainer
    from tests import tiny_run

    # Dropout draws other masks on each replica; the average has its own weights.
    # So does teacher forcing.
    changes = {"dropout": 0.0, "ema_decay": 0.5, "width": 0.1, "teacher_forcing": 0.0}
    changes |= {"strategy": strategy, "model": model}
    settings = tiny_run.settings(data_dir, run_dir, **changes)
    trainer = Trainer(settings)
    result = trainer.run()
    # A bias before batch normalisation has no gradient but rounding errors, which Adam
    # makes as large as any: kernels only.
    weights = trainer.model.trainable_weights
    weights = [float(tf.norm(weight)) for weight in weights if weight.shape.rank > 1]
    answer = {"replicas": trainer.strategy.num_replicas_in_sync, "weights": weights}
    answer |= {split: result[split] for split in ("training", "validation")}
    print(json.dumps(answer))


if __name__ == "__main__":
    main(*sys.argv[1:])
