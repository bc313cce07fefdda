"""The plugin for pytest, in runs of its own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

import pytest

Run = Callable[..., pytest.RunResult]

ASYNC_TESTS = """
    import pytest
    from staffa import current_job, get_instance, job
    from staffa.testing import all_enqueued, assert_enqueued, drain_queue, refute_enqueued

    ran = []

    @job(queue="mail")
    async def send(to):
        ran.append(to)

    async def test_jobs_are_stored_and_drained(staffa_app):
        assert get_instance() is staffa_app
        await send.enqueue("ada@example.com")
        await assert_enqueued(worker=send, args={"to": "ada@example.com"})
        assert ran == []
        assert (await drain_queue("mail"))["completed"] == 1
        assert ran == ["ada@example.com"]

    @pytest.mark.parametrize("number", range(3))
    async def test_each_test_begins_without_jobs(staffa_app, number):
        assert await staffa_app.count_jobs() == {}
        await send.enqueue("bob@example.com")
        assert len(await all_enqueued()) == 1
"""

SYNC_TESTS = """
    from staffa import job
    from staffa.testing.sync import assert_enqueued, drain_queue, refute_enqueued

    @job
    def send(to):
        return to

    def test_jobs_are_stored_and_drained(staffa_app):
        send.enqueue_sync("ada@example.com")
        assert_enqueued(worker=send, args={"to": "ada@example.com"})
        assert drain_queue()["completed"] == 1

    def test_each_test_begins_without_jobs(staffa_app):
        refute_enqueued()
"""


@pytest.fixture(params=["server", "sqlite"])
def run(request: pytest.FixtureRequest, pytester: pytest.Pytester) -> Run:
    """Runs pytest in the folder of the test, on one of the databases."""
    dsn = request.getfixturevalue("dsn") if request.param == "server" else "sqlite://"

    def run_pytest(*options: str, mode: str | None = "auto") -> pytest.RunResult:
        lines = ["[pytest]", "filterwarnings = error"]
        if mode is not None:
            lines += [f"asyncio_mode = {mode}", "asyncio_default_fixture_loop_scope = function"]
        pytester.makeini("\n".join(lines))
        return pytester.runpytest_subprocess(f"--staffa-dsn={dsn}", *options)

    return run_pytest


def test_async_tests_have_a_client_on_an_empty_database(
    pytester: pytest.Pytester, run: Run
) -> None:
    pytester.makepyfile(ASYNC_TESTS)

    run().assert_outcomes(passed=4)


def test_the_processes_of_xdist_are_not_in_each_others_way(
    pytester: pytest.Pytester, run: Run
) -> None:
    pytester.makepyfile(test_one=ASYNC_TESTS, test_two=ASYNC_TESTS)

    run("-n", "2").assert_outcomes(passed=8)


def test_anyio_runs_the_tests_as_well(pytester: pytest.Pytester, run: Run) -> None:
    pytest.importorskip("anyio", reason="anyio is not installed")
    pytester.makepyfile(
        ASYNC_TESTS + "    pytestmark = pytest.mark.anyio\n"
        "    @pytest.fixture\n"
        "    def anyio_backend():\n"
        "        return 'asyncio'\n"
    )

    run("-p", "no:asyncio", mode=None).assert_outcomes(passed=4)
    run(mode="strict").assert_outcomes(passed=4)


def test_synchronous_tests_have_one_too(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makepyfile(SYNC_TESTS)

    run().assert_outcomes(passed=2)


def test_tests_that_share_a_loop_end_their_clients_on_it(
    pytester: pytest.Pytester, run: Run
) -> None:
    pytester.makepyfile(ASYNC_TESTS + "    pytestmark = pytest.mark.asyncio(loop_scope='module')\n")

    run().assert_outcomes(passed=4)
    run(mode="strict").assert_outcomes(passed=4)


def test_the_clients_of_the_program_are_out_of_the_way(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makepyfile(
        shop="""
        from staffa import Staffa
        app = Staffa("postgresql://nobody@127.0.0.1:1/production")
        """,
        test_it="""
        import shop
        from staffa import get_instance

        async def test_within(staffa_app):
            assert get_instance() is staffa_app

        def test_after():
            assert get_instance() is shop.app
        """,
    )

    run().assert_outcomes(passed=2)


def test_options_of_the_client_can_be_chosen(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makepyfile(
        """
        import pytest

        @pytest.fixture
        def staffa_options():
            return {"name": "billing", "testing": "inline"}

        async def test_it(staffa_app):
            assert (staffa_app.config.name, staffa_app.config.testing) == ("billing", "inline")
        """
    )

    run().assert_outcomes(passed=1)


def test_the_servers_schemas_are_gone_afterwards(pytester: pytest.Pytester, dsn: str) -> None:
    pytester.makepyfile(
        f"""
        import asyncpg
        async def schemas():
            connection = await asyncpg.connect({dsn!r})
            found = await connection.fetch(
                "SELECT nspname FROM pg_namespace WHERE nspname LIKE 'staffa_test_%'")
            await connection.close()
            return len(found)

        async def test_a(staffa_app):
            assert await schemas() == 1
        """
    )
    ini = "[pytest]\nasyncio_mode = auto\nasyncio_default_fixture_loop_scope = function\n"
    pytester.makeini(ini + f"staffa_dsn = {dsn}\n")

    pytester.runpytest_subprocess().assert_outcomes(passed=1)
    pytester.makepyfile(
        test_gone=pytester.path.joinpath("test_the_servers_schemas_are_gone_afterwards.py")
        .read_text()
        .replace("test_a(staffa_app)", "test_a()")
        .replace("== 1", "== 0")
    )
    pytester.runpytest_subprocess("test_gone.py").assert_outcomes(passed=1)


def test_a_clock_of_the_test_is_the_clients(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makepyfile(
        """
        async def test_it(staffa_app, staffa_clock):
            before = staffa_clock.now()
            staffa_clock.advance(hours=1)
            assert (staffa_clock.now() - before).total_seconds() == 3600
            assert staffa_app._clock is staffa_clock
        """
    )

    run().assert_outcomes(passed=1)


def test_an_async_test_that_nothing_runs_is_told_what_it_lacks(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("async def test_it(staffa_app): ...")
    pytester.makeini("[pytest]\nasyncio_mode = strict\n")

    result = pytester.runpytest_subprocess("-p", "no:asyncio")

    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*ConfigError*mark it with pytest.mark.asyncio*"])


def test_it_imports_nothing_where_no_test_asks_for_it(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import sys
        def test_it():
            assert "pytest_staffa" in sys.modules
            assert "staffa" not in sys.modules
            assert "asyncpg" not in sys.modules
        """
    )
    pytester.makeini("[pytest]\n")

    pytester.runpytest_subprocess("-p", "no:asyncio").assert_outcomes(passed=1)


def test_its_own_modules_cost_little() -> None:
    code = (
        "import sys; before = set(sys.modules); import pytest_staffa; "
        "print(*sorted({name.partition('.')[0] for name in set(sys.modules) - before}))"
    )
    found = subprocess.run(
        [sys.executable, "-c", f"import pytest; {code}"], capture_output=True, text=True, check=True
    )

    assert found.stdout.split() == ["pytest_staffa"]
