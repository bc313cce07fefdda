-- Forget producers that died long ago and that no running job names.
-- $1 float8: seconds since the last heartbeat.
-- Locks: their rows; what others hold is skipped. Index: staffa_jobs_lease.
DELETE FROM :"prefix".staffa_producers AS producer
 WHERE producer.uuid = ANY (ARRAY(
           SELECT stale.uuid
             FROM :"prefix".staffa_producers AS stale
            WHERE stale.beat_at < timezone('UTC', now()) - make_interval(secs => $1::float8)
              AND NOT EXISTS (
                      SELECT FROM :"prefix".oban_jobs AS job
                       WHERE job.state = 'executing'
                         AND job.attempted_by[2] = stale.uuid::text
                  )
            ORDER BY stale.uuid
              FOR UPDATE SKIP LOCKED
       ))
RETURNING producer.uuid;
