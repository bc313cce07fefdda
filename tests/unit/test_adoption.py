"""Which tables are adopted, and what is said of those that are not."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from staffa.adoption import Column, FoundTable, Origin, describe_nullable, judge, title_of
from staffa.cli.doctor.findings import Level
from staffa.cli.doctor.server import judge_schema
from staffa.errors import MigrationError
from staffa.steps import Migration, MigrationStatus
from tests.support.foreign_schemas import FACTS, FOLDER


def found(made_by: str, /, **changes: Any) -> FoundTable:
    """Return a table as an implementation makes it, or changed."""
    facts = json.loads((FOLDER / FACTS[made_by]).read_text("utf-8"))
    table = FoundTable(
        place="schema 'jobs'",
        schema="jobs",
        kind="table",
        comment=facts["table_comment"],
        owner="shop",
        rows=None,
        table_bytes=0,
        index_bytes=0,
        may_index=True,
        may_create=True,
        peers=made_by == "elixir",
        leaders=made_by == "python",
        producers=made_by == "python",
        states=tuple(facts["enum"]),
        ids="identity, always",
        oldest_transaction=0.0,
        columns=tuple(
            Column(
                name=column["name"],
                type=column["type"],
                nullable=column["nullable"] == "YES",
                fills=column["default"] is not None,
            )
            for column in facts["columns"]
            if column["table"] == "oban_jobs"
        ),
        indexes=(),
    )
    return replace(table, **changes)


@pytest.mark.parametrize("kind", ["elixir", "python"])
def test_tables_are_told_by_who_made_them(kind: str) -> None:
    assert judge(found(kind), "schema 'jobs'") is Origin(kind)
    assert describe_nullable(found(kind)) == {"elixir": ["tags", "meta"], "python": []}[kind]


def test_a_table_that_both_work_on_is_elixirs() -> None:
    table = found("elixir", leaders=True, producers=True)
    assert judge(table, "schema 'jobs'") is Origin.ELIXIR


REFUSED = {
    "an older version": (
        found("elixir", comment="11"),
        r'Oban\.Migration\.up\(version: 14, prefix: "jobs"\)',
    ),
    "an older one in public": (
        found("elixir", comment="11", schema="public"),
        r"Oban\.Migration\.up\(version: 14\), run 'mix ecto\.migrate'",
    ),
    "a newer version": (found("elixir", comment="15"), "has version 15.*update Staffa"),
    "a lost comment": (found("elixir", comment=None), "COMMENT ON TABLE oban_jobs IS '14'"),
    "an old table of Python's": (
        found("python", states=("available", "executing")),
        "its states lack suspended.*since 0.6",
    ),
    "neither": (found("python", leaders=False), "neither by Elixir Oban.*nor by Python's oban"),
    "a comment of a user's": (
        found("python", leaders=False, comment="our jobs"),
        "has the comment 'our jobs'",
    ),
    "no table": (None, "staffa migrate up"),
    "parts": (found("elixir", kind="partitioned table"), "is a partitioned table"),
    "another's": (found("python", may_index=False), "--dsn with the role 'shop'"),
    "no room": (found("python", may_create=False), "adds tables to schema 'jobs'"),
    "another type": (
        found(
            "elixir",
            columns=tuple(
                replace(column, type="json") if column.name == "args" else column
                for column in found("elixir").columns
            ),
        ),
        "column args is of type json, not jsonb",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_can_not_be_adopted_is_told_with_the_remedy(name: str) -> None:
    table, message = REFUSED[name]
    with pytest.raises(MigrationError, match=message):
        judge(table, "schema 'jobs'")


def test_the_doctor_knows_of_tables_of_others() -> None:
    finding = judge_schema(MigrationStatus((), (Migration(1, "oban_jobs"),), foreign=True))
    assert (finding.level, finding.remedy) == (Level.PROBLEM, "run 'staffa adopt'")
    finding = judge_schema(MigrationStatus((Migration(1, "adopted_python"),), ()))
    assert (finding.level, finding.what) == (
        Level.OK,
        "version 1, beside the tables of Python oban",
    )


def test_the_maker_that_a_newer_version_has_adopted_is_told_by_its_name() -> None:
    assert title_of("celery") == "celery"
