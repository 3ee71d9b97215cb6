"""An older name of `motionflow query`, with the same flags.

It replaces what is there.
"""

from motionflow import cli

if __name__ == "__main__":
    cli.run("query", {"overwrite": True})
