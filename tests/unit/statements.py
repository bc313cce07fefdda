"""Builders of statements, and what they are given, as tests have them."""

from __future__ import annotations

from uuid import UUID

from staffa import State
from staffa.engine import (
    Ack,
    Control,
    Lease,
    Producer,
)
from staffa.engines.statements.ages import AgeStatements
from staffa.engines.statements.jobs import JobStatements
from staffa.engines.statements.nodes import LeaderStatements, ProducerStatements
from staffa.engines.statements.operations import OperationStatements
from staffa.engines.statements.prunes import PruneStatements
from staffa.engines.statements.queues import QueueStatements
from staffa.engines.statements.rescues import RescueStatements
from staffa.maintenance import Finished
from staffa.waiting import Level, Waiting
from tests.unit.rows import claimed

PREFIX = 'my "jobs"'
PRODUCER = Producer(UUID(int=5), "Oban", "node-a")
JOB = claimed(PRODUCER, id=7, attempt=2)
ACK = Ack(lease=Lease.of(JOB), state=State.RETRYABLE, error="it failed")
PLAIN_ACK = Ack(lease=Lease.of(JOB), state=State.COMPLETED)
JOBS, RESCUES = JobStatements(PREFIX), RescueStatements(PREFIX)
OPERATIONS = OperationStatements(PREFIX)
PRUNES = PruneStatements(PREFIX)
AGES = AgeStatements(PREFIX)
PRODUCERS, LEADERS = ProducerStatements(PREFIX), LeaderStatements(PREFIX)
QUEUES = QueueStatements(PREFIX)
CONTROL = Control("mail", "*", "limit", 5)
FINISHED = Finished(
    id=3, state=State.COMPLETED, queue="q", worker="w", age=9.0, ended_at="then", version="77"
)
LEVEL = Level(queue="mail", priority=5)
WAITING = Waiting(
    id=3, queue="mail", worker="w", priority=5, own_priority=7, waited=9.0, due_since="then"
)
