-- Tell whether any of some jobs belongs to a flow.
-- $1: a JSON array of jobs.
-- Index: the primary keys.
SELECT EXISTS (
           SELECT 1
             FROM json_each($1) AS given
            CROSS JOIN oban_jobs AS job
            CROSS JOIN staffa_flows AS flow
            WHERE job.id = given.value
              AND flow.id IN (job.meta ->> '$.workflow_id', job.meta ->> '$.batch_id',
                              job.meta ->> '$.chain_id')
       ) AS linked;
