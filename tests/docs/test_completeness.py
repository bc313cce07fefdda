"""What exists is described: commands, settings, options, events, public names."""

from __future__ import annotations

import inspect
import pkgutil
import re
from collections.abc import Iterator
from dataclasses import fields

import click
import pytest

import staffa
from staffa import Config, State
from staffa.cli.program import main
from staffa.definitions import WorkerOptions
from staffa.settings import parse_queue_list
from staffa.telemetry import Event, catalogue
from tests.docs.pages import PROJECT


def test_every_command_and_option_is_described() -> None:
    page = (PROJECT / "docs/cli.md").read_text("utf-8")
    for name, command in leaf_commands(main, "staffa"):
        assert name in page, f"docs/cli.md lacks {name}"
        for parameter in command.params:
            if isinstance(parameter, click.Option) and not parameter.hidden:
                for option in parameter.opts:
                    assert re.search(rf"`{re.escape(option)}\b", page), f"{name} {option}"


def test_the_json_of_every_command_is_described() -> None:
    sections = re.split(r"^## ", (PROJECT / "docs/cli.md").read_text("utf-8"), flags=re.MULTILINE)
    for name, command in leaf_commands(main, "staffa"):
        if any("--json" in parameter.opts for parameter in command.params):
            title = " ".join(name.split()[:2])
            (section,) = [text for text in sections if text.startswith(f"{title}\n")]
            assert re.search(r"```json|JSON|With `--json`", section), name


def leaf_commands(command: click.Command, name: str) -> Iterator[tuple[str, click.Command]]:
    if isinstance(command, click.Group):
        for child_name, child in command.commands.items():
            yield from leaf_commands(child, f"{name} {child_name}")
    else:
        yield name, command


def test_every_setting_is_in_the_table_with_its_variable_and_default() -> None:
    page = (PROJECT / "docs/running.md").read_text("utf-8")
    rows = dict(re.findall(r"^\| `(\w+)` \| (`STAFFA_\w+` \| [^|]+) \|", page, re.MULTILINE))
    assert set(rows) == {setting.name for setting in fields(Config)} - {"share"}
    defaults = Config()
    for name, row in rows.items():
        variable, default = row.split(" | ")
        value = getattr(defaults, name)
        assert variable == f"`STAFFA_{name.upper()}`"
        if isinstance(value, float):
            assert default.strip() == f"{value:.0f} s"
        elif isinstance(value, bool):
            assert default.strip() == ("on" if value else "off")
        elif isinstance(value, int):
            assert default.strip() == str(value)
        elif name in {"prefix", "name"}:
            assert default.strip() == f"`{value}`"


def test_the_way_to_write_queues_in_a_variable_is_the_one_documented() -> None:
    assert parse_queue_list("default:10,mail:5") == {"default": 10, "mail": 5}
    assert "`STAFFA_QUEUES`" in (PROJECT / "docs/running.md").read_text("utf-8")


def test_every_job_option_is_in_the_tables() -> None:
    page = (PROJECT / "docs/jobs.md").read_text("utf-8")
    cells = re.findall(r"^\| (`\w+`(?:, `\w+`)*) \|", page, re.MULTILINE)
    named = {name for cell in cells for name in re.findall(r"\w+", cell)}
    assert named >= WorkerOptions.__annotations__.keys()
    assert named >= {state.value for state in State}


def test_every_event_is_in_the_table_with_its_fields() -> None:
    page = (PROJECT / "docs/events.md").read_text()
    for kind in event_kinds():
        names = [f"{kind.kind}.completed"] if kind is catalogue.JobEnded else [kind.kind]
        rows = [line for line in page.splitlines() if line.startswith("|") and names[0] in line]
        assert rows, f"{names[0]} is not in docs/events.md"
        for known in fields(kind):
            assert known.name in {"instance", "state"} or f"`{known.name}`" in rows[0], (
                kind,
                known.name,
            )


def test_every_event_is_in_the_reference_with_its_class() -> None:
    page = (PROJECT / "docs/reference/events.md").read_text("utf-8")
    for kind in event_kinds():
        name = "`staffa.job.` and the state" if kind is catalogue.JobEnded else f"`{kind.kind}`"
        assert f"| {name} | `{kind.__name__}` |" in page


def event_kinds() -> list[type[Event]]:
    return [
        found
        for found in vars(catalogue).values()
        if inspect.isclass(found) and issubclass(found, Event) and found is not Event
    ]


def reference_names() -> list[str]:
    pages = (PROJECT / "docs/reference").glob("*.md")
    return sorted(
        name
        for page in pages
        for name in re.findall(r"^::: (\S+)$", page.read_text(), re.MULTILINE)
    )


@pytest.mark.parametrize("name", reference_names())
def test_a_name_in_the_reference_exists(name: str) -> None:
    assert pkgutil.resolve_name(name) is not None


def test_every_public_name_is_in_the_reference() -> None:
    known = {name.rpartition(".")[2] for name in reference_names()}
    assert set(staffa.__all__) - known == {"Oban"}  # another name of Staffa
