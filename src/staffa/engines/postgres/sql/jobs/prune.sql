-- Delete finished jobs that have not changed since they were read.
-- $1 bigint[]: ids, $2 text[]: the versions that were read.
-- Locks: the rows, in the order of their ids; what others hold is skipped, and found again later.
-- Index: the primary key; (SELECT $1) is there for the reason that ack.sql gives.
DELETE FROM :"prefix".oban_jobs AS job
 WHERE job.id = ANY (ARRAY(
           SELECT found.id
             FROM unnest((SELECT $1::bigint[]), (SELECT $2::text[])) AS given (id, version)
             JOIN :"prefix".oban_jobs AS found
               ON found.id = given.id
              AND found.xmin::text = given.version
              AND found.state::text IN ('completed', 'cancelled', 'discarded')
            ORDER BY found.id
              FOR UPDATE OF found SKIP LOCKED
       ))
RETURNING job.id;
