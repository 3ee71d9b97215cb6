"""An older name of `motionflow restore`, with the same flags.

Its output is restored.mp4 unless --output names another, and is replaced.
"""

from motionflow import cli

if __name__ == "__main__":
    cli.run("restore", {"output": "restored.mp4", "overwrite": True})
