"""`python -m motionflow.train`: an older name of `motionflow train`."""

from motionflow import cli

if __name__ == "__main__":
    cli.run("train")
