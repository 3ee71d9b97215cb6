"""What a data set of any size costs, computed from rates that were measured.

    python benchmarks/scale.py

Nothing is measured here; the flags' defaults are what other benchmarks measured.
Extraction is the time of its flow calls and outside of them, divided by cores that each
do a share of what one alone does; Beam's workers start later, and each loses what it
loses in beam_overhead.py. What is behind extraction runs on one machine.
Training is the operations of the layers' convolutions and products (three times those
of a forward pass, once those of a frozen trunk) at assumed shares of the peak of an
NVIDIA H100 SXM, dense bfloat16, from its data sheet: 989 TFLOP/s.
"""

import argparse
import math
from collections.abc import Iterable

import numpy as np
from common import print_table

from motionflow.compat import keras
from motionflow.models.dilated_head import JOINED
from motionflow.models.network import build_model

PEAK = 989e12  # operations a second
PAIRS = 3  # of a sample
TRAIN_SHARE = 0.8  # of the samples
SETTING = {"num_clusters": 40, "grid_size": 20}
MEAN_FRAME = np.full((200, 200, 3), 127, np.float32)
EPOCHS = {"allconv": 81, "guided": 12}
# Of the peak, assumed: large convolutions; 1x1 ones, whose maps have to be moved.
SHARES = {"allconv": 0.3, "guided": 0.05}


def operations(layers: Iterable[keras.layers.Layer]) -> int:
    """Of convolutions and fully connected layers on one image, a forward pass."""
    total = 0
    for layer in layers:
        weights = getattr(layer, "depthwise_kernel", getattr(layer, "kernel", None))
        if weights is not None:
            places = layer.output_shape[1:-1]  # of a fully connected one: none
            total += 2 * math.prod(places) * math.prod(weights.shape)
    return total


def training_rows(args: argparse.Namespace) -> Iterable[list[str]]:
    """Images a second by operations and by input, hours of a recipe."""
    for name, epochs in EPOCHS.items():
        model = build_model(name, mean_frame=MEAN_FRAME, **SETTING)
        layers = list(model.layers)
        trunk = 0
        if name == "guided":  # its recipe freezes the trunk
            trunk = 1 + layers.index(model.get_layer(JOINED))
        still, trained = operations(layers[:trunk]), operations(layers[trunk:])
        step = still + 3 * trained
        rate = SHARES[name] * PEAK / step
        images = epochs * TRAIN_SHARE * args.num_samples
        yield [
            name,
            f"{SHARES[name]:.0%}",
            f"{still / 1e9:.2f} + {trained / 1e9:.2f}",
            f"{step / 1e9:.1f}",
            f"{rate:,.0f}",
            *(f"{rate / per_core:.0f}" for per_core in args.input_rates),
            f"{images / rate / 60:.1f}",
            f"{images / min(rate, 16 * args.input_rates[0]) / 60:.1f}",
        ]


def extraction_rows(args: argparse.Namespace) -> Iterable[list[str]]:
    """Core seconds of a sample; hours by the amount and the machine."""
    amounts = 1000 * args.samples_of_clip, args.num_samples
    for name, pair in (("dis", args.dis_ms), ("deepflow", args.deepflow_ms)):
        flow = PAIRS * pair
        for cameras, stabilize in (("still", 0), ("stabilised", args.stabilize_ms)):
            sample = (flow + PAIRS * stabilize + args.outside_ms) / 1000
            cells = [f"{name}, {cameras}", f"{1000 * sample:.0f}"]
            for samples in amounts:
                beam = args.beam_start + samples * sample / 100 / args.beam_share
                many = samples * sample / 16 / args.core_share
                times = samples * sample, many, beam
                cells += [f"{seconds / 60:,.1f}" for seconds in times]
            yield cells


def main() -> None:
    """Prints the tables of extraction and training."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dis_ms", type=float, default=5.4, help="of a pair")
    parser.add_argument("--deepflow_ms", type=float, default=185.0)
    parser.add_argument("--stabilize_ms", type=float, default=10.0)
    parser.add_argument("--outside_ms", type=float, default=12.0, help="of a sample")
    parser.add_argument("--core_share", type=float, default=0.84, help="of 16 cores")
    parser.add_argument("--samples_of_clip", type=float, default=5.1)
    parser.add_argument("--num_samples", type=int, default=48_000)
    parser.add_argument("--beam_start", type=float, default=7.0, help="seconds")
    parser.add_argument("--beam_share", type=float, default=0.91, help="of each worker")
    parser.add_argument(
        "--input_rates",
        nargs=3,
        type=float,
        default=[969.0, 2502.0, 4331.0],
        help="images a second and core: png, jpeg, raw",
    )
    args = parser.parse_args()
    places = ["1 core", "16 cores", "Beam, 100"]
    large = f"{args.num_samples:,} samples"
    head = ["extraction", "ms a sample", *(f"1,000 clips, {p}" for p in places)]
    head += [f"{large}, {place}" for place in places]
    print_table(head, extraction_rows(args), "Minutes")
    head = [
        "training",
        "of the peak",
        "GFLOP forward, still + trained",
        "a step",
        "images/s",
    ]
    head += [f"cores to feed it, {name}" for name in ("png", "jpeg", "raw")]
    head += ["minutes, by operations", "minutes, png on 16 cores"]
    print_table(head, training_rows(args), f"{large}, one card")


if __name__ == "__main__":
    main()
