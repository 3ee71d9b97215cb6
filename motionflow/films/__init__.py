"""What a trained network makes of pictures: their motion, films, missing frames.

The names of what can be chosen stand here, where reading them imports nothing.
"""

from motionflow.errors import InputError

# What a film is written as: a suffix, none for a folder of PNG frames.
FORMATS = {"mp4": ".mp4", "gif": ".gif", "png": ""}
# What fills the frames that a video lacks, see `filling`.
METHODS = ("predicted", "flow")
_GONE = {"forward": "predicted", "blend": "flow", "repeat": "flow"}


def check_method(method: str) -> None:
    """Refuses a method that no gap can be filled with.

    Raises:
      InputError: says which there are, or what to take in the place of an older one.
    """
    if method in _GONE:
        raise InputError(
            f"the method {method} is gone: --method={_GONE[method]} restores better"
        )
    if method not in METHODS:
        raise InputError(f"method is {method!r}, expected one of {', '.join(METHODS)}")
