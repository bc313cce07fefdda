"""Aliases: older names that a worker's code runs as well."""

from __future__ import annotations

from typing import Any

import pytest

from staffa import Job, job, registry, worker
from staffa.definitions import WorkerOptions
from staffa.errors import ConfigError, InvalidJob, UnknownWorker


def test_code_is_found_under_its_name_and_its_aliases() -> None:
    @job(name="new.send", aliases=["old.send", "older.send"])
    def send() -> None: ...

    found = registry.resolve("new.send")
    assert registry.resolve("old.send") is registry.resolve("older.send") is found
    assert {"new.send", "old.send", "older.send"} <= set(registry.names())
    assert send.new().worker == "new.send"


@pytest.mark.parametrize(("first", "second"), [("a", "b"), ("b", "a"), ("a", "a")])
def test_a_name_of_other_code_is_refused_whichever_way_it_is_named(first: str, second: str) -> None:
    names: dict[str, WorkerOptions] = {
        "a": {"name": "a.a", "aliases": ["shared"]},
        "b": {"name": "shared"},
    }

    def one() -> None: ...

    def other() -> None: ...

    job(**names[first])(one)
    with pytest.raises(ConfigError, match=r"'(shared|a\.a)' is used by .*one and .*other"):
        job(**names[second])(other)
    assert registry.resolve("shared").source.endswith("one")


def test_refused_code_leaves_none_of_its_names_behind() -> None:
    @job(name="taken")
    def one() -> None: ...

    with pytest.raises(ConfigError):

        @job(name="free", aliases=["also.free", "taken"])
        def other() -> None: ...

    for name in ("free", "also.free"):
        with pytest.raises(UnknownWorker):
            registry.resolve(name)


def test_a_reload_drops_the_aliases_that_are_gone() -> None:
    def send() -> None: ...

    job(name="send", aliases=["old", "kept"])(send)
    job(name="send", aliases=["kept"])(send)
    assert registry.find("old") is None
    assert registry.find("kept") is registry.find("send")


def test_an_alias_that_is_the_name_harms_nothing() -> None:
    @job(name="send", aliases=["send"])
    def send() -> None: ...

    assert registry.resolve("send").aliases == ("send",)


@pytest.mark.parametrize("wrong", ["old.send", 5, None])
def test_aliases_that_are_no_list_are_refused(wrong: Any) -> None:
    with pytest.raises(ConfigError, match=r"aliases is .* give a list of names"):

        @job(aliases=wrong)
        def send() -> None: ...


@pytest.mark.parametrize("wrong", ["", "x" * 128, 5, "a\x00b"])
def test_an_alias_that_no_row_can_have_is_refused(wrong: Any) -> None:
    with pytest.raises(InvalidJob, match="is no name"):

        @worker(aliases=[wrong])
        class Send:
            def process(self, job: Job) -> None: ...
