"""The flags of a training, for the command that trains and the tool that sweeps.

flags -> training.settings.Settings
"""

import dataclasses
from collections.abc import Callable
from typing import Any

from absl import flags

from motionflow.training.settings import Settings


def define_flags(flag_values: flags.FlagValues = flags.FLAGS) -> None:
    """Defines a flag for each field of the settings on a registry."""
    define: dict[Any, Callable[..., Any]] = {
        bool: flags.DEFINE_bool,
        int: flags.DEFINE_integer,
        float: flags.DEFINE_float,
    }
    for field in dataclasses.fields(Settings):
        limits = field.metadata["limits"]
        function: Callable[..., Any] = define.get(field.type, flags.DEFINE_string)
        function = flags.DEFINE_enum if "enum_values" in limits else function
        options = {"default": field.default, "help": field.metadata["help"], **limits}
        function(field.name, flag_values=flag_values, **options)


def settings_from(flag_values: flags.FlagValues) -> Settings:
    """Reads parsed flags."""
    names = [field.name for field in dataclasses.fields(Settings)]
    values: dict[str, Any] = {name: flag_values[name].value for name in names}
    return Settings(**values)
