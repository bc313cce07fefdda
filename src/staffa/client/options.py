"""The settings that a client takes by keyword, for type checkers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypedDict

from staffa.ageing import Prioritizer
from staffa.args.encryption import EncryptionKeys, KeyRing
from staffa.cron.entries import Cron
from staffa.modes import TestingMode
from staffa.queue import MaxDepth
from staffa.types import Seconds
from staffa.upkeep import Pruner, Reindexer


class ClientOptions(TypedDict, total=False):
    """The settings that a client takes by keyword; see `Config`."""

    prefix: str
    name: str
    node: str
    imports: Sequence[str]
    dynamic_queues: str
    max_depth: Mapping[str, int | MaxDepth | Mapping[str, Any]]
    node_limit: int
    pool_size: int
    shutdown_grace: Seconds
    heartbeat: Seconds
    dead_after: Seconds
    foreign_dead_after: Seconds
    max_rescues: int
    unknown_after: Seconds
    poll: Seconds
    leader_lease: Seconds
    loop_blocked_after: Seconds
    health_port: int
    health_host: str
    encryption_keys: EncryptionKeys | KeyRing
    processes: int
    process_max_jobs: int
    process_max_age: Seconds
    process_max_memory: int
    cron: Sequence[Cron | Mapping[str, Any]] | Mapping[str, Any] | bool
    cron_sync: Literal["manual", "automatic"]
    timezone: str
    listen_dsn: str
    maintenance_dsn: str
    pooler: bool
    notifier: str
    sonar: bool
    metrics: bool
    pruner: bool | Pruner | Mapping[str, Any]
    prioritizer: bool | Prioritizer | Mapping[str, Any]
    reindexer: bool | Reindexer | Mapping[str, Any]
    testing: TestingMode
    django_alias: str
