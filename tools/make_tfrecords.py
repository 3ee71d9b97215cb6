"""An older name of `motionflow data`, with the same flags."""

from motionflow import cli

if __name__ == "__main__":
    cli.run("data")
