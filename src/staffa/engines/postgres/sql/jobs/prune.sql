-- Delete finished jobs that have not changed since they were read, and what they have waited for. Those of
-- workflows and batches stay until all of these has ended, those of chains while others wait for them,
-- or for what they have waited for before they were cancelled.
-- $1 bigint[]: ids, $2 text[]: the versions that were read.
-- Locks: the rows, in the order of their ids; what others hold is skipped, and found again later.
-- Index: the primary keys, staffa_edges_job (see migration 11 for ::int = 0), staffa_edges_needs_job; (SELECT $1) is
-- there for the reason that ack.sql gives.
WITH gone AS (
    DELETE FROM :"prefix".oban_jobs AS job
     WHERE job.id = ANY (ARRAY(
               SELECT found.id
                 FROM unnest((SELECT $1::bigint[]), (SELECT $2::text[])) AS given (id, version)
                 JOIN :"prefix".oban_jobs AS found
                   ON found.id = given.id
                  AND found.xmin::text = given.version
                  AND found.state::text IN ('completed', 'cancelled', 'discarded')
                WHERE NOT (found.meta ?| ARRAY['workflow_id', 'batch_id'] AND EXISTS (
                          SELECT FROM :"prefix".staffa_flows AS flow
                            JOIN :"prefix".staffa_flows AS root ON root.id = flow.root
                           WHERE flow.id IN (found.meta ->> 'workflow_id', found.meta ->> 'batch_id')
                             AND (flow.finished_at IS NULL OR root.finished_at IS NULL)
                      ))
                  AND NOT (found.meta ? 'chain_id' AND (
                          EXISTS (
                              SELECT FROM :"prefix".staffa_edges AS edge
                               WHERE edge.needs_job = found.id AND edge.ended IS NULL
                          )
                          OR found.state::text = 'cancelled' AND (
                              EXISTS (
                                  SELECT FROM :"prefix".staffa_edges AS edge
                                   WHERE edge.job_id = found.id AND edge.ended IS NULL
                                     AND (edge.needs_job IS NULL)::int = 0
                              )
                              OR EXISTS (
                                  SELECT FROM :"prefix".staffa_flows AS chain
                                   WHERE chain.id = found.meta ->> 'chain_id'
                                     AND chain.tail = found.id
                                     AND chain.finished_at IS NULL
                              )
                          )
                      ))
                ORDER BY found.id
                  FOR UPDATE OF found SKIP LOCKED
           ))
    RETURNING job.id, job.meta ?| ARRAY['workflow_id', 'batch_id', 'chain_id'] AS linked
), edges AS (
    DELETE FROM :"prefix".staffa_edges AS edge
     WHERE edge.job_id = ANY (ARRAY(SELECT gone.id FROM gone WHERE gone.linked))
), steps AS (
    DELETE FROM :"prefix".staffa_steps AS step
     WHERE step.job_id = ANY (ARRAY(SELECT gone.id FROM gone WHERE gone.linked))
)
SELECT gone.id FROM gone;
