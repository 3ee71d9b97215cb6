"""Networks: frames -> scores of the codebook's vectors in every cell of the grid.

    name --find_builder--> function --building.build_model--> Keras model

A network is one function, `register_network` its name. One of its layers has the name
`blocks.FEATURES`: scores are made from its output, [B, D] or [B, h, w, C]. Names that
begin with `trunk.TRUNK` belong to layers that can be loaded and frozen.

Every layer has a name of its own. Keras would count layers through the whole process,
and TensorFlow adds gradients up in the order of their names: "conv_10" before "conv_9".
What is learned would depend, in its last digit, on what was built before.

This file imports nothing heavy, so that a command knows the names at once.
"""

import importlib
from collections.abc import Callable
from typing import Any

from motionflow.errors import InputError

CLASS_WEIGHTS = ("none", "inverse_frequency", "smoothed")

# Networks whose builder takes `head`, "plain" or "dilated", and the one that each has
# where none is asked for. All others have a plain one.
OWN_HEADS = {"allconv": "plain", "convnext": "plain"}
OWN_HEADS |= {"efficientnet": "dilated", "guided": "dilated"}

# A function, or where it is found: its module is imported when it is built.
_BUILDERS: dict[str, str | Callable[..., Any]] = {
    "allconv": "allconv.build_allconv",
    "alexnet": "alexnet.build_alexnet",
    "walker": "walker.build_walker",
    "vgg": "vgg.build_vgg",
    "convnext": "convnext.build_convnext",
    "efficientnet": "efficientnet.build_efficientnet",
    "guided": "guided.build_guided",
    "dense": "dense.build_dense",
    "sequence": "sequence.build_sequence",
    "dense_sequence": "sequence.build_dense_sequence",
}


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
        the scores, a Keras tensor [B, g, g, K]. See `allconv.build_allconv`.

    Raises:
      InputError: it is the name of one of this package's networks.
    """
    if isinstance(_BUILDERS.get(name), str):
        raise InputError(f"{name} is a network of motionflow: choose another name")
    _BUILDERS[name] = build


def choose_head(name: str, head: str = "") -> str:
    """The head of a network: the one that is asked for, or its own.

    Args:
      name: of the network.
      head: "plain", "dilated", or "" for its own.

    Raises:
      InputError: the network has no such head.
    """
    if head not in ("", "plain", "dilated"):
        raise InputError(f"no head {head!r}: --head is plain or dilated")
    if head == "dilated" and name not in OWN_HEADS:
        raise InputError(
            f"{name} has no dilated head: --head=dilated is for {', '.join(OWN_HEADS)}"
        )
    return head or OWN_HEADS.get(name, "plain")


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
