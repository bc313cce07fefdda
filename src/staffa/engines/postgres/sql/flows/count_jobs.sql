-- Count the jobs of workflows and batches, and read the counts that their rows have.
-- $1 text[]: the flows; chains are left out.
-- ::int <> 0 keeps the planner from the index of all open flows.
-- Locks: none. Index: staffa_flows_parent, the primary keys; OFFSET 0 has them asked for each flow and job.
SELECT flow.id, flow.root, flow.total, flow.suspended, flow.completed, flow.cancelled, flow.discarded,
       flow.deleted, flow.attempted, flow.inner_open, found.*,
       (SELECT count(*) FROM :"prefix".staffa_flows AS part
         WHERE part.parent = flow.id AND (part.finished_at IS NULL)::int <> 0) AS found_inner_open
  FROM unnest((SELECT $1::text[])) AS given (id)
  JOIN :"prefix".staffa_flows AS flow ON flow.id = given.id
 CROSS JOIN LATERAL (
           SELECT count(*) AS found_total,
                  count(*) FILTER (WHERE job.state = 'suspended') AS found_suspended,
                  count(*) FILTER (WHERE job.state = 'completed') AS found_completed,
                  count(*) FILTER (WHERE job.state = 'cancelled') AS found_cancelled,
                  count(*) FILTER (WHERE job.state = 'discarded') AS found_discarded,
                  count(*) FILTER (
                      WHERE job.attempt > 1
                         OR job.state IN ('completed', 'cancelled', 'discarded')
                         OR job.attempt = 1 AND job.state <> 'executing') AS found_attempted
             FROM :"prefix".staffa_members AS member
            CROSS JOIN LATERAL (
                      SELECT own.state::text AS state, own.attempt
                        FROM :"prefix".oban_jobs AS own
                       WHERE own.id = member.job_id
                         AND CASE flow.kind
                                 WHEN 'workflow' THEN own.meta ->> 'workflow_id' = flow.id
                                 ELSE own.meta ->> 'batch_id' = flow.id AND NOT own.meta ? 'callback'
                             END
                      OFFSET 0
                  ) AS job
            WHERE member.flow = flow.id
       ) AS found
 WHERE flow.kind <> 'chain';
