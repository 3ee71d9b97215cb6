"""Networks: frames -> scores of the codebook's vectors in every cell of the grid.

    name --find_builder--> function --network.build_model--> Keras model

A network of this package is a function of standardised frames [B, S, S, 3] and of
`NetworkOptions`, to the scores. Whatever else it takes are its keyword-only parameters:
`network_options` reads them there, and `network.build_model` refuses all others. One of
its layers has the name `blocks.FEATURES`: scores are made from its output, [B, D] or
[B, h, w, C]. Layers whose names begin with `blocks.TRUNK` can be loaded and frozen.

Every layer has a name of its own. Keras would count layers through the whole process,
and TensorFlow adds gradients up in the order of their names: "conv_10" before "conv_9".
What is learned would depend, in its last digit, on what was built before.

This file imports nothing heavy, so that a command knows the names at once.
"""

import dataclasses
import importlib
import inspect
from collections.abc import Callable, Mapping
from typing import Any

from motionflow.errors import InputError

CLASS_WEIGHTS = ("none", "inverse_frequency", "smoothed")
HEADS = ("plain", "dilated")
_OFF = (None, False, 0, "", "plain")

# A function, or where it is found: its module is imported when it is built.
_BUILDERS: dict[str, str | Callable[..., Any]] = {
    "allconv": "allconv.build_allconv",
    "alexnet": "fully_connected.build_alexnet",
    "walker": "fully_connected.build_walker",
    "vgg": "fully_connected.build_vgg",
    "convnext": "convnext.build_convnext",
    "efficientnet": "efficientnet.build_efficientnet",
    "guided": "guided.build_guided",
    "dense": "dense.build_dense",
    "sequence": "sequence.build_sequence",
    "dense_sequence": "sequence.build_dense_sequence",
}


@dataclasses.dataclass(frozen=True)
class NetworkOptions:
    """What every network takes.

    Attributes:
      grid_size: g, cells along one side of the data's grid.
      num_clusters: K, the size of the codebook.
      width: factor on the numbers of filters and units, but for the scores'.
      l2: weight of the L2 regularisation, see `blocks.l2_penalty`.
      dropout: share dropped where a network drops.
    """

    grid_size: int
    num_clusters: int
    width: float = 1.0
    l2: float = 0.0
    dropout: float = 0.0

    def scaled(self, num_filters: int) -> int:
        """A table's number of filters or units times the width, at least 1."""
        return max(1, round(num_filters * self.width))


def network_names() -> list[str]:
    """The names that `--model` takes, in the order in which they were registered."""
    return list(_BUILDERS)


def register_network(name: str, build: Callable[..., Any]) -> None:
    """Makes a network of your own known, so that `--model=name` trains it.

    Args:
      name: what it is called in flags and in the run's config.json. Who loads the run
        must have registered it too.
      build: from standardised frames float32 [B, S, S, 3], grid_size g, num_clusters K
        and the keywords width, l2, dropout and literal_head (which it may ignore) to
        the scores, a Keras tensor [B, g, g, K].

    Raises:
      InputError: it is the name of one of this package's networks.
    """
    if isinstance(_BUILDERS.get(name), str):
        raise InputError(f"{name} is a network of motionflow: choose another name")

    def build_with(
        inputs: Any, options: NetworkOptions, *, literal_head: bool = False
    ) -> Any:
        return build(
            inputs,
            options.grid_size,
            options.num_clusters,
            width=options.width,
            l2=options.l2,
            dropout=options.dropout,
            literal_head=literal_head,
        )

    _BUILDERS[name] = build_with


def find_builder(name: str) -> Callable[..., Any]:
    """The function behind a name.

    Raises:
      InputError: nobody registered it.
    """
    if name not in _BUILDERS:
        raise InputError(
            f"no model {name!r}; choose one of {', '.join(_BUILDERS)}, or import the "
            f"module that registers it (--import_module)"
        )
    build = _BUILDERS[name]
    if isinstance(build, str):
        module, function = build.split(".")
        build = getattr(importlib.import_module(f"{__name__}.{module}"), function)
    return build


def network_options(name: str) -> dict[str, Any]:
    """What a network takes besides `NetworkOptions`: names, and their defaults."""
    parameters = inspect.signature(find_builder(name)).parameters.values()
    return {p.name: p.default for p in parameters if p.kind is p.KEYWORD_ONLY}


def choose_options(name: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Those of the options that a network takes; the others must be off.

    Raises:
      InputError: one of the others is not.
    """
    taken = network_options(name)
    for option, value in given.items():
        if option not in taken and value not in _OFF:
            raise InputError(
                f"{name} has no {option.replace('_', ' ')}: --{option} is for "
                f"{_networks_with(option)}"
            )
    return {option: value for option, value in given.items() if option in taken}


def choose_head(name: str, head: str = "") -> str:
    """The head of a network: the one that is asked for, or its own.

    Args:
      name: of the network.
      head: "plain", "dilated", or "" for its own.

    Raises:
      InputError: the network has no such head.
    """
    if head and head not in HEADS:
        raise InputError(f"no head {head!r}: --head is {' or '.join(HEADS)}")
    taken = network_options(name)
    if head == "dilated" and "head" not in taken:
        raise InputError(
            f"{name} has no dilated head: --head=dilated is for "
            f"{_networks_with('head')}"
        )
    return head or taken.get("head", "plain")


def _networks_with(option: str) -> str:
    return ", ".join(name for name in _BUILDERS if option in network_options(name))
