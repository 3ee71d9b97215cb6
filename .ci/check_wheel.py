"""Run by the Python of an environment that holds the wheel and nothing else of ours.

    python -I check_wheel.py CHECKOUT

Every file of the package is there, and every module that needs no extra is imported.
"""

import importlib
import pkgutil
import sys
from pathlib import Path

EXTRAS = {"apache_beam", "flask", "grpc", "requests", "tenacity", "waitress"}


def files(package: Path) -> set[str]:
    """Names below a package's folder, but for compiled files."""
    found = (path for path in package.rglob("*") if path.is_file())
    names = {path.relative_to(package).as_posix() for path in found}
    return {name for name in names if "__pycache__" not in name}


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


if __name__ == "__main__":
    main(Path(sys.argv[1]))
