-- Read the least and the greatest id of the unfinished jobs of a filter, so that a history need not be
-- looked at. The filter's parameters are the only ones.
-- Locks: none. Index: staffa_jobs_claim, staffa_jobs_stage, staffa_jobs_lease, as the states ask for.
-- OFFSET 0 keeps the planner from looking for either id along the primary key, through all the history.
SELECT min(job.id) AS first, max(job.id) AS last
  FROM (
           SELECT job.id
             FROM :"prefix".oban_jobs AS job
            WHERE false /* filter */
           OFFSET 0
       ) AS job;
