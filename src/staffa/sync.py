"""The client for synchronous code: `app.sync`, with the methods of the client.

Written by `make sync` from the client's own methods: change those, then write it again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal, Unpack, overload

from staffa.client.changes import ChangeJob, JobChanges
from staffa.client.filtered_changes import Progress
from staffa.client.rates import SyncRate
from staffa.client.sync_handles import SyncBatchHandle, SyncWorkflowHandle
from staffa.client.synchronous import Synchronous
from staffa.cron.edits import CronChanges
from staffa.cron.entries import Cron
from staffa.cron.stored import StoredCron
from staffa.dynamic import DynamicQueue
from staffa.filters import JobFilter
from staffa.flows import Addition, Batch, Workflow
from staffa.flows.batch_status import BatchStatus
from staffa.flows.status import WorkflowStatus
from staffa.instance import Source
from staffa.jobs import Job
from staffa.options import BulkOptions, Notify
from staffa.queue import Queue, QueueCheck
from staffa.relays import SyncRelay, SyncRelays
from staffa.signals import DEFAULT_NAME
from staffa.types import Seconds, State


class SyncStaffa(Synchronous):
    """The client's methods for code without an event loop: scripts, threads, web views.

    They are carried out on one event loop on a thread of its own, for the whole process. With
    `conn=`, the statements run on the caller's thread instead. Queues that are started here run
    their async jobs on that loop.

    Raises:
        LoopRunning: By every method, on a thread that runs an event loop; it says what to call
            there.

    Example:
        ```python
        app = Staffa("postgresql://localhost/app")

        job = app.sync.enqueue(send_mail.new("a@example.com"))
        ```
    """

    def start(self, *, queues: Mapping[str, Any] | None = None) -> None:
        """Connect, and run the queues. Without queues the client only sends, so it does in tests.

        Args:
            queues: Runs these instead of those given at construction.

        Raises:
            SchemaMissing: If the tables are not there: run ``staffa migrate up``.
            DatabaseUnavailable: If the database can't be reached.
            InstanceError: If it runs already.
            ConfigError: If `health_port` is in use.
        """
        self._call(self._app.start, queues=queues)

    def stop(self, *, grace: Seconds | None = None) -> None:
        """Stop in order: no more claims, running jobs may end, what is left is put back.

        A second call while the first one waits ends the grace period at once. It may be called on
        another thread than `start`.

        Args:
            grace: How long running jobs may go on; `shutdown_grace` if not given.
        """
        self._call(self._app.stop, grace=grace)

    @overload
    def enqueue(self, job: Job, *, conn: Any = None, notify: Notify = "after_commit") -> Job: ...
    @overload
    def enqueue(
        self, job: Workflow | Addition, *, conn: Any = None, notify: Notify = "after_commit"
    ) -> SyncWorkflowHandle: ...
    @overload
    def enqueue(
        self, job: Batch, *, conn: Any = None, notify: Notify = "after_commit"
    ) -> SyncBatchHandle: ...
    def enqueue(
        self,
        job: Job | Workflow | Addition | Batch,
        *,
        conn: Any = None,
        notify: Notify = "after_commit",
    ) -> Job | SyncWorkflowHandle | SyncBatchHandle:
        """Write a job, and return it with its id; or a workflow or batch, and return its handle.

        A workflow or a batch is written as a whole, with all of its jobs or none.

        A unique job that there is already is not written: the existing one is returned, with
        `conflict` true. So is the handle of a unique workflow.

        Args:
            job: From ``f.new(...)``, ``Worker.new(...)`` or ``Job(...)``; a `Workflow`, or what is
                to be added to a stored one; or a `Batch`.
            conn: Your own connection, session or cursor, or the alias of a Django database: the job
                is written in its transaction, and exists if that commits. Workers are woken then
                where the library tells of it; else they find the job within seconds.
            notify: With `conn`, "in_transaction" has your transaction carry the notification, so
                that workers hear of the job at its commit. PostgreSQL makes all transactions that
                notify commit one after the other, on the whole server.

        Raises:
            InvalidJob: If it is no job, or was enqueued before.
            InvalidWorkflow: If the steps of a workflow don't fit together.
            FlowExists: If the id of a workflow or batch, or the name of a step that is added, is
                taken.
            UnknownFlow: If there is no workflow to add to.
            QueueFull: If too many jobs wait in its queue; see the setting `max_depth`.
            SchemaMissing: If the tables are not there.
            DatabaseError: If the database refuses or can't be reached.

        Example:
            ```python
            job = app.sync.enqueue(send_mail.new("a@example.com"))
            ```
        """
        return self._enqueue(job, conn=conn, notify=notify)

    @overload
    def enqueue_many(
        self, *jobs: Source, stream: Literal[False] = False, **options: Unpack[BulkOptions]
    ) -> list[Job]: ...
    @overload
    def enqueue_many(
        self,
        flow: Workflow | Addition | Batch,
        /,
        *jobs: Source | Workflow | Addition | Batch,
        stream: Literal[False] = False,
        **options: Unpack[BulkOptions],
    ) -> list[Job | SyncWorkflowHandle | SyncBatchHandle]: ...
    @overload
    def enqueue_many(
        self,
        first: Source,
        flow: Workflow | Addition | Batch,
        /,
        *jobs: Source | Workflow | Addition | Batch,
        stream: Literal[False] = False,
        **options: Unpack[BulkOptions],
    ) -> list[Job | SyncWorkflowHandle | SyncBatchHandle]: ...
    @overload
    def enqueue_many(
        self, *jobs: Source, stream: Literal[True], **options: Unpack[BulkOptions]
    ) -> Iterator[int]: ...
    def enqueue_many(
        self,
        *jobs: Source | Workflow | Addition | Batch,
        stream: bool = False,
        **options: Unpack[BulkOptions],
    ) -> list[Job] | list[Job | SyncWorkflowHandle | SyncBatchHandle] | Iterator[int]:
        """Write many jobs: all or none of them, or as a stream, with workflows and batches if any.

        Without `conn`, the jobs are written in one transaction, and each workflow or batch in one.

        Args:
            *jobs: Jobs, or iterables of jobs. Or
                workflows and batches, then nothing can be a stream.
            stream: Whether to write chunk by chunk, each in a transaction of its own, with never
                more than two of them in memory: the next one is read while one is written.
            **options: See `BulkOptions`.

        Returns:
            The stored jobs in the order given, with handles of workflows and
            batches where they were given. Or, of a stream, an iterator of
            their ids as they are written; it writes only as far as it is read.

        Raises:
            ConfigError: If an option can't be used.
            InvalidJob: If one of them is no job, or was enqueued before.
            QueueFull: If too many jobs wait in a queue; see the setting `max_depth`.
            SchemaMissing: If the tables are not there.
            DatabaseError: If the database refuses or can't be reached.

        Example:
            ```python
            jobs = app.sync.enqueue_many(send_mail.new(to) for to in recipients)

            for number in app.sync.enqueue_many(read_jobs(), stream=True):
                print("job", number, "is written")
            ```
        """
        return self._enqueue_many(*jobs, stream=stream, **options)

    def get_job(self, job: int | Job) -> Job | None:
        """Return a job as it is now, or None if there is none.

        Args:
            job: Its id, or the job.
        """
        return self._call(self._app.get_job, job)

    def fetch_result(self, job: int | Job) -> Any:
        """Return what a completed job recorded: plain data, not the model of an annotation.

        Args:
            job: Its id, or the job.

        Raises:
            ResultUnavailable: If there is no such job, it has not completed, does not record its
                result, or had to drop it; the message says which.

        Example:
            ```python
            total = app.sync.fetch_result(job)
            ```
        """
        return self._call(self._app.fetch_result, job)

    def list_jobs(self, wanted: JobFilter | None = None) -> list[Job]:
        """Return jobs, the newest first.

        Args:
            wanted: Which ones; the newest hundred if not given. The next page is the same filter
                with ``before_id`` set to the id of the last job.

        Raises:
            DatabaseError: If the database can't be reached.

        Example:
            ```python
            failed = app.sync.list_jobs(JobFilter(states=["discarded"], queues=["mail"], limit=20))
            ```
        """
        return self._call(self._app.list_jobs, wanted)

    def stream_jobs(self, wanted: JobFilter | None = None) -> Iterator[Job]:
        """Yield all jobs of a filter, the newest first, holding one page at a time in memory.

        Args:
            wanted: Which ones; all if not given. Jobs that are written meanwhile are not among
                them.

        Raises:
            DatabaseError: If the database can't be reached.

        Example:
            ```python
            for job in app.sync.stream_jobs(JobFilter(states=["discarded"])):
                print(job.id, job.errors[-1]["error"])
            ```
        """
        return self._iterate(self._app.stream_jobs, wanted)

    def count_jobs(self, wanted: JobFilter | None = None) -> dict[tuple[str, State], int]:
        """Return how many jobs each queue has in each state.

        Args:
            wanted: Which jobs to count; all if not given. Its limit is of no matter.

        Example:
            ```python
            waiting = app.sync.count_jobs(JobFilter(states=["available", "scheduled"]))
            ```
        """
        return self._call(self._app.count_jobs, wanted)

    def cancel_job(self, job: int | Job) -> bool:
        """Cancel a job that has not ended; one that runs is stopped, whatever node it is on.

        Args:
            job: Its id, or the job.

        Returns:
            Whether it was cancelled.
        """
        return self._call(self._app.cancel_job, job)

    @overload
    def cancel_many_jobs(
        self, jobs: JobFilter, *, everything: bool = ..., on_progress: Progress | None = ...
    ) -> int: ...
    @overload
    def cancel_many_jobs(self, jobs: Iterable[int | Job]) -> list[int]: ...
    def cancel_many_jobs(
        self,
        jobs: JobFilter | Iterable[int | Job],
        *,
        everything: bool = False,
        on_progress: Progress | None = None,
    ) -> list[int] | int:
        """Cancel jobs that have not ended; those that run are stopped.

        Args:
            jobs: Ids, jobs, or a filter.
            everything: Needed for a filter that restricts nothing.
            on_progress: Called after each portion with how many jobs were cancelled so far.

        Returns:
            The ids of those that were cancelled; for a filter, how many.

        Raises:
            OperationInterrupted: If the database fails in the middle of a filter's jobs.
            ConfigError: For a filter that restricts nothing, without `everything`.

        Example:
            ```python
            app.sync.cancel_many_jobs(JobFilter(queues=["mail"], args={"campaign": 7}))
            ```
        """
        return self._call(
            self._app.cancel_many_jobs, jobs, everything=everything, on_progress=on_progress
        )

    def retry_job(self, job: int | Job) -> bool:
        """Make a job available at once, with room for one more attempt.

        Args:
            job: Its id, or the job. One that is available, running or suspended is left alone.

        Returns:
            Whether it will run.
        """
        return self._call(self._app.retry_job, job)

    @overload
    def retry_many_jobs(
        self, jobs: JobFilter, *, everything: bool = ..., on_progress: Progress | None = ...
    ) -> int: ...
    @overload
    def retry_many_jobs(self, jobs: Iterable[int | Job]) -> list[int]: ...
    def retry_many_jobs(
        self,
        jobs: JobFilter | Iterable[int | Job],
        *,
        everything: bool = False,
        on_progress: Progress | None = None,
    ) -> list[int] | int:
        """Make jobs available at once, but for those that are available, running or suspended.

        Args:
            jobs: Ids, jobs, or a filter.
            everything: Needed for a filter that restricts nothing.
            on_progress: Called after each portion with how many jobs will run so far.

        Returns:
            The ids of those that will run; for a filter, how many.

        Raises:
            OperationInterrupted: If the database fails in the middle of a filter's jobs.
            ConfigError: For a filter that restricts nothing, without `everything`.

        Example:
            ```python
            app.sync.retry_many_jobs(JobFilter(states=["discarded"], workers=["shop.send_mail"]))
            ```
        """
        return self._call(
            self._app.retry_many_jobs, jobs, everything=everything, on_progress=on_progress
        )

    def delete_job(self, job: int | Job) -> bool:
        """Delete a job that is not running.

        Args:
            job: Its id, or the job.

        Returns:
            Whether it was deleted.
        """
        return self._call(self._app.delete_job, job)

    @overload
    def delete_many_jobs(
        self, jobs: JobFilter, *, everything: bool = ..., on_progress: Progress | None = ...
    ) -> int: ...
    @overload
    def delete_many_jobs(self, jobs: Iterable[int | Job]) -> list[int]: ...
    def delete_many_jobs(
        self,
        jobs: JobFilter | Iterable[int | Job],
        *,
        everything: bool = False,
        on_progress: Progress | None = None,
    ) -> list[int] | int:
        """Delete jobs that are not running.

        Args:
            jobs: Ids, jobs, or a filter.
            everything: Needed for a filter that restricts nothing.
            on_progress: Called after each portion with how many jobs were deleted so far.

        Returns:
            The ids of those that were deleted; for a filter, how many.

        Raises:
            OperationInterrupted: If the database fails in the middle of a filter's jobs.
            ConfigError: For a filter that restricts nothing, without `everything`.

        Example:
            ```python
            app.sync.delete_many_jobs(JobFilter(finished_before=datetime.now(UTC) - days))
            ```
        """
        return self._call(
            self._app.delete_many_jobs, jobs, everything=everything, on_progress=on_progress
        )

    def update_job(
        self,
        job: int | Job,
        changes: JobChanges | ChangeJob | None = None,
        **columns: Unpack[JobChanges],
    ) -> Job | None:
        """Change columns of a job, and return it; None if there is none.

        Args:
            job: Its id, or the job.
            changes: A mapping of columns, or a function that is called with the job as it is now,
                while its row is locked, and returns such a mapping, or None to leave it alone. It
                may be an async function. What it raises is passed on, and nothing is changed.
                It may take 10 seconds, in which a running job can't store its outcome.
            **columns: The same by keyword; see `JobChanges`. A new `scheduled_at` schedules a job
                that does not run; `scheduled_in` is counted by the database's clock.

        Raises:
            InvalidJob: If a value can't be stored.
            UnknownOption: For a column that can't be changed.
            ConfigError: If changes are given twice, or the function takes too long.

        Example:
            ```python
            app.sync.update_job(job, priority=1, tags=["urgent"])
            app.sync.update_job(job, lambda job: {"meta": {**job.meta, "seen": True}})
            ```
        """
        return self._call(self._app.update_job, job, changes, **columns)

    @overload
    def update_many_jobs(
        self,
        jobs: JobFilter,
        changes: JobChanges | None = ...,
        *,
        everything: bool = ...,
        on_progress: Progress | None = ...,
        **columns: Unpack[JobChanges],
    ) -> int: ...
    @overload
    def update_many_jobs(
        self,
        jobs: Iterable[int | Job],
        changes: JobChanges | ChangeJob | None = ...,
        **columns: Unpack[JobChanges],
    ) -> list[Job]: ...
    def update_many_jobs(
        self,
        jobs: JobFilter | Iterable[int | Job],
        changes: JobChanges | ChangeJob | None = None,
        *,
        everything: bool = False,
        on_progress: Progress | None = None,
        **columns: Unpack[JobChanges],
    ) -> list[Job] | int:
        """Change columns of jobs.

        Args:
            jobs: Ids, jobs, or a filter.
            changes: A mapping of columns; see `JobChanges`. For ids and jobs also a function, which
                is called with one job after the other, each in a transaction of its own.
            everything: Needed for a filter that restricts nothing.
            on_progress: Called after each portion with how many jobs were changed so far.
            **columns: The same by keyword.

        Returns:
            The jobs; for a filter, how many there were.

        Raises:
            InvalidJob: If a value can't be stored.
            UnknownOption: For a column that can't be changed.
            OperationInterrupted: If the database fails in the middle of a filter's jobs.
            ConfigError: For a filter that restricts nothing, without `everything`.

        Example:
            ```python
            app.sync.update_many_jobs(JobFilter(queues=["mail"], tags=["vip"]), priority=0)
            ```
        """
        return self._call(
            self._app.update_many_jobs,
            jobs,
            changes,
            everything=everything,
            on_progress=on_progress,
            **columns,
        )

    def check_queue(self, queue: str) -> QueueCheck:
        """Return what a queue does in this process.

        Raises:
            InstanceError: If it does not run here.
        """
        return self._app.check_queue(queue)

    def check_all_queues(self) -> list[QueueCheck]:
        """Return what each queue does in this process."""
        return self._app.check_all_queues()

    def pause_queue(self, queue: str, *, node: str | None = None) -> None:
        """Claim no more jobs of a queue; jobs that run go on.

        Args:
            queue: Its name.
            node: Only on this node, until its processes end. Without it on all nodes, those that
                are started later too, until the queue is resumed.

        Raises:
            ConfigError: If the queue or the node is no name.
            DatabaseError: If it could not be written; nothing has changed then, unless only the
                reply was lost. It may be repeated.

        Example:
            ```python
            app.sync.pause_queue("mail")
            app.sync.resume_queue("mail")
            ```
        """
        self._call(self._app.pause_queue, queue, node=node)

    def resume_queue(self, queue: str, *, node: str | None = None) -> None:
        """Claim jobs of a queue again.

        Args:
            queue: Its name.
            node: Only on this node.

        Raises:
            ConfigError: If the queue or the node is no name.
            DatabaseError: If it could not be written.

        Example:
            ```python
            app.sync.resume_queue("mail", node="web.1")
            ```
        """
        self._call(self._app.resume_queue, queue, node=node)

    def pause_all_queues(self, *, node: str | None = None) -> None:
        """Claim no more jobs of any queue; jobs that run go on.

        Args:
            node: Only on this node, until its processes end.

        Raises:
            ConfigError: If the node is no name.
            DatabaseError: If it could not be written.

        Example:
            ```python
            app.sync.pause_all_queues()
            app.sync.resume_queue("mail")  # all but this one stay paused
            ```
        """
        self._call(self._app.pause_all_queues, node=node)

    def resume_all_queues(self, *, node: str | None = None) -> None:
        """Claim jobs of all queues again, whichever way they were paused.

        Args:
            node: Only on this node.

        Raises:
            ConfigError: If the node is no name.
            DatabaseError: If it could not be written.

        Example:
            ```python
            app.sync.resume_all_queues()
            ```
        """
        self._call(self._app.resume_all_queues, node=node)

    def scale_queue(self, queue: str, *, limit: int, node: str | None = None) -> None:
        """Change how many jobs of a queue run at once in each process, until the process ends.

        The processes of one `staffa start --processes N` share the limit.

        Args:
            queue: Its name.
            limit: How many. Jobs that run above a lower limit go on.
            node: Only on this node.

        Raises:
            ConfigError: If the queue or the node is no name, or the limit can't be used.
            DatabaseError: If it could not be written.

        Example:
            ```python
            app.sync.scale_queue("mail", limit=20)
            ```
        """
        self._call(self._app.scale_queue, queue, limit=limit, node=node)

    def start_queue(
        self,
        queue: str,
        *,
        limit: int | None = None,
        paused: bool | None = None,
        node: str | None = None,
    ) -> None:
        """Run a queue in each worker process that is alive now, until it ends.

        Args:
            queue: Its name.
            limit: How many of its jobs run at once in each process, or in all of one `staffa start
                --processes N` together. Without it, what was set last, what is configured, or 10.
            paused: Whether it starts paused. Without it, a pause stays as it is.
            node: Only on this node.

        Raises:
            ConfigError: If the queue or the node is no name, or an option can't be used.
            DatabaseError: If it could not be written.

        Example:
            ```python
            app.sync.start_queue("reports", limit=2, node="web.1")
            ```
        """
        self._call(self._app.start_queue, queue, limit=limit, paused=paused, node=node)

    def stop_queue(self, queue: str, *, node: str | None = None) -> None:
        """Run a queue no more, in each worker process that is alive now; jobs that run go on.

        Args:
            queue: Its name.
            node: Only on this node.

        Raises:
            ConfigError: If the queue or the node is no name.
            DatabaseError: If it could not be written.

        Example:
            ```python
            app.sync.stop_queue("reports")
            ```
        """
        self._call(self._app.stop_queue, queue, node=node)

    def insert_queue(self, queue: str, options: int | Queue | Mapping[str, Any]) -> None:
        """Have a queue run from now on in each worker process that its `only` names.

        It is kept in the database, so that processes which start later run it, too. If there is a
        dynamic queue of this name, it has these options from now on and no others.

        Args:
            queue: Its name.
            options: How it runs: a limit, a `Queue`, or a table as in ``staffa.toml``.

        Raises:
            ConfigError: If the name or an option can't be used.
            DatabaseError: If it could not be written; nothing has changed then, unless only the
                reply was lost. It may be repeated.

        Example:
            ```python
            app.sync.insert_queue("reports", Queue(limit=2, only=Only(node_matches="^batch")))
            app.sync.delete_queue("reports")
            ```
        """
        self._call(self._app.insert_queue, queue, options)

    def insert_queues(self, queues: Mapping[str, int | Queue | Mapping[str, Any]]) -> None:
        """Do the same with several queues, all or none.

        Args:
            queues: Their options by name.

        Raises:
            ConfigError: If a name or an option can't be used.
            DatabaseError: If they could not be written.

        Example:
            ```python
            app.sync.insert_queues({"tenant.1": 5, "tenant.2": {"limit": 2, "paused": True}})
            ```
        """
        self._call(self._app.insert_queues, queues)

    def update_queue(self, queue: str, **options: Any) -> None:
        """Change options of a dynamic queue, and leave its others as they are.

        Two clients that change different options of one queue at the same time undo nothing of
        each other's.

        Args:
            queue: Its name.
            **options: Options of `Queue` by name; None takes one back to its default.

        Raises:
            UnknownOption: If there is no such queue.
            ConfigError: If an option can't be used.
            DatabaseError: If it could not be written.

        Example:
            ```python
            app.sync.insert_queue("reports", 2)
            app.sync.update_queue("reports", limit=5, only={"not_node": "web.1"})
            ```
        """
        self._call(self._app.update_queue, queue, **options)

    def delete_queue(self, queue: str) -> bool:
        """Have a dynamic queue run nowhere any more; running jobs go on, waiting ones stay.

        A process that was configured with a queue of this name, not a dynamic one, goes on with
        that.

        Args:
            queue: Its name.

        Returns:
            Whether there was one.

        Raises:
            ConfigError: If the queue is no name.
            DatabaseError: If it could not be written.

        Example:
            ```python
            app.sync.delete_queue("reports")
            ```
        """
        return self._call(self._app.delete_queue, queue)

    def list_queues(self) -> list[DynamicQueue]:
        """Return the dynamic queues of this instance by name, whatever runs here.

        Raises:
            DatabaseError: If they could not be read.

        Example:
            ```python
            for queue in app.sync.list_queues():
                print(queue.queue, queue.options)
            ```
        """
        return self._call(self._app.list_queues)

    def get_queue(self, queue: str) -> DynamicQueue | None:
        """Return a dynamic queue; None if there is none of that name.

        Args:
            queue: Its name.

        Raises:
            DatabaseError: If it could not be read.

        Example:
            ```python
            app.sync.insert_queue("reports", 2)
            found = app.sync.get_queue("reports")
            print(found.read().limit)
            ```
        """
        return self._call(self._app.get_queue, queue)

    def list_crons(self) -> list[StoredCron]:
        """Return the entries of this instance by name, with their last and next runs.

        They are those that worker processes have registered, whatever runs here, and those that
        were made at run time.

        Example:
            ```python
            for entry in app.sync.list_crons():
                print(entry.name, entry.expression, entry.last_run, entry.next_run)
            ```
        """
        return self._call(self._app.list_crons)

    def get_cron(self, name: str) -> StoredCron | None:
        """Return an entry of this instance; None if there is none of that name.

        Args:
            name: The entry's.

        Example:
            ```python
            entry = app.sync.get_cron("nightly")
            ```
        """
        return self._call(self._app.get_cron, name)

    def insert_cron(self, cron: Cron) -> StoredCron:
        """Make an entry that no configuration names, and return it as it is stored.

        It holds for all processes, and outlives them until it is deleted. Its first tick is later
        than now. If its worker is known here, the worker's own options hold, and the args are
        checked.

        Args:
            cron: What and when; it names its worker.

        Raises:
            ConfigError: If there is one of that name, or it can't be used.
            InvalidJob: If no job can be made of it.
            DatabaseError: If it could not be written.

        Example:
            ```python
            app.sync.insert_cron(
                Cron("0 9 * * MON", worker=greet, args={"name": "Ada"}, name="mondays")
            )
            ```
        """
        return self._call(self._app.insert_cron, cron)

    def update_cron(self, name: str, **changes: Unpack[CronChanges]) -> StoredCron:
        """Change options of an entry, and return it; all others stay as they are.

        What the configuration says of an entry comes back when it says something else than it did:
        see the setting `cron_sync`. Other times hold from now on: ticks that were due by the old
        ones are not lost, and nothing of the past is due by the new ones.

        Args:
            name: The entry's.
            **changes: See `CronChanges`. `args` and `meta` replace all there were.

        Raises:
            UnknownOption: If there is no entry of that name, or no such option.
            ConfigError: If a value can't be used.
            InvalidJob: If no job can be made of it.
            StatementConflict: If somebody else has changed its worker or encryption meanwhile.
            DatabaseError: If it could not be written.

        Example:
            ```python
            app.sync.update_cron("mondays", expression="0 8 * * MON", priority=1)
            ```
        """
        return self._call(self._app.update_cron, name, **changes)

    def pause_cron(self, name: str) -> None:
        """Take no ticks of an entry, until it is resumed or the configuration changes that.

        Args:
            name: The entry's.

        Raises:
            UnknownOption: If there is none of that name.
            DatabaseError: If it could not be written.

        Example:
            ```python
            app.sync.pause_cron("mondays")
            ```
        """
        self._call(self._app.pause_cron, name)

    def resume_cron(self, name: str) -> None:
        """Take the ticks of an entry again; those that have passed are not made up for.

        Args:
            name: The entry's.

        Raises:
            UnknownOption: If there is none of that name.
            DatabaseError: If it could not be written.

        Example:
            ```python
            app.sync.resume_cron("mondays")
            ```
        """
        self._call(self._app.resume_cron, name)

    def delete_cron(self, name: str) -> None:
        """Delete an entry; jobs that it has made stay.

        Args:
            name: The entry's.

        Raises:
            UnknownOption: If there is none of that name.
            ConfigError: If a process declares it that is alive: it would come back.
            DatabaseError: If it could not be deleted.

        Example:
            ```python
            app.sync.delete_cron("mondays")
            ```
        """
        self._call(self._app.delete_cron, name)

    def run_cron(self, name: str) -> Job:
        """Enqueue the job of an entry now, beside its ticks, and return it.

        Args:
            name: The entry's; it may be paused.

        Raises:
            UnknownOption: If there is none of that name; names the nearest one.

        Example:
            ```python
            job = app.sync.run_cron("mondays")
            ```
        """
        return self._call(self._app.run_cron, name)

    def signal(
        self,
        jobs: int | Job | Iterable[int | Job],
        payload: Any = None,
        *,
        name: str = DEFAULT_NAME,
    ) -> list[int]:
        """Send a signal to jobs that wait for it, or will.

        A job that waits for it gets it at once, a parked one is made available. One that does not
        wait yet keeps it until it does. The first signal of a name stays: a later one changes
        nothing, nor does one that comes after the job has given up.

        Args:
            jobs: An id, a job, or several.
            payload: Plain JSON, up to 64 KiB.
            name: Which signal it is, where jobs wait for several.

        Returns:
            The ids of the jobs that have got it; not those that have ended, are not there, or had
            one of that name.

        Raises:
            InvalidArgs: If the payload is no plain JSON, or too large.
            ConfigError: If the name can't be used.
            DatabaseError: If the database refuses or can't be reached.

        Example:
            ```python
            app.sync.signal(job, {"approved": True})
            ```
        """
        return self._call(self._app.signal, jobs, payload, name=name)

    def rate(self, queue: str, *, partition: Mapping[str, Any] | None = None) -> SyncRate:
        """Return the rate limit of a queue, for code outside of jobs to keep to.

        Args:
            queue: The queue.
            partition: Whose tokens, where the rate limit has a partition: a value for each of its
                fields, such as ``{"args.tenant_id": 7}``.

        Raises:
            ConfigError: If the queue is no name, or the partition no mapping to values of JSON.

        Example:
            ```python
            if app.sync.rate("mail").take():
                print("one mail more may be sent now")
            ```
        """
        return self._rate(queue, partition=partition)

    def relay(self, job: Job, *, conn: Any = None, notify: Notify = "after_commit") -> SyncRelay:
        """Write a job whose result is kept, and return its relay.

        Args:
            job: From ``f.new(...)``, ``Worker.new(...)`` or ``Job(...)``.
            conn: Your own connection: the job is written in its transaction. Commit before you
                wait: until then nobody can run the job, and `result` ends with `RelayTimeout`.
            notify: See `enqueue`.

        Raises:
            InvalidJob: If it is no job, or was enqueued before.
            QueueFull: If too many jobs wait in its queue.
            DatabaseError: If the database refuses or can't be reached.

        Example:
            ```python
            relay = app.sync.relay(add.new(1, 2))
            total = relay.result(timeout=5)
            ```
        """
        return self._relay(job, conn=conn, notify=notify)

    def relay_many(
        self, *jobs: Source, conn: Any = None, notify: Notify = "after_commit"
    ) -> SyncRelays:
        """Write many jobs whose results are kept: all or none of them.

        Args:
            *jobs: Jobs, or iterables of jobs.
            conn: Your own connection: see `relay`.
            notify: See `enqueue`.

        Returns:
            Relays, in the order given: ``relays.results(timeout=30)`` waits for all of them,
            ``for relay in relays`` yields them as they end.

        Raises:
            InvalidJob: If one of them is no job, or was enqueued before.
            QueueFull: If too many jobs wait in a queue.
            DatabaseError: If the database refuses or can't be reached.

        Example:
            ```python
            relays = app.sync.relay_many(add.new(n, n) for n in range(10))
            for relay in relays:
                print(relay.id, relay.result())
            ```
        """
        return self._relay_many(*jobs, conn=conn, notify=notify)

    def workflow(self, id: str) -> SyncWorkflowHandle:
        """Return a handle of a stored workflow; whether there is one is seen when it is used.

        Args:
            id: Its id: that of its builder, `Job.workflow_id` inside of one of its jobs.

        Raises:
            InvalidWorkflow: If that is no id.

        Example:
            ```python
            status = app.sync.workflow(workflow_id).status()
            ```
        """
        return self._workflow(id)

    def workflows(self, *, limit: int = 100, before: str | None = None) -> list[WorkflowStatus]:
        """Return how workflows stand, the newest first; what is inside of them is counted, too.

        Args:
            limit: How many, 1 to 10000.
            before: The id of the last one of the page before.

        Raises:
            ConfigError: If an argument can't be used.

        Example:
            ```python
            for status in app.sync.workflows(limit=10):
                print(status.id, status.name, status.state)
            ```
        """
        return self._call(self._app.workflows, limit=limit, before=before)

    def batch(self, id: str | None) -> SyncBatchHandle:
        """Return a handle of a stored batch; whether there is one is seen when it is used.

        Args:
            id: Its id: that of the `Batch`, `Job.batch_id` inside of one of its jobs.

        Raises:
            ConfigError: If that is no id.

        Example:
            ```python
            status = app.sync.batch(batch_id).status()
            ```
        """
        return self._batch(id)

    def batches(self, *, limit: int = 100, before: str | None = None) -> list[BatchStatus]:
        """Return how batches stand, the newest first.

        Args:
            limit: How many, 1 to 10000.
            before: The id of the last one of the page before.

        Raises:
            ConfigError: If an argument can't be used.

        Example:
            ```python
            for status in app.sync.batches(limit=10):
                print(status.id, status.name, status.state)
            ```
        """
        return self._call(self._app.batches, limit=limit, before=before)
