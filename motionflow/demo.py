"""`python -m motionflow.demo`: an older name of `motionflow serve`."""

from motionflow import cli

if __name__ == "__main__":
    cli.run("serve", {"export_dir": "exported"})
