"""Runs the contenders of a case in turn, each on a fresh database, again and again."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from bench.cases import Case, Entry, Outcome
from bench.contenders.contract import MARK
from bench.environments import PROJECT
from bench.peers import Peer
from bench.servers import Postgres

_RUN = "bench_run"


@dataclass(frozen=True, slots=True)
class Runner:
    """Runs contenders against the servers.

    Args:
        server: The PostgreSQL of the run.
        redis: The Redis, if there is one.
    """

    server: Postgres
    redis: str | None

    def rounds(self, case: Case, entries: Iterable[Entry], count: int) -> dict[str, list[Outcome]]:
        """Run each entry so often, one after the other, so that noise meets all alike."""
        found: dict[str, list[Outcome]] = {entry.label: [] for entry in entries}
        for number in range(count):
            for entry in case.entries:
                if entry.label in found:
                    found[entry.label].append(self.run(entry))
                    _tell(f"{case.name} {number + 1}/{count}", case, entry, found[entry.label][-1])
        return found

    def run(self, entry: Entry) -> Outcome:
        """Run one entry, and check in the database that all is done."""
        name = self._database(entry)
        self.server.settle()
        programs = [
            _Program(entry.peer, entry.action, self._where(entry.peer, name), self.redis)
            for _ in range(entry.processes)
        ]
        for program in programs:
            program.ready(entry.options)
        before = self._counted(name)
        for program in programs:
            program.go()
        if entry.marked:
            before = self._counted_at_marks(programs, name)
            after = self._counted_at_marks(programs, name)
            for program in programs:
                program.go()
        outcomes = [program.result() for program in programs]
        if not entry.marked:
            after = self._counted(name)
        outcome = {
            **outcomes[0],
            "seconds": max(found["seconds"] for found in outcomes),
            "cpu": sum(found["cpu"] for found in outcomes),
            **{what: after[what] - before[what] for what in after},
        }
        self._check(entry, name)
        return outcome

    def _counted(self, name: str) -> dict[str, float]:
        """Return what the server has done so far."""
        return {
            "server_cpu": self.server.cpu_seconds(),
            "transactions": self.server.transactions(name),
        }

    def _counted_at_marks(self, programs: Iterable[_Program], name: str) -> dict[str, float]:
        """Return the same once all programs have said that they are there."""
        for program in programs:
            program.await_mark()
        return self._counted(name)

    def _database(self, entry: Entry) -> str:
        if entry.peer.redis:
            self._call(entry.peer, "install", "", {})
            if entry.filled:
                self._call(entry.peer, "insert", "", {"jobs": entry.filled})
            return _RUN
        action, options = entry.filling
        wanted = f"{entry.peer.module}_{entry.filled}_{'_'.join(map(str, options.values()))}"
        template = f"bench_{wanted.strip('_')}"
        if template not in _TEMPLATES:
            dsn = self.server.create(template)
            self._call(entry.peer, "install", dsn, {})
            if entry.filled:
                self._call(entry.peer, action, dsn, {"jobs": entry.filled, **options})
            if entry.analyzed:
                self.server.analyze(template)
            _TEMPLATES.add(template)
        self.server.create(_RUN, template)
        return _RUN

    def _where(self, peer: Peer, name: str) -> str:
        return "" if peer.redis else self.server.dsn(name)

    def _call(self, peer: Peer, action: str, dsn: str, options: Mapping[str, Any]) -> None:
        program = _Program(peer, action, dsn, self.redis)
        program.ready(options)
        program.go()
        program.result()

    def _check(self, entry: Entry, name: str) -> None:
        if entry.filled and entry.jobs and entry.peer.done is not None:
            done = self.server.count(name, entry.peer.done)
            if done != entry.jobs:
                raise RuntimeError(f"{entry.label} has done {done} jobs of {entry.jobs}")


_TEMPLATES: set[str] = set()


def _tell(place: str, case: Case, entry: Entry, outcome: Outcome) -> None:
    cost = ""
    if entry.jobs:
        worker, server = (outcome[name] * 1e6 / entry.jobs for name in ("cpu", "server_cpu"))
        cost = f" ({worker:.0f} µs of the worker and {server:.0f} µs of PostgreSQL a job)"
    print(f"{place} {entry.label}: {entry.value(outcome):,.1f} {case.unit}{cost}", flush=True)


class _Program:
    def __init__(self, peer: Peer, action: str, dsn: str, redis: str | None) -> None:
        self._peer, self._action, self._dsn = peer, action, dsn
        self._environment = {**os.environ, "PYTHONPATH": str(PROJECT), "BENCH_REDIS": redis or ""}
        self._process: subprocess.Popen[str]

    def ready(self, options: Mapping[str, Any]) -> None:
        """Start it, and wait until all is imported."""
        self._process = subprocess.Popen(
            [
                str(self._peer.environment.python),
                "-m",
                f"bench.contenders.{self._peer.module}",
                self._action,
                self._dsn,
                json.dumps(dict(options)),
            ],
            cwd=PROJECT,
            env=self._environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        if self._process.stdout.readline().strip() != "ready":
            self._fail()

    def await_mark(self) -> None:
        """Wait until what is measured begins, or ends."""
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.strip() == MARK:
                return
        self._fail()

    def go(self) -> None:
        """Let it begin, or go on."""
        assert self._process.stdin is not None
        self._process.stdin.write("go\n")
        self._process.stdin.flush()

    def result(self) -> dict[str, Any]:
        """Return what it tells at the end."""
        out, err = self._process.communicate(timeout=600)
        lines = out.strip().splitlines()
        if self._process.returncode or not lines:
            raise RuntimeError(f"{self._peer.name} {self._action} failed:\n{err[-3000:]}")
        result: dict[str, Any] = json.loads(lines[-1])
        return result

    def _fail(self) -> None:
        _, err = self._process.communicate()
        raise RuntimeError(f"{self._peer.name} {self._action} failed:\n{err[-3000:]}")
