"""Run by the Python of an environment that holds the wheel and nothing else of ours.

    python -I check_wheel.py CHECKOUT

Every file of the package is there, every module that needs no extra is imported, and
the command `motionflow animate` makes a film of a picture with a tiny model.
"""

import importlib
import pkgutil
import subprocess
import sys
import tempfile
from pathlib import Path

EXTRAS = {"apache_beam", "flask", "grpc", "requests", "tenacity", "waitress"}


def files(package: Path) -> set[str]:
    """Names below a package's folder, but for compiled files."""
    found = (path for path in package.rglob("*") if path.is_file())
    names = {path.relative_to(package).as_posix() for path in found}
    return {name for name in names if "__pycache__" not in name}


def animate(folder: Path) -> None:
    """Runs the command as a user would, outside of the checkout."""
    from PIL import Image

    from tests import tiny_run  # of the checkout; motionflow is the wheel's

    tiny_run.write_run(folder / "run")
    Image.new("RGB", (90, 60), "teal").save(folder / "photo.png")
    command = [Path(sys.executable).with_name("motionflow"), "animate", "photo.png"]
    subprocess.run([*command, "--model=run"], cwd=folder, check=True)
    print(f"photo.mp4: {(folder / 'photo.mp4').stat().st_size} bytes")


def main(checkout: Path) -> None:
    """Ends with a message and exit code 1 where something is missing."""
    import motionflow

    package = Path(motionflow.__file__).parent
    if package.parent.name != "site-packages":
        sys.exit(f"motionflow comes from {package}, not from the wheel")
    if missing := files(checkout / "motionflow") ^ files(package):
        sys.exit(f"in one of checkout and wheel only: {', '.join(sorted(missing))}")
    names = [m.name for m in pkgutil.walk_packages([str(package)], "motionflow.")]
    without = []
    for name in names:
        try:
            importlib.import_module(name)
        except (ImportError, ValueError) as error:  # or an InputError that comes of one
            if getattr(error.__cause__ or error, "name", None) not in EXTRAS:
                raise
            without.append(name)
    print(f"{len(names) - len(without)} modules of motionflow {motionflow.__version__}")
    print(f"with an extra only: {', '.join(without)}")
    sys.path.append(str(checkout.resolve()))
    with tempfile.TemporaryDirectory() as folder:
        animate(Path(folder))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
