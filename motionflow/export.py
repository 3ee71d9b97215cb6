"""`python -m motionflow.export`: an older name of `motionflow export`."""

from motionflow import cli

if __name__ == "__main__":
    cli.run("export")
