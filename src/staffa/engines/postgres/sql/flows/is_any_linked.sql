-- Tell whether any of some jobs belongs to a flow.
-- $1 bigint[]: the jobs.
-- Locks: none. Index: the primary keys.
SELECT EXISTS (
           SELECT FROM unnest((SELECT $1::bigint[])) AS given (id)
             JOIN :"prefix".oban_jobs AS job ON job.id = given.id
            CROSS JOIN LATERAL unnest(ARRAY[
                      job.meta ->> 'workflow_id', job.meta ->> 'batch_id', job.meta ->> 'chain_id'
                  ]) AS named (flow)
             JOIN :"prefix".staffa_flows AS flow ON flow.id = named.flow
            WHERE job.meta ?| ARRAY['workflow_id', 'batch_id', 'chain_id']
       ) AS linked;
