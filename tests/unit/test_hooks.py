"""Hooks: what can be one, in which order they come, and what they may change."""

from __future__ import annotations

import types
from dataclasses import dataclass
from typing import Any

import pytest

from staffa import Cancel, Discard, Job, Snooze, hooks, job, registry, worker
from staffa.errors import ConfigError, UnknownOption
from staffa.hooks import HOOKS, attach, check_ending, check_hooks, detach, find

Options = dict[str, Any]


@pytest.fixture(autouse=True)
def no_hooks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hooks, "_attached", ())


@dataclass
class Named:
    """A hook that is equal to others of its name."""

    name: str

    def after_process(self, state: str, job: Job, result: object) -> str:
        return self.name


def names(found: list[Any]) -> list[str]:
    return [method("completed", None, None) for method in found]


def test_attached_hooks_come_before_those_of_the_option_and_these_before_the_classs_own() -> None:
    @worker(hooks=[Named("option"), Named("second option")])
    class Badge:
        def process(self, job: Job) -> None: ...

        def after_process(self, state: str, job: Job, result: object) -> str:
            return "class"

    attach(Named("global"))
    attach(Named("second global"))
    own = registry.resolve(f"{__name__}.{Badge.__qualname__}").hooks
    assert names(find("after_process", own)) == [
        "global", "second global", "option", "second option", "class",
    ]  # fmt: skip


def test_a_hook_that_is_attached_twice_is_called_once_and_detached_by_identity() -> None:
    one, twin = Named("same"), Named("same")
    attach(one)
    attach(one)
    attach(twin)
    assert names(find("after_process", ())) == ["same", "same"]
    detach(one)
    assert [method.__self__ for method in find("after_process", ())] == [twin]  # type: ignore[attr-defined]
    detach(one)
    detach(twin)
    assert find("after_process", ()) == []


def test_a_module_can_be_a_hook() -> None:
    module = types.ModuleType("audit")
    vars(module)["on_discarded"] = lambda reason, job: "told"
    attach(module)
    (method,) = find("on_discarded", ())
    assert method("error", None) == "told"
    assert find("on_cancelled", ()) == []


@pytest.mark.parametrize("wrong", [None, 5, object(), ["text"], "text", {"after_process": print}])
def test_what_has_none_of_the_methods_is_refused_with_their_names(wrong: Any) -> None:
    with pytest.raises(ConfigError, match=", ".join(HOOKS)):
        check_hooks(wrong)
    with pytest.raises(ConfigError, match="none of the methods"):
        attach(wrong)


def test_a_method_that_is_no_function_is_none() -> None:
    with pytest.raises(ConfigError, match="none of the methods"):
        attach(types.SimpleNamespace(after_process="soon"))


def test_a_class_in_place_of_its_object_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"Named\(\)"):
        attach(Named)


def test_a_class_whose_methods_need_no_object_is_a_hook() -> None:
    class Counts:
        @staticmethod
        def on_discarded(reason: str, job: Job) -> str:
            return "static"

        @classmethod
        def on_cancelled(cls, reason: str, job: Job) -> str:
            return "class"

    attach(Counts)
    assert find("on_discarded", ())[0]("error", None) == "static"
    assert find("on_cancelled", ())[0]("manual", None) == "class"


class Waits:
    async def before_new(self, args: Options, options: Options) -> None: ...


def test_a_before_new_that_waits_is_refused_where_it_is_given() -> None:
    with pytest.raises(ConfigError, match="async def"):
        attach(Waits())
    with pytest.raises(ConfigError, match="async def"):

        @job(hooks=[Waits()])
        def run() -> None: ...

    with pytest.raises(ConfigError, match="async def"):

        @worker()
        class Own:
            @staticmethod
            async def before_new(args: Options, options: Options) -> None: ...

            def process(self, job: Job) -> None: ...


def test_a_before_new_that_needs_an_object_of_its_class_is_refused() -> None:
    with pytest.raises(ConfigError, match="classmethod or a staticmethod"):

        @worker()
        class Own:
            def before_new(self, args: Options, options: Options) -> None: ...

            def process(self, job: Job) -> None: ...


def test_an_inherited_before_new_may_be_a_classmethod() -> None:
    class Base:
        @classmethod
        def before_new(cls, args: Options, options: Options) -> tuple[Options, Options]:
            return {**args, "by": cls.__name__}, options

    @worker()
    class Own(Base):
        def process(self, job: Job) -> None: ...

    assert Own.new({}).args == {"by": "Own"}  # type: ignore[attr-defined]


def test_only_one_of_process_and_before_process_that_waits_is_refused() -> None:
    with pytest.raises(ConfigError, match="both be def, or async def"):

        @worker()
        class Own:
            def before_process(self, job: Job) -> None: ...

            async def process(self, job: Job) -> None: ...


