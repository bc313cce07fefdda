-- Delete finished jobs that have not changed since they were read. Those of workflows and batches stay until
-- all of these has ended.
-- $1: a JSON array of arrays: id, the version that was read.
-- Index: the primary keys; +job.state matches no index on the state.
DELETE FROM oban_jobs
 WHERE id IN (
           SELECT job.id
             FROM json_each($1) AS given
            CROSS JOIN oban_jobs AS job
            WHERE job.id = given.value ->> '$[0]'
              AND +job.state IN ('completed', 'cancelled', 'discarded')
              AND staffa_digest(job.state, job.queue, job.worker, job.args, job.meta, job.tags,
                                job.errors, job.attempt, job.max_attempts, job.priority,
                                job.attempted_by, job.inserted_at, job.scheduled_at,
                                job.attempted_at, job.completed_at, job.cancelled_at,
                                job.discarded_at) = given.value ->> '$[1]'
              AND NOT EXISTS (
                      SELECT 1
                        FROM staffa_flows AS flow
                       CROSS JOIN staffa_flows AS root
                       WHERE flow.id IN (job.meta ->> '$.workflow_id', job.meta ->> '$.batch_id')
                         AND root.id = flow.root
                         AND (flow.finished_at IS NULL OR root.finished_at IS NULL)
                  )
       )
RETURNING id, coalesce(meta ->> '$.workflow_id', meta ->> '$.batch_id', meta ->> '$.chain_id') <> '' AS linked;
