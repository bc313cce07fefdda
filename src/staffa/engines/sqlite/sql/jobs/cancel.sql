-- Cancel unfinished jobs. A running one also gets an error element, as its task will be stopped and
-- can't write one itself: its lease ends here.
-- $1: the error of running jobs; the filter's parameters follow.
-- Index: the primary key; the filter names the ids.
WITH clock AS MATERIALIZED (
    SELECT staffa_now() AS now
)
UPDATE oban_jobs AS job
   SET state = 'cancelled',
       cancelled_at = (SELECT clock.now FROM clock),
       errors = CASE WHEN job.state = 'executing'
                     THEN staffa_note(job.errors, job.attempt, (SELECT clock.now FROM clock), $1)
                     ELSE job.errors END
 WHERE false /* filter */
   AND job.state NOT IN ('completed', 'discarded', 'cancelled')
RETURNING id, queue, worker, attempt;
