-- Delete finished jobs that have not changed since they were read. Those of workflows and batches stay until
-- all of these has ended, those of chains while others wait for them, or for what they have waited for before
-- they were cancelled.
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
              AND (job.meta ->> '$.chain_id' IS NULL OR NOT (
                      EXISTS (
                          SELECT 1 FROM staffa_edges AS edge
                           WHERE edge.needs_job = job.id AND edge.ended IS NULL
                      )
                      OR job.state = 'cancelled' AND (
                          EXISTS (
                              SELECT 1 FROM staffa_edges AS edge
                               WHERE edge.job_id = job.id AND edge.ended IS NULL
                                 AND edge.needs_job IS NOT NULL
                          )
                          OR EXISTS (
                              SELECT 1 FROM staffa_flows AS chain
                               WHERE chain.id = job.meta ->> '$.chain_id'
                                 AND chain.tail = job.id
                                 AND chain.finished_at IS NULL
                          )
                      )
                  ))
       )
RETURNING id, coalesce(meta ->> '$.workflow_id', meta ->> '$.batch_id', meta ->> '$.chain_id') <> '' AS linked;
