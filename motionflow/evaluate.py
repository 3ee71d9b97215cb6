"""`python -m motionflow.evaluate`: an older name of `motionflow evaluate`."""

from motionflow import cli

if __name__ == "__main__":
    cli.run("evaluate")
