"""The command `motionflow`, also as `python -m motionflow`: hands over to a verb."""

import sys
from pathlib import Path
from typing import NoReturn

from motionflow import __version__, cli
from motionflow.commands import VERBS

_FOLDER = Path(__file__).parent / "commands"


def main() -> NoReturn:
    """Runs the verb that the command line names."""
    verb = sys.argv[1] if len(sys.argv) > 1 else "--help"
    if verb in ("--help", "-h", "help"):
        sys.exit(cli.show(overview()))
    if verb == "--version":
        sys.exit(cli.show(f"motionflow {__version__}"))
    if all(verb not in verbs for verbs in VERBS.values()):
        print(f"error: no command {verb!r}: motionflow --help", file=sys.stderr)
        sys.exit(1)
    # What argparse, tracebacks and recorded command lines call the program.
    sys.argv[:2] = [f"{Path(sys.argv[0]).name} {verb}"]
    cli.run(verb)


def overview() -> str:
    """All verbs with a line each."""
    width = max(len(verb) for verbs in VERBS.values() for verb in verbs) + 2
    lines = ["motionflow predicts how a picture will move, and plays it as a film."]
    for title, verbs in VERBS.items():
        lines += ["", f"{title}:"]
        lines += [f"  {verb:{width}}{summary(verb)}" for verb in verbs]
    lines += ["", "motionflow VERB --help shows what a verb takes."]
    return "\n".join(lines)


def summary(verb: str) -> str:
    """The first line of a command's help; its module is not imported."""
    text = (_FOLDER / f"{verb.replace('-', '_')}.py").read_text(encoding="utf-8")
    return text.removeprefix("r").removeprefix('"""').partition(".\n")[0]


if __name__ == "__main__":
    main()
