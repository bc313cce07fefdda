-- Read the least and the greatest id of the unfinished jobs of a filter, so that a history need not be
-- looked at. The filter's parameters are the only ones.
-- Index: staffa_jobs_claim, staffa_jobs_stage, staffa_jobs_lease, as the states ask for.
SELECT min(job.id) AS first, max(job.id) AS last
  FROM oban_jobs AS job
 WHERE false /* filter */;
