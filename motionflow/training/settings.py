"""One training, field by field the flags of `motionflow train`.

Each field says where it enters config.json: `model` fields rebuild the network,
`training` fields identify the run, and those in neither may differ when it is resumed.
"""

import dataclasses
from typing import Any

from motionflow.models import CLASS_WEIGHTS

OPTIMIZERS = ("adam", "adamw", "sgd")
SCHEDULES = ("drop", "step", "cosine")
STRATEGIES = ("one_device", "mirrored", "multi_worker", "tpu")
PRECISIONS = ("float32", "mixed_float16", "mixed_bfloat16")


def _field(section: str | None, default: Any, text: str, **limits: Any) -> Any:
    metadata = {"section": section, "help": text, "limits": limits}
    return dataclasses.field(default=default, metadata=metadata)


def _model(default: Any, text: str, **limits: Any) -> Any:
    return _field("model", default, text, **limits)


def _training(default: Any, text: str, **limits: Any) -> Any:
    return _field("training", default, text, **limits)


def _run(default: Any, text: str, **limits: Any) -> Any:
    return _field(None, default, text, **limits)


@dataclasses.dataclass(frozen=True)
class Settings:
    """Everything that the flags can say; `limits` of a field are absl's keywords."""

    data_dir: str = _run("data/tfrecords", "Data directory.")
    run_dir: str | None = _run(None, "Where results go; default runs/<model>.")

    model: str = _run("allconv", "Network, one of {networks}.")
    width: float = _model(1.0, "Factor on filters and units.", lower_bound=0.0)
    l2: float = _model(1e-5, "L2 on kernels: gradient l2 * w.", lower_bound=0.0)
    dropout: float = _model(0.3, "Share dropped.", lower_bound=0.0, upper_bound=0.9)
    literal_head: bool = _model(False, "allconv: batch norm and ReLU on the scores.")
    pretrained: str | None = _run(
        None,
        "efficientnet, guided: start from the trunk of the model in the box (default), "
        "of another packed model.npz, or of the .npz of `motionflow "
        "convert-efficientnet`.",
    )
    head: str = _model(
        "",
        "plain or dilated; by default dilated for efficientnet (guided has no other), "
        "plain for others; allconv and convnext can have both.",
    )
    freeze_trunk: bool = _model(False, "efficientnet, guided: train the head only.")
    train_trunk_from: int = _model(
        -1,
        "efficientnet, guided: freeze the trunk but for this block (0 to 15) and those "
        "after it; -1: all of it or nothing, as --freeze_trunk says.",
        lower_bound=-1,
    )

    blind: bool = _model(False, "guided: see what is known, but not the frame.")
    keep_trunk_maps: str | None = _run(
        None,
        "With --freeze_trunk: compute what the trunk says once and keep it in this "
        "folder.",
    )
    num_views: int = _training(
        4, "--keep_trunk_maps: views of each image, drawn ahead.", lower_bound=1
    )

    batch_size: int = _training(125, "Images a step, all replicas.", lower_bound=1)
    epochs: int = _training(81, "Epochs altogether.", lower_bound=1)
    optimizer: str = _training("adam", "Optimizer.", enum_values=list(OPTIMIZERS))
    weight_decay: float = _training(
        0.05, "adamw: kernels lose rate * this of themselves a step.", lower_bound=0.0
    )
    clip_norm: float = _training(
        0.0,
        "Scale gradients of a larger norm, over all weights, down to it; 0: none.",
        lower_bound=0.0,
    )
    learning_rate: float = _training(1e-3, "Its highest value.", lower_bound=0.0)
    learning_rate_schedule: str = _training(
        "drop",
        "drop: divided once, after the decay epoch; step: again after each as many "
        "epochs; cosine: down to 0 at the end.",
        enum_values=list(SCHEDULES),
    )
    learning_rate_decay_epoch: int = _training(
        3, "drop and step: after so many epochs; 0: never.", lower_bound=0
    )
    learning_rate_decay_factor: float = _training(
        10.0, "drop and step: what the rate is divided by.", lower_bound=1.0
    )
    warmup_epochs: float = _training(
        0.0, "Epochs in which the rate rises from 0.", lower_bound=0.0
    )
    ema_decay: float = _training(
        0.0,
        "Average the weights with this decay and use the average; 0: do not.",
        lower_bound=0.0,
        upper_bound=0.99999,
    )

    mirror: bool = _training(True, "Mirror half of the training images.")
    min_crop: float = _training(
        1.0,
        "Crop training images at random, keeping at least this share of the sides.",
        lower_bound=0.1,
        upper_bound=1.0,
    )
    brightness: float = _training(
        0.0, "Change brightness by up to this share.", lower_bound=0.0, upper_bound=1.0
    )
    contrast: float = _training(
        0.0, "Change contrast by up to this share.", lower_bound=0.0, upper_bound=1.0
    )
    saturation: float = _training(
        0.0, "Change saturation by up to this share.", lower_bound=0.0, upper_bound=1.0
    )

    class_weights: str = _training(
        "none", "Weights of the classes in the loss.", enum_values=list(CLASS_WEIGHTS)
    )
    class_weights_lambda: float = _training(
        0.5,
        "smoothed weights: 0 is inverse frequency, 1 no weights.",
        lower_bound=0.0,
        upper_bound=1.0,
    )
    logit_adjustment: float = _training(
        0.0, "Add so many log frequencies to the logits in the loss.", lower_bound=0.0
    )
    focal_gamma: float = _training(
        0.0, "Weight cells by (1 - p)^gamma.", lower_bound=0.0
    )
    label_smoothing: float = _training(
        0.0,
        "Share of each label that goes to the nearest centres.",
        lower_bound=0.0,
        upper_bound=0.9,
    )
    untilt: bool = _model(
        True,
        "Take class weights and adjusted logits out of the predictions, so that they "
        "are probabilities.",
    )

    teacher_forcing: float = _training(
        0.5,
        "sequences: share of the training in which they hear the true flow of the step "
        "before, less and less often; 0: never.",
        lower_bound=0.0,
        upper_bound=1.0,
    )

    flow_weight: float = _training(
        0.1,
        "guided: weight of the EPE of what is told something, beside cross-entropy.",
        lower_bound=0.0,
    )

    seed: int = _training(0, "Of weights, order, images, dropout.", lower_bound=0)
    strategy: str = _run("one_device", "Devices.", enum_values=list(STRATEGIES))
    precision: str = _training(
        "float32", "Keras precision policy.", enum_values=list(PRECISIONS)
    )
    checkpoint_steps: int = _run(
        100, "Save each so many steps of an epoch; 0: only after it.", lower_bound=0
    )
    num_checkpoints: int = _run(2, "Last checkpoints to keep.", lower_bound=1)
    num_best_checkpoints: int = _run(
        1, "Best epochs to keep, by validation cross-entropy.", lower_bound=0
    )
    profile_steps: str | None = _run(
        None, "FIRST,LAST step of the run to profile for TensorBoard."
    )

    def section(self, name: str) -> dict[str, Any]:
        """The fields of one section of config.json."""
        return {
            field.name: getattr(self, field.name)
            for field in dataclasses.fields(self)
            if field.metadata["section"] == name
        }

    def flag_lines(self) -> str:
        """The contents of a --flagfile that says the same."""
        values = dataclasses.asdict(self).items()
        return "".join(f"--{name}={v}\n" for name, v in values if v is not None)
