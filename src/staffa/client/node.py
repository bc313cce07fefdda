"""What runs in a process that runs queues: jobs, services, and the ear for notifications."""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Iterable
from typing import Any

from staffa._internal.clock import Clock
from staffa.client.broadcasts import Broadcasts
from staffa.client.upkeep import Upkeep
from staffa.client.wakeups import Wakeups
from staffa.config import Config
from staffa.cron.declared import Collector
from staffa.engine import Engine, Producer, Rescued
from staffa.errors import DatabaseError
from staffa.flows.composer import Composer
from staffa.jobs import Job
from staffa.linking import Followed
from staffa.met.metrics import Completed
from staffa.notifier import Notifier, is_for
from staffa.queues.kills import Kills
from staffa.queues.relayed import Relayed
from staffa.queues.signals import Signals
from staffa.queues.supervisor import Supervisor
from staffa.queues.synchronising import synchronise_queues
from staffa.service import attempt
from staffa.services.cron import Crontab
from staffa.services.leader import Leader
from staffa.services.lifeline import Lifeline
from staffa.services.stager import Stager
from staffa.telemetry import report, working_for
from staffa.types import Connectivity, EndReason

_CHANNELS = ("insert", "control", "signal", "signalled", "leader", "sonar")


class Node:
    """One start of a process that runs queues.

    Args:
        config: The client's settings.
        engine: Where jobs are stored.
        notifier: Carries notifications.
        wakeups: Tells other nodes of jobs.
        clock: Measures.
    """

    def __init__(
        self, config: Config, engine: Engine, notifier: Notifier, wakeups: Wakeups, clock: Clock
    ) -> None:
        self._config = config
        self._engine = engine
        self.notifier = notifier
        self._wakeups = wakeups
        self.producer = Producer(uuid.uuid4(), config.name, config.node)
        self._leader = Leader(
            engine,
            self.producer,
            config.leader_lease,
            clock=clock,
            on_elected=self._after_election,
            on_resigned=self._tell_resigned,
        )
        self._lifeline = Lifeline(
            engine,
            leading=lambda: self._leader.leading,
            max_rescues=config.max_rescues,
            foreign_dead_after=config.foreign_dead_after,
            on_available=self._announce,
            on_discarded=self._after_discard,
            on_followed=self._after_follow,
        )
        self._relayed = Relayed(notifier)
        self.supervisor = Supervisor(
            config,
            engine,
            self.producer,
            clock=clock,
            on_dead=self._lifeline.rescue,
            on_done=self._after_job,
            on_settled=self._relayed.tell,
            on_completed=self._after_completions,
            on_followed=self._after_follow,
            composer=Composer(engine, config.encryption_keys, self._announce),
        )
        self._signals = Signals(
            engine,
            self.producer,
            runs=self.supervisor.roster.runs,
            leading=lambda: self._leader.leading,
            on_written=self.supervisor.roster.obey,
        )
        self._kills = Kills(
            engine,
            self.producer,
            lease_of=self.supervisor.lease_of,
            on_cancelled=self.supervisor.check_leases,
            on_followed=self._after_follow,
        )
        self.stager = Stager(
            engine,
            lambda: self.supervisor.queues,
            config.poll,
            on_available=self.supervisor.wake,
            may_slow=lambda: self.upkeep.connectivity is not Connectivity.ISOLATED,
            clock=clock,
        )
        self.upkeep = Upkeep(
            config,
            engine,
            notifier,
            self.producer,
            leading=lambda: self._leader.leading,
            clock=clock,
            on_recovered=self.wake_all,
        )
        collector = Collector(
            config.cron or (),
            config.name,
            config.timezone,
            config.imports,
            config.encryption_keys,
        )
        self._crontab = Crontab(
            engine,
            self.producer,
            collector.collect,
            leading=lambda: self._leader.leading,
            grace=config.cron_grace,
            dead_after=config.dead_after,
            clock=clock,
            on_available=self._announce,
            # What could not be collected has not left the configuration.
            sync=lambda: config.cron_sync == "automatic" and not collector.left_out,
        )
        self._broadcasts = Broadcasts(
            config,
            engine,
            notifier,
            self.producer,
            checks=self.supervisor.roster.check,
            entries=lambda: self._crontab.entries,
            leading=lambda: self._leader.leading,
            clock=clock,
        )

    async def start(self) -> None:
        """Start everything, or raise and leave nothing running.

        Raises:
            DatabaseError: If the database can't be reached.
        """
        try:
            with working_for(self._config.name):
                await self.notifier.listen(_CHANNELS, self._on_notification)
                self._wakeups.leave_first(self.supervisor.roster.has_room)
                await self._wakeups.start()
                await self._relayed.start()
                await self._synchronise()
                await self.supervisor.start()
                await self._signals.start()
                await self._kills.start()
                for service in (self._leader, self._lifeline, self.stager):
                    await service.start()
                if self._config.cron is not None:
                    await self._crontab.start()
                await self.upkeep.start()
                await self._broadcasts.start()
        except BaseException:
            await self.stop(grace=0)
            raise

    async def _synchronise(self) -> None:
        """Bring the configured queues to the database, if they are kept there."""
        mode = self._config.dynamic_queues
        if mode is None:
            return
        changed = await synchronise_queues(
            self._engine, self._config.name, self._config.queues, absent=mode == "automatic"
        )
        if changed:
            await self._notify_change()

    async def _notify_change(self) -> None:
        try:
            await self.notifier.notify([("control", {"name": self._config.name})])
        except DatabaseError as error:
            report("a change was not notified; heartbeats tell", error, level=logging.INFO)

    async def stop(self, grace: float) -> None:
        """Stop everything in order; running jobs may go on for some seconds from now on.

        What fails to stop is reported, and keeps nothing else from it.
        """
        with working_for(self._config.name):
            self._broadcasts.begin_shutdown()
            await attempt("stopping the signals", self._signals.stop())
            await attempt("stopping the kills of peers", self._kills.stop())
            # Beside each other: without a database, a resignation would hold up the running jobs.
            await asyncio.gather(self._stop_services(), self.supervisor.stop(grace))
            await attempt("stopping what dashboards are told", self._broadcasts.stop())
            await attempt("stopping the lifeline", self._lifeline.stop())
            await attempt("stopping the wake-ups", self._wakeups.stop())
            await attempt("telling of relayed jobs", self._relayed.stop())
            await attempt("stopping the notifier", self.notifier.stop())

    async def _stop_services(self) -> None:
        for service in (self.stager, self._crontab, self.upkeep, self._leader):
            await attempt(f"stopping the {type(service).__name__.lower()}", service.stop())

    def wake_all(self) -> None:
        """Look for jobs in all queues: notifications may have been missed."""
        self.supervisor.wake(self.supervisor.queues)
        self.supervisor.awaits.look_at_all()
        self.supervisor.check_leases()

    def _on_notification(self, channel: str, payload: dict[str, Any]) -> None:
        """Take a hint; what it hurries is judged by rows."""
        if not is_for(payload, self._config.name, self._config.node):
            return
        if channel == "insert":
            self.supervisor.wake([str(payload.get("queue"))])
        elif channel == "signalled":
            self.supervisor.awaits.hear(_numbers(payload.get("ids")))
        elif channel == "control":
            self._on_control(payload)
        elif channel == "signal":
            self._on_signal(payload)
        elif channel == "leader" and payload.get("down") == self._config.name:
            self._leader.wake()
        elif channel == "sonar":
            self.upkeep.hear(payload)

    def _on_signal(self, signal: dict[str, Any]) -> None:
        if signal.get("action") != "pkill":
            self._signals.hear(signal)
            return
        self.supervisor.check_leases()
        if not self._signals.is_own(signal):
            self._kills.hear(signal.get("job_id"))

    def _on_control(self, payload: dict[str, Any]) -> None:
        """One of our own clients has changed rows, and sends peers a signal of it right away."""
        signal = payload.get("signal")
        if isinstance(signal, dict) and is_for(signal, self._config.name, self._config.node):
            self._signals.expect(signal)
        if payload.get("name") == self._config.name:
            self.supervisor.check_leases()

    def _after_election(self) -> None:
        self._lifeline.wake()
        self._crontab.wake()

    def _after_job(self, job: Job) -> None:
        queues = job.take_enqueued()
        if queues:
            self._announce(queues)

    def _after_completions(self, runs: Iterable[Completed]) -> None:
        self._broadcasts.count_completed(runs)

    def _after_discard(self, job: Rescued, reason: EndReason) -> None:
        self.supervisor.aftermath.rescued(job, reason)

    def _after_follow(self, followed: Followed) -> None:
        if followed.woken:
            self._announce(followed.woken)
        self.supervisor.aftermath.followed(followed)

    def _announce(self, queues: Iterable[str]) -> None:
        self.supervisor.wake(queues)
        self._wakeups.announce(queues)

    async def _tell_resigned(self) -> None:
        await self.notifier.notify([("leader", {"down": self._config.name})])


def _numbers(found: object) -> list[object]:
    return found if isinstance(found, list) else []
