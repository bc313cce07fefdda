-- Give waiting jobs the keys of their partitions.
-- $1 bigint[]: ids, $2 text[]: fields.
-- (SELECT $1) is there for the reason that jobs/ack.sql gives.
-- Locks: the rows, in the order of their ids; what others hold is skipped. Index: the primary key.
UPDATE :"prefix".oban_jobs AS job
   SET meta = CASE WHEN jsonb_typeof(job.meta) = 'object' THEN job.meta ELSE '{}' END
       || jsonb_build_object('partition_key', :"prefix".staffa_partition_key(
              $2::text[], job.worker, job.args, job.meta))
 WHERE job.id = ANY (ARRAY(
           SELECT waiting.id
             FROM :"prefix".oban_jobs AS waiting
            WHERE waiting.id = ANY ((SELECT $1::bigint[])::bigint[])
              AND waiting.state::text = 'available'
            ORDER BY waiting.id
              FOR UPDATE SKIP LOCKED
       ))
RETURNING job.id;
