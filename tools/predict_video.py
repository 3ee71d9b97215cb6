"""An older name of `motionflow animate`, with the same flags.

Its output is out.mp4 unless --output names another, and is replaced.
"""

from motionflow import cli

if __name__ == "__main__":
    cli.run("animate", {"output": "out.mp4", "overwrite": True})
