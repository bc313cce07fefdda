-- What it took. A snooze gives its attempt back; each failed attempt leaves an error, and so does
-- the reason of a cancelled job.
-- $1 text[]: the queues of the crawl.
SELECT count(*) AS jobs,
       coalesce(sum(attempt + coalesce((meta ->> 'snoozed')::int, 0)), 0) AS runs,
       coalesce(sum(attempt), 0) AS attempts,
       coalesce(sum((meta ->> 'snoozed')::int), 0) AS snoozes,
       coalesce(sum(cardinality(errors) - (state = 'cancelled')::int), 0) AS retries,
       coalesce(sum((meta ->> 'rescued')::int), 0) AS rescues,
       count(*) FILTER (WHERE state IN ('discarded', 'cancelled')) AS given_up
  FROM :"prefix".oban_jobs
 WHERE queue = ANY ($1::text[]);
