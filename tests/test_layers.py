"""How the house is built: each import goes to an earlier room, flags stay at the door.

All files are parsed once; a test names every file that breaks its rule.
"""

import ast
import graphlib
import re
import sys
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

from motionflow.commands import VERBS

COMMANDS = "motionflow.commands."
ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "motionflow"
FILES = sorted(PACKAGE.rglob("*.py")) + sorted((ROOT / "tools").glob("*.py"))
OLD_NAMES = {f"motionflow.{name}" for name in ("train", "evaluate", "export", "demo")}
ENTRY_POINTS = OLD_NAMES | {"motionflow.__main__"}
READ_FLAGS = {"motionflow.cli", "motionflow.flag_groups"}
# Rooms and loose modules along the arrow: each imports only what stands before it.
ORDER = ("errors", "compat", "terminal", "text_file", "flag_groups", "cli")
ORDER += ("files", "media", "labels", "data", "models", "drawing", "generate", "films")
ORDER += ("training", "baselines", "scoring", "report", "inspection", "serving", "web")
ORDER += ("api", "own_model", "commands")
LIGHT = ("files", "media", "labels")  # do without TensorFlow
# Rooms and files that need an extra; setup.py says what is in it.
EXTRAS = {
    "motionflow/labels/beam.py": "beam",
    "motionflow/serving/portable.py": "onnx",
    "motionflow/serving/client.py": "serving",
    "motionflow/serving/grpc_client.py": "serving",
    "motionflow/serving/rest_client.py": "serving",
    "motionflow/web/": "serving",
}
ALL_EXTRAS = ("beam", "onnx", "serving", "pretrained", "dev")
DISTRIBUTIONS = metadata.packages_distributions()  # of each package that is installed


class Source(NamedTuple):
    """A file, parsed."""

    file: Path
    module: str
    text: str
    tree: ast.Module
    imports: set[str]


def module_of(file: Path) -> str:
    parts = file.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts).removesuffix(".__init__")


MODULES = {module_of(file) for file in FILES}
TOOLS = {module for module in MODULES if module.startswith("tools.")}


def read(file: Path) -> Source:
    text = file.read_text(encoding="utf-8")
    tree, found = ast.parse(text), set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: relative import"
            submodules = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= (submodules & MODULES) or {node.module}
    return Source(file, module_of(file), text, tree, found)


SOURCES = [read(file) for file in FILES]


def room(module: str) -> str:
    """The room of a module, or its name where it lies in none."""
    return module.removeprefix("motionflow.").split(".")[0]


def test_the_walk_has_seen_the_house():
    assert len(SOURCES) > 150 and {"tools.sweep", "motionflow.labels.flow"} < MODULES
    found = {s.module: s.imports for s in SOURCES}["motionflow.commands.evaluate"]
    assert "motionflow.scoring.assessment" in found and "absl" in found


def test_imports_go_to_earlier_rooms():
    """The package itself is no room: its names are lazy, its version is for all."""
    wrong = []
    for source in SOURCES:
        own = room(source.module)
        places = [room(name) for name in source.imports & MODULES]
        if own in ORDER:
            later = {*ORDER[ORDER.index(own) + 1 :], *map(room, ENTRY_POINTS)}
            wrong += [
                f"{source.module} -> {place}" for place in places if place in later
            ]
        else:
            assert source.module in {"motionflow", *ENTRY_POINTS, *TOOLS}, own
    assert not wrong


def test_no_modules_import_each_other_in_a_circle():
    own = MODULES - {"motionflow"}
    graph = {source.module: source.imports & own for source in SOURCES}
    graphlib.TopologicalSorter(graph).prepare()  # raises and names a circle


def test_keras_comes_from_compat():
    keras = {"keras", "tf_keras"}
    wrong = [
        source.module
        for source in SOURCES
        if source.module != "motionflow.compat"
        and (
            "tf.keras" in source.text
            or keras & {name.split(".")[0] for name in source.imports}
        )
    ]
    assert not wrong


def test_label_workers_start_without_tensorflow():
    light = [s for s in SOURCES if room(s.module) in LIGHT]
    assert len(light) > 20
    wrong = [
        f"{source.module} -> {name}"
        for source in light
        for name in source.imports
        if name == "motionflow.compat" or name.startswith("tensorflow")
    ]
    assert not wrong


def test_flags_are_read_in_commands_only():
    wrong = [
        source.module
        for source in SOURCES
        if room(source.module) in ORDER[:-1] and source.module not in READ_FLAGS
        if {"absl", "absl.flags"} & source.imports
    ]
    assert not wrong


