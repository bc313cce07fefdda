"""Names of workers, and the code that they lead to."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from staffa import Job, job, registry, worker
from staffa.errors import ConfigError, UnknownWorker
from tests.unit.programs import write


@job
def top_level(to: str) -> None: ...


class Outer:
    @worker()
    class Inner:
        def process(self, job: Job) -> None: ...


@pytest.fixture
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of modules that this test alone can import."""
    before = set(sys.modules)
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path
    for name in set(sys.modules) - before:
        del sys.modules[name]


def test_a_function_is_stored_under_its_module_and_name() -> None:
    assert top_level.worker_name == f"{__name__}.top_level"
    assert registry.resolve(f"{__name__}.top_level").executor == "thread"


def test_a_nested_class_or_function_is_stored_under_the_way_to_it() -> None:
    @job
    async def inner() -> None: ...

    assert registry.resolve(f"{__name__}.Outer.Inner").source.endswith("Outer.Inner")
    assert inner.worker_name.endswith("<locals>.inner")
    assert registry.resolve(inner.worker_name).executor == "async"


def test_a_name_can_be_fixed_to_that_of_another_language() -> None:
    @job(name="MyApp.Printer")
    def printer() -> None: ...

    assert printer.new().worker == "MyApp.Printer"
    assert "MyApp.Printer" in registry.names()


def test_a_lambda_is_refused() -> None:
    with pytest.raises(ConfigError, match="lambda"):
        job(lambda: None)


def test_a_name_that_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="127"):
        job(name="n" * 128)(top_level)
    with pytest.raises(ValueError, match="127"):
        job(name=5)(top_level)  # type: ignore[call-overload]  # the wrong type is the point


def test_other_code_can_not_take_a_name_and_the_same_code_may_be_loaded_again() -> None:
    @job(name="Printer")
    def first() -> None: ...

    with pytest.raises(ConfigError, match=r"'Printer' is used by .*first and .*second"):

        @job(name="Printer")
        def second() -> None: ...

    job(name="Printer")(registry_again(first))
    assert registry.resolve("Printer").source.endswith("first")


def registry_again(function: Any) -> Any:
    """Return the function behind a job, as a reload of its module would decorate it."""
    return function.__wrapped__


def test_an_unknown_name_says_what_to_do() -> None:
    with pytest.raises(UnknownWorker, match=r"'nowhere\.send'.*imports"):
        registry.resolve("nowhere.send")


def test_a_name_is_imported_under_the_packages_allowed_only(packages: Path) -> None:
    send = "from staffa import job\n@job\ndef send(): ...\n"
    for module in ("allowed", "allowed_evil", "other"):
        write(packages / f"{module}.py", send)
    assert registry.resolve("allowed.send", ["allowed"]).name == "allowed.send"
    for name in ("allowed_evil.send", "other.send", "allowed"):
        with pytest.raises(UnknownWorker):
            registry.resolve(name, ["allowed"])
    assert not {"other", "allowed_evil"} & sys.modules.keys()


def test_the_way_to_a_class_within_a_class_of_a_package_is_found(packages: Path) -> None:
    write(packages / "shop" / "__init__.py", "")
    text = """
        from staffa import worker
        class Mail:
            @worker()
            class Send:
                def process(self, job): ...
        """
    write(packages / "shop" / "jobs.py", text)
    assert registry.resolve("shop.jobs.Mail.Send", ["shop"]).executor == "thread"


@pytest.mark.parametrize(
    "name", ["shop.nothing.Send", "shop.", "shop..x", "shop.\x00", "shop.jobs.no.such.thing"]
)
def test_a_hostile_or_outdated_name_under_an_allowed_package_is_unknown(
    packages: Path, name: str
) -> None:
    write(packages / "shop" / "__init__.py", "")
    with pytest.raises(UnknownWorker):
        registry.resolve(name, ["shop"])


@pytest.mark.parametrize("missing", ["nowhere", "shop.nowhere", "sho", "shop_tools"])
def test_a_module_that_lacks_something_itself_says_what_it_lacks(
    packages: Path, missing: str
) -> None:
    write(packages / "shop" / "__init__.py", "")
    write(packages / "shop" / "jobs.py", f"import {missing}\n")
    with pytest.raises(ModuleNotFoundError, match=missing):
        registry.resolve("shop.jobs.send", ["shop"])
