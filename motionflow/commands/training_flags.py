"""The flags of a training, for the commands that train and that sweep.

flags -> training.settings.Settings
"""

import dataclasses
from typing import Any

from absl import flags

from motionflow.errors import InputError
from motionflow.flag_groups import FlagGroups
from motionflow.models import network_names
from motionflow.training.settings import Settings

# By the first setting of each.
_GROUPS = {
    "data_dir": "Input and output",
    "model": "Network",
    "batch_size": "Training",
    "mirror": "Images",
    "class_weights": "Loss",
    "teacher_forcing": "Sequences",
    "seed": "How it runs",
}


def define_flags(values: flags.FlagValues) -> None:
    """Defines a flag for each field of the settings on a registry."""
    define = FlagGroups(values, "")
    for field in dataclasses.fields(Settings):
        if field.name in _GROUPS:
            define.group(_GROUPS[field.name])
        _define(define, field)


def _define(define: FlagGroups, field: dataclasses.Field) -> None:
    default: Any = field.default
    name, limits = field.name, field.metadata["limits"]
    text = field.metadata["help"].format(networks=", ".join(network_names()))
    if "enum_values" in limits:
        define.choice(name, default, limits["enum_values"], text)
    elif isinstance(default, bool):
        define.switch(name, default, text)
    elif isinstance(default, int | float):
        bounds = limits.get("lower_bound"), limits.get("upper_bound")
        define.number(name, default, text, *bounds)
    else:
        define.text(name, default, text)


def settings_from(values: flags.FlagValues) -> Settings:
    """Reads parsed flags.

    Raises:
      InputError: no such network.
    """
    names = [field.name for field in dataclasses.fields(Settings)]
    chosen: dict[str, Any] = {name: values[name].value for name in names}
    if chosen["model"] not in network_names():
        raise InputError(
            f"--model={chosen['model']} is none of {', '.join(network_names())}; one "
            f"of your own needs --import_module"
        )
    return Settings(**chosen)
