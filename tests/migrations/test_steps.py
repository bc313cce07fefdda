"""The numbered files, and what happens when one of them fails or is not known."""

from __future__ import annotations

import re
import shutil
import uuid
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path

import asyncpg
import pytest

from staffa.client.backend import make_migrator
from staffa.drivers.asyncpg import ConnectionSettings
from staffa.errors import DatabaseError, MigrationError
from staffa.migrate import Migrator
from tests.migrations.catalogue import read_catalogue

FOLDER = Path(str(files("staffa.engines.postgres"))) / "migrations"
STEP = re.compile(r"(\d{4})_\w+\.(up|down)\.sql")
NEXT = len(list(FOLDER.glob("*.up.sql"))) + 1

MakeNewer = Callable[[str, str], Migrator]


@pytest.fixture
def make_newer(
    dsn: str, empty_prefix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> MakeNewer:
    """Makes the migrator of a Staffa that has one more step."""

    def make(up: str, down: str) -> Migrator:
        package = f"newer_{uuid.uuid4().hex[:8]}"
        folder = tmp_path / package / "migrations"
        shutil.copytree(FOLDER, folder)
        (tmp_path / package / "__init__.py").touch()
        (folder / f"{NEXT:04}_newer.up.sql").write_text(up)
        (folder / f"{NEXT:04}_newer.down.sql").write_text(down)
        monkeypatch.syspath_prepend(str(tmp_path))
        names = [path.name for path in folder.iterdir()]
        return Migrator(ConnectionSettings(dsn), package, names, empty_prefix)

    return make


def test_steps_are_numbered_without_gaps_and_each_can_be_taken_back() -> None:
    names = sorted(path.name for path in FOLDER.glob("*.sql"))
    found = [STEP.fullmatch(name) for name in names]
    assert all(found), names
    for direction in ("up", "down"):
        numbers = [int(step[1]) for step in found if step and step[2] == direction]
        assert numbers == list(range(1, len(numbers) + 1))
    stems = {name.removesuffix(".up.sql") for name in names if name.endswith(".up.sql")}
    assert stems == {name.removesuffix(".down.sql") for name in names if ".down." in name}


async def test_a_newer_version_adds_its_step_to_what_is_there(
    migrator: Migrator, make_newer: MakeNewer
) -> None:
    await migrator.up()
    newer = make_newer('CREATE TABLE :"prefix".extra (id int);', 'DROP TABLE :"prefix".extra;')
    assert [step.version for step in (await newer.status()).pending] == [NEXT]
    assert [step.name for step in await newer.up()] == ["newer"]
    assert [step.name for step in await newer.down(NEXT - 1)] == ["newer"]
    assert await migrator.up() == []


async def test_a_step_that_fails_in_its_middle_leaves_the_steps_before_it(
    make_newer: MakeNewer, connection: asyncpg.Connection
) -> None:
    newer = make_newer('CREATE TABLE :"prefix".extra (id int); SELECT 1 / 0;', "SELECT 1;")
    with pytest.raises(DatabaseError, match="division by zero"):
        await newer.up()
    assert (await newer.status()).version == NEXT - 1
    catalogue = await read_catalogue(connection, newer.prefix)
    assert not any("extra" in part for part in catalogue)
    with pytest.raises(DatabaseError, match="division by zero"):
        await newer.up()


async def test_a_step_back_that_fails_in_its_middle_is_not_taken(
    make_newer: MakeNewer, connection: asyncpg.Connection
) -> None:
    newer = make_newer(
        'CREATE TABLE :"prefix".extra (id int);', 'DROP TABLE :"prefix".extra; SELECT 1 / 0;'
    )
    await newer.up()
    before = await read_catalogue(connection, newer.prefix)
    with pytest.raises(DatabaseError, match="division by zero"):
        await newer.down(0)
    assert await read_catalogue(connection, newer.prefix) == before
    assert (await newer.status()).version == NEXT


async def test_an_older_version_leaves_the_steps_of_a_newer_one_alone(
    dsn: str, make_newer: MakeNewer, connection: asyncpg.Connection
) -> None:
    newer = make_newer('CREATE TABLE :"prefix".extra (id int);', 'DROP TABLE :"prefix".extra;')
    await newer.up()
    older = make_migrator(dsn, newer.prefix)
    before = await read_catalogue(connection, newer.prefix)
    status = await older.status()
    assert (status.version, status.pending) == (NEXT, ())
    assert await older.up() == []
    with pytest.raises(MigrationError, match=f"{NEXT:04}_newer .* newer version"):
        await older.down(0)
    assert await read_catalogue(connection, newer.prefix) == before
