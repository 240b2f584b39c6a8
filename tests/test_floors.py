"""The floors of the house: imports point down or sideways, never up, and members of a shelf stay apart."""

import ast
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).parent.parent / "src" / "perennial"

FLOORS = [
    {"errors"},
    {"lang"},
    {"primitives"},
    {"spaces"},
    {"trial", "scheduler", "strategies"},
    {"modalities", "task", "metrics", "protocol", "baseline", "ensemble"},
    {"storages", "executors"},
    {"weights", "compiler", "model", "morphism", "trainers", "synthesis"},
    {"library"},
    {
        "evaluate",
        "history",
        "interruption",
        "journal",
        "plan",
        "program_study",
        "remembering",
        "programming",
        "symbolic_regression",
        "confirmation",
        "study",
        "assembly",
        "analysis",
        "analysis_images",
        "judgement",
        "closing",
        "workflow",
    },
    {
        "report",
        "architecture",
        "charts",
        "terminal",
        "export",
        "estimators",
        "human",
        "web",
        "doctor",
        "program_files",
        "bench",
        "cli",
        "__main__",
    },
    {"testing"},
]
SHELVES = {"strategies", "storages", "executors", "trainers"}
STANDARD_LIBRARY_ONLY = {"errors", "lang"}
UPWARD_BY_DECISION = {("evaluate", "model"), ("closing", "report")}


def floor_of(room):
    for number, rooms in enumerate(FLOORS):
        if room in rooms:
            return number
    raise AssertionError(
        f"`{room}` stands on no floor: give it one in tests/test_floors.py and in DESIGN §4."
    )


def files():
    return sorted(
        path for path in SOURCE.rglob("*.py") if path.name != "__init__.py" or path.parent != SOURCE
    )


def room_of(path):
    part = path.relative_to(SOURCE).parts[0]
    return part.removesuffix(".py")


def imports(path):
    """Every module that the file imports, also inside functions."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: write absolute imports; a reader sees the floor in them."
            yield node.module
            if node.module in ("perennial", *(f"perennial.{room}" for room in SHELVES)):
                yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("path", files(), ids=lambda path: str(path.relative_to(SOURCE)))
def test_imports_point_down_or_sideways(path):
    room = room_of(path)
    for module in imports(path):
        parts = module.split(".")
        if parts[0] != "perennial" or len(parts) == 1 or not is_room(parts[1]):
            continue
        if (room, parts[1]) in UPWARD_BY_DECISION:
            continue
        assert floor_of(parts[1]) <= floor_of(room), (
            f"{path.relative_to(SOURCE)} is on floor {floor_of(room)} and imports {module} from floor "
            f"{floor_of(parts[1])}: hand the thing in as an argument instead."
        )


@pytest.mark.parametrize("shelf", sorted(SHELVES))
def test_members_of_a_shelf_do_not_import_each_other(shelf):
    members = {path.stem for path in (SOURCE / shelf).glob("*.py")} - {"__init__", "base"}
    for path in (SOURCE / shelf).glob("*.py"):
        if path.stem in ("__init__", "base"):
            continue
        for module in imports(path):
            parts = module.split(".")
            if parts[:2] == ["perennial", shelf] and len(parts) > 2:
                assert parts[2] not in members - {path.stem}, f"{path.name} imports its sibling {module}."


@pytest.mark.parametrize("room", sorted(STANDARD_LIBRARY_ONLY))
def test_the_lowest_floors_use_the_standard_library_only(room):
    paths = [SOURCE / f"{room}.py"] if (SOURCE / f"{room}.py").exists() else (SOURCE / room).rglob("*.py")
    for path in paths:
        for module in imports(path):
            top = module.split(".")[0]
            assert top == "perennial" or top in sys.stdlib_module_names, f"{path.name} imports {module}."


def is_room(name):
    return (SOURCE / f"{name}.py").exists() or (SOURCE / name).is_dir()


def test_nothing_in_the_source_can_run_code_from_data():
    for path in files():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                assert node.func.id not in {"eval", "exec", "compile", "__import__"}, f"{path}:{node.lineno}"
            if isinstance(node, ast.keyword) and node.arg == "allow_pickle":
                assert isinstance(node.value, ast.Constant) and node.value.value is False, (
                    f"{path}:{node.value.lineno}"
                )
        for module in imports(path):
            assert module.split(".")[0] not in {
                "pickle",
                "joblib",
                "dill",
                "cloudpickle",
                "marshal",
                "shelve",
            }, path
