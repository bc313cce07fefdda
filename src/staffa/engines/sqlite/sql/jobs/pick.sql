-- Read which of some ids are jobs that fit a filter, in order. The filter's parameters are the only
-- ones; it names the ids.
-- Index: the primary key.
SELECT job.id
  FROM oban_jobs AS job
 WHERE false /* filter */
 ORDER BY job.id;