class Adds:
    def __init__(self, key: str) -> None:
        self.key = key

    def before_new(self, args: Options, options: Options) -> tuple[Options, Options]:
        return {**args, self.key: len(args)}, {**options, "priority": len(args)}


def test_each_before_new_sees_what_the_one_before_it_made() -> None:
    attach(Adds("first"))

    @worker(hooks=[Adds("second")])
    class Badge:
        @staticmethod
        def before_new(args: Options, options: Options) -> tuple[Options, Options]:
            return {**args, "third": options["priority"]}, {**options, "queue": "badges"}

        def process(self, job: Job) -> None: ...

    made = Badge.new({"id": 7}, priority=9)  # type: ignore[attr-defined]
    assert made.args == {"id": 7, "first": 1, "second": 2, "third": 2}
    assert (made.priority, made.queue) == (2, "badges")


def test_a_function_has_the_hook_for_each_way_of_making_its_jobs() -> None:
    @job(hooks=[Adds("more")])
    def send(to: str, more: int = 0) -> None: ...

    assert send.new("a").args == {"to": "a", "more": 1}
    assert send.options(priority=5).new("a").args == {"to": "a", "more": 1}
    assert Job(worker=send.worker_name, args={"to": "a"}).args == {"to": "a"}


def test_what_a_before_new_changes_in_place_it_changes_for_one_job_alone() -> None:
    class Mutates:
        def before_new(self, args: Options, options: Options) -> None:
            args["seen"] = args.get("seen", 0) + 1
            options["priority"] = options.get("priority", 0) + 1

    @worker(hooks=[Mutates()])
    class Badge:
        def process(self, job: Job) -> None: ...

    given = {"id": 1}
    for _ in range(3):
        assert Badge.new(given).args == {"id": 1, "seen": 1}  # type: ignore[attr-defined]
    assert given == {"id": 1}

    @job(hooks=[Mutates()])
    def send(seen: int = 0) -> None: ...

    again = send.options(priority=3)
    assert [again.new().priority for _ in range(3)] == [4, 4, 4]


def test_what_a_before_new_raises_the_caller_gets() -> None:
    class Refuses:
        def before_new(self, args: Options, options: Options) -> None:
            raise LookupError("no such customer")

    @job(hooks=[Refuses()])
    def send() -> None: ...

    with pytest.raises(LookupError, match="no such customer"):
        send.new()


@pytest.mark.parametrize(
    "wrong", [{"a": 1, "b": 2}, ({},), ({}, {}, {}), (None, {}), ({}, None), 5, "ab", [{}, {}]]
)
def test_a_before_new_that_returns_no_pair_of_mappings_is_named(wrong: Any) -> None:
    class Odd:
        def before_new(self, args: Options, options: Options) -> Any:
            return wrong

    @job(hooks=[Odd()])
    def send() -> None: ...

    with pytest.raises(ConfigError, match=r"Odd\.before_new returned"):
        send.new()


def test_options_that_a_before_new_adds_are_checked() -> None:
    class Odd:
        def before_new(self, args: Options, given: Options) -> tuple[Options, Options]:
            return args, {**given, "priorty": 1}

    @job(hooks=[Odd()])
    def send() -> None: ...

    with pytest.raises(UnknownOption, match="priorty"):
        send.new()


@pytest.mark.parametrize("ending", [None, Cancel(), Discard("no"), Snooze(5)])
def test_a_before_process_may_end_a_run_in_three_ways_or_none(ending: Any) -> None:
    assert check_ending(test_a_module_can_be_a_hook, ending) is ending


@pytest.mark.parametrize("odd", [False, True, 0, "cancel", Cancel, ValueError("returned")])
def test_a_before_process_that_returns_something_else_is_named(odd: Any) -> None:
    with pytest.raises(ConfigError, match=r"Named\.after_process returned"):
        check_ending(Named("x").after_process, odd)


async def test_the_own_hooks_of_a_class_are_called_on_a_new_object_each() -> None:
    made: list[object] = []

    @worker()
    class Badge:
        def __init__(self) -> None:
            made.append(self)

        def process(self, job: Job) -> None: ...

        def after_process(self, state: str, job: Job, result: object) -> object:
            return self

        async def on_discarded(self, reason: str, job: Job) -> object:
            return self

    own = registry.resolve(f"{__name__}.{Badge.__qualname__}").hooks
    (after,) = find("after_process", own)
    (discarded,) = find("on_discarded", own)
    assert after("completed", None, None) is made[0]
    assert await discarded("error", None) is made[1]
    assert hooks.name_of(after).endswith("Badge.after_process")
    assert find("before_process", own) == []  # it runs on the object that runs the job