def test_flags_are_defined_inside_one_function():
    wrong = [
        source.module
        for source in SOURCES
        for node in source.tree.body
        if not isinstance(node, ast.FunctionDef | ast.ClassDef | ast.If)
        if "DEFINE_" in ast.unparse(node)
    ]
    assert not wrong


def test_every_verb_is_a_command():
    verbs = [verb for group in VERBS.values() for verb in group]
    commands = {s.module: s for s in SOURCES if s.module.startswith(COMMANDS)}
    names = {name for name in commands if not name.endswith("_flags")}
    assert names == {COMMANDS + verb.replace("-", "_") for verb in verbs}
    for name in names:
        defined = [n.name for n in commands[name].tree.body if hasattr(n, "name")]
        imported = commands[name].imports
        assert "main" in defined, name
        shared = {"motionflow.commands.evaluation_flags"} & imported
        assert "define_flags" in defined or shared, name


def test_older_names_only_hand_over():
    """So a test that calls a command sees what a shell would; see conftest's `call`."""
    verbs = [verb for group in VERBS.values() for verb in group]
    for source in SOURCES:
        if source.module in OLD_NAMES | TOOLS:
            assert source.imports == {"motionflow.cli"}, source.module
            *_, last = source.tree.body
            assert ast.unparse(last.test) == "__name__ == '__main__'", source.module
            (call,) = last.body
            assert ast.unparse(call.value.func) == "cli.run", source.module
            assert call.value.args[0].value in verbs, source.module


# What is tested by the test of another module.
TESTED_BY = {
    "inputs": "signatures",
    "fully_connected": "alexnet",
    "weights": "packed",
    "options": "builder",
    "comparison": "compare",
    "comparison_tables": "forecasts",
    "films": "forecasts",
    "strips": "forecasts",
    "data_flags": "data",
    "exporting": "export",
    "finishing": "pipeline",
    "grpc_client": "client",
    "rest_client": "client",
    "restoring": "restore",
    "server": "serve",
}


def test_every_module_has_its_tests():
    wrong = []
    for source in SOURCES:
        file = source.file
        if source.module in OLD_NAMES | TOOLS:
            continue  # tests/test_old_names.py
        # A room inside a room is tested as a whole, and so is the page.
        in_sub_room = len(file.relative_to(ROOT).parts) > 3
        is_whole = in_sub_room or (file.parent.name == "web" and file.stem != "server")
        name = file.parent.name if is_whole else file.stem.strip("_")
        name = TESTED_BY.get(name, name)
        if name not in ("init", "errors"):
            wrong += [name] * (not (ROOT / "tests" / f"test_{name}.py").exists())
    assert not wrong


def test_the_package_says_that_it_is_typed():
    assert (PACKAGE / "py.typed").exists()


# --- dependencies ----------------------------------------------------------------


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def declared(*extras: str) -> set[str]:
    """Names of the distributions that setup.py asks for, on either line."""
    found = set()
    for requirement in metadata.requires("motionflow"):
        name = normal(re.match(r"[\w.-]+", requirement)[0])
        extra = re.search(r"extra == ['\"](\w+)", requirement)
        if extra is None or extra[1] in extras:
            found.add(name)
    return found


def undeclared(imports: set[str], names: set[str]) -> set[str]:
    """What is imported from packages that are neither Python's, ours nor declared."""
    own = {*sys.stdlib_module_names, "motionflow", "tools", "tests", "benchmarks"}
    packages = {name.split(".")[0] for name in imports} - own
    return {
        package
        for package in packages
        # What is not installed on this line is known by its own name.
        if not names & {normal(n) for n in DISTRIBUTIONS.get(package, [package])}
    }


def test_every_dependency_is_declared():
    wrong = {}
    for source in SOURCES:
        place = source.file.relative_to(ROOT).as_posix()
        extras = [extra for part, extra in EXTRAS.items() if place.startswith(part)]
        if missing := undeclared(source.imports, declared(*extras)):
            wrong[source.module] = missing
    assert not wrong


def test_what_tests_and_benchmarks_import_is_declared():
    names, wrong = declared(*ALL_EXTRAS), {}
    for file in [*ROOT.glob("tests/*.py"), *ROOT.glob("benchmarks/*.py")]:
        missing = undeclared(read(file).imports, names)
        missing -= {path.stem for path in file.parent.glob("*.py")}
        if missing:
            wrong[file.name] = missing
    assert not wrong


def test_commits_are_checked_with_the_ruff_of_the_environment():
    files = (".pre-commit-config.yaml", "setup.py")
    texts = [(ROOT / name).read_text(encoding="utf-8") for name in files]
    found = [set(re.findall(r"ruff==([\d.]+)", text)) for text in texts]
    assert found[0] == found[1] and len(found[0]) == 1
