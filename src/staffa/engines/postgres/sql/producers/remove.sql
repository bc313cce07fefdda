-- Forget a producer that has stopped, unless a running job still names it.
-- $1 uuid.
-- Locks: its row. Index: the primary key, staffa_jobs_lease.
DELETE FROM :"prefix".staffa_producers AS producer
 WHERE producer.uuid = $1::uuid
   AND NOT EXISTS (
           SELECT FROM :"prefix".oban_jobs AS job
            WHERE job.state = 'executing'
              AND job.attempted_by[2] = producer.uuid::text
       )
RETURNING producer.uuid;
