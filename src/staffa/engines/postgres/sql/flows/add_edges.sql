-- Insert what jobs wait for, and how that has ended if it has.
-- $1 bigint[]: the jobs, $2 bigint[]: the job that each needs or null, $3 text[]: the flow that each needs or
-- null, $4 text[]: how that has ended or null.
-- Locks: only the new rows. Index: none.
INSERT INTO :"prefix".staffa_edges (job_id, needs_job, needs_flow, ended)
SELECT given.job_id, given.needs_job, given.needs_flow, given.ended
  FROM unnest($1::bigint[], $2::bigint[], $3::text[], $4::text[])
           AS given (job_id, needs_job, needs_flow, ended);
