"""An older name of `motionflow convert-efficientnet`, with the same flags."""

from motionflow import cli

if __name__ == "__main__":
    cli.run("convert-efficientnet")
