"""An older name of `motionflow sample-clips`, with the same flags."""

from motionflow import cli

if __name__ == "__main__":
    cli.run("sample-clips")
