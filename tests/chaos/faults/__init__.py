"""The faults of the matrix, as they are injected into a run."""

from tests.chaos.faults.database import CrashDatabase, HoldLocks, LoseListeners, TerminateBackends
from tests.chaos.faults.fault import Fault
from tests.chaos.faults.network import (
    BlackHole,
    HalfOpen,
    LoseNotifications,
    LoseReply,
    LossyNetwork,
    RefuseConnections,
    SlowNetwork,
)
from tests.chaos.faults.processes import (
    FreezeWorker,
    KillChild,
    KillEnqueuer,
    KillWorker,
    StopWorker,
    StopWorkerAtOnce,
)
from tests.chaos.faults.schedule import schedule

FAULTS: tuple[type[Fault], ...] = (
    KillWorker,
    KillEnqueuer,
    KillChild,
    FreezeWorker,
    StopWorker,
    StopWorkerAtOnce,
    CrashDatabase,
    TerminateBackends,
    LoseListeners,
    HoldLocks,
    RefuseConnections,
    BlackHole,
    SlowNetwork,
    LossyNetwork,
    HalfOpen,
    LoseNotifications,
    LoseReply,
)
"""All of them; a scenario may add its own."""

__all__ = ["FAULTS", "Fault", "schedule"]
