"""The package as a whole: its names, what it loads, the size of its modules, its examples."""

from __future__ import annotations

import ast
import doctest
import importlib
import pkgutil
from pathlib import Path

import pytest

import staffa
from tests.unit.programs import run_python

SOURCE = Path(staffa.__file__).parent
MODULES = [
    found.name
    for found in pkgutil.walk_packages(staffa.__path__, "staffa.")
    if not found.name.startswith(("staffa.cli", "staffa.__main__"))
]
LOADED = """
import sys
import staffa
kept_out = {"asyncpg", "psycopg", "click", "rich", "starlette", "staffa.cli", "staffa.embedded",
            "cryptography", "pydantic", "msgspec", "attrs", "tomllib"}
print(*sorted(kept_out & set(sys.modules)))
"""
BACKEND = """
import sys
from staffa.client.backend import make_migrator
make_migrator(sys.argv[1], "public")
print(*sorted({"staffa.engines.sqlite", "staffa.embedded"} & set(sys.modules)))
"""
CHILD = """
import sys
import staffa.queues.pools.process.child.program
from staffa import job
heavy = {"staffa.client", "staffa.engine", "staffa.telemetry.catalogue", "staffa.telemetry.spans"}
print(*sorted(heavy & set(sys.modules)))
"""
BROKEN = """
import importlib, os, sys, traceback
import staffa  # comes before each of its modules anyway
for name in sys.argv[1:]:
    child = os.fork()
    if not child:
        try:
            importlib.import_module(name)
        except BaseException:
            traceback.print_exc(file=sys.stdout)
        sys.stdout.flush()
        os._exit(0)
    os.waitpid(child, 0)
"""


def test_the_public_names_are_there_and_sorted() -> None:
    assert all(hasattr(staffa, name) for name in staffa.__all__)
    assert list(staffa.__all__) == sorted(staffa.__all__)


@pytest.mark.parametrize(
    "name", ["staffa", "staffa.queues.pools.process", "staffa.services.health", "staffa.telemetry"]
)
def test_a_package_exports_what_it_tells_type_checkers(name: str) -> None:
    package = importlib.import_module(name)
    assert package.__file__ is not None
    tree = ast.parse(Path(package.__file__).read_text("utf-8"))
    told = {
        (alias.asname or alias.name)
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    told |= {"Oban"} if name == "staffa" else set()
    assert set(package.__all__) == told - {"TYPE_CHECKING", "exporter"}
    for exported in package.__all__:
        assert getattr(package, exported) is not None


def test_what_it_exports_is_found_by_those_who_look_around() -> None:
    assert set(staffa.__all__) <= set(dir(staffa))


def test_what_a_package_does_not_have_is_no_attribute_of_it() -> None:
    assert staffa.errors.__name__ == "staffa.errors"
    for name in ("nothing", "__nothing__", "_nothing"):
        with pytest.raises(AttributeError, match=f"module 'staffa' has no attribute '{name}'"):
            getattr(staffa, name)
    with pytest.raises(ImportError, match="nothing"):
        exec("from staffa import nothing")


def test_a_child_that_computes_loads_no_more_than_it_needs(tmp_path: Path) -> None:
    assert run_python("-c", CHILD, folder=tmp_path).strip() == ""


def test_the_decorator_is_not_rebound_by_a_module_of_its_name() -> None:
    for name in MODULES:
        importlib.import_module(name)
    assert callable(staffa.job)
    assert callable(staffa.worker)


def test_importing_it_loads_no_driver_and_no_interface(tmp_path: Path) -> None:
    assert run_python("-c", LOADED, folder=tmp_path) == ""


def test_the_engine_of_files_is_loaded_for_a_file_and_for_nothing_else(tmp_path: Path) -> None:
    assert run_python("-c", BACKEND, "postgresql://localhost/any", folder=tmp_path) == ""
    found = run_python("-c", BACKEND, "sqlite:///any.db", folder=tmp_path)
    assert found == "staffa.engines.sqlite"


@pytest.mark.parametrize("part", range(4))
def test_each_module_can_be_imported_first(tmp_path: Path, part: int) -> None:
    assert run_python("-c", BROKEN, *MODULES[part::4], folder=tmp_path) == ""


def test_no_module_has_more_than_400_lines() -> None:
    lengths = {
        str(path.relative_to(SOURCE)): len(path.read_text("utf-8").splitlines())
        for path in SOURCE.rglob("*.py")
    }
    assert lengths.pop("sync.py")  # a program writes it
    assert {name: length for name, length in lengths.items() if length > 400} == {}


@pytest.mark.parametrize("module", ["staffa", *MODULES])
def test_the_examples_of_the_docstrings_are_true(
    module: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    report: list[str] = []
    runner = doctest.DocTestRunner(verbose=False)
    for example in doctest.DocTestFinder().find(importlib.import_module(module)):
        runner.run(example, out=report.append)
    assert runner.summarize(verbose=False).failed == 0, "".join(report)


def test_the_examples_are_found_at_all() -> None:
    finder = doctest.DocTestFinder()
    found = [
        example
        for module in MODULES
        for test in finder.find(importlib.import_module(module))
        for example in test.examples
    ]
    assert len(found) >= 50
