"""The one exception for what a user can get wrong.

Raised at the boundary: a missing folder, a file that is no video, a codebook that does
not belong to the data. Its message says what was found and what was expected; the
command lines print it without a traceback. A bug raises anything else.
"""


class InputError(ValueError):
    """Input that the user can put right; the message says how."""
