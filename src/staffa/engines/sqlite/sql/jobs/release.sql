-- Put back what a producer holds but does not run, without using up an attempt: all of it when it
-- stops, or what a claim leased whose reply was lost.
-- $1: producer uuid, $2: queue or null for all, $3: ids that it does run, a JSON array.
-- Index: staffa_jobs_lease.
UPDATE oban_jobs
   SET state = 'available',
       attempt = max(attempt - 1, 0)
 WHERE state = 'executing'
   AND json_extract(attempted_by, '$[1]') = $1
   AND ($2 IS NULL OR queue = $2)
   AND id NOT IN (SELECT given.value FROM json_each($3) AS given)
RETURNING id, queue;
