"""The rooms lie along the arrow: imports go to earlier rooms only."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "motionflow"
FILES = sorted(PACKAGE.rglob("*.py")) + sorted((ROOT / "tools").glob("*.py"))
ENTRY_POINTS = {"motionflow.train", "motionflow.evaluate", "motionflow.export"}
ENTRY_POINTS |= {"motionflow.demo"}
READ_FLAGS = {"motionflow.cli", "motionflow.evaluation_flags"}
READ_FLAGS |= {"motionflow.training_flags"}
BASE = {"motionflow", "motionflow.errors", "motionflow.compat", "motionflow.cli"}
WITH_TENSORFLOW = {"records.py", "pipeline.py", "split_samples.py", "builder.py"}
WITH_TENSORFLOW |= {"data_dir_writer.py", "resplit.py", "augmentation.py"}
TENSORFLOW_FREE = [
    file for file in FILES if "data" in file.parts and file.name not in WITH_TENSORFLOW
]


def module_of(file: Path) -> str:
    parts = file.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts).removesuffix(".__init__")


def imports_of(file: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: relative import"
            submodules = {f"{node.module}.{alias.name}" for alias in node.names}
            known = {module_of(f) for f in FILES}
            found |= (submodules & known) or {node.module}
    return found


def level(module: str) -> int:
    """Where a module's room lies along the arrow."""
    if module in BASE:
        return 0
    rooms = {"motionflow.data": 1, "motionflow.models": 2, "motionflow.generate": 3}
    for room, place in rooms.items():
        if module == room or module.startswith(room + "."):
            return place
    return 5 if module in ENTRY_POINTS or module.startswith("tools.") else 4


@pytest.mark.parametrize("file", FILES, ids=module_of)
def test_imports_go_to_earlier_rooms(file):
    own = [m for m in imports_of(file) if m.split(".")[0] == "motionflow"]
    for imported in own:
        assert imported not in ENTRY_POINTS, f"{file} imports an entry point"
        assert level(imported) <= level(module_of(file)), f"{file} -> {imported}"


@pytest.mark.parametrize("file", FILES, ids=module_of)
def test_keras_comes_from_compat(file):
    if file.name != "compat.py":
        text = file.read_text()
        assert "tf.keras" not in text
        assert not {
            m for m in imports_of(file) if m.split(".")[0] in ("keras", "tf_keras")
        }


@pytest.mark.parametrize("file", TENSORFLOW_FREE, ids=module_of)
def test_label_workers_start_without_tensorflow(file):
    imported = imports_of(file)
    assert not {m for m in imported if m.startswith("tensorflow")}
    heavy = {f"motionflow.data.{name.removesuffix('.py')}" for name in WITH_TENSORFLOW}
    assert not imported & (heavy | {"motionflow.compat"})


@pytest.mark.parametrize("file", FILES, ids=module_of)
def test_flags_are_read_in_entry_points_and_tools_only(file):
    if level(module_of(file)) < 5 and module_of(file) not in READ_FLAGS:
        assert "absl.flags" not in imports_of(file)
        assert "absl" not in imports_of(file)


@pytest.mark.parametrize("file", FILES, ids=module_of)
def test_flags_are_defined_inside_one_function(file):
    for node in ast.parse(file.read_text()).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.If):
            continue
        assert "DEFINE_" not in ast.unparse(node)


@pytest.mark.parametrize("file", FILES, ids=module_of)
def test_every_module_has_its_tests(file):
    # A room inside a room is tested as a whole, and so is the page.
    in_sub_room = len(file.relative_to(PACKAGE.parent).parts) > 3
    name = file.parent.name if in_sub_room or file.parent.name == "web" else file.stem
    if name not in ("__init__", "errors"):
        assert (ROOT / "tests" / f"test_{name}.py").exists()


def test_the_package_says_that_it_is_typed():
    assert (PACKAGE / "py.typed").exists()
