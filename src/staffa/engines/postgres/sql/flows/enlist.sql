-- Note that jobs belong to batches.
-- $1 text[]: the batches, $2 bigint[]: a job for each.
-- Locks: only the new rows. Index: none.
INSERT INTO :"prefix".staffa_members (flow, job_id)
SELECT given.flow, given.job_id
  FROM unnest($1::text[], $2::bigint[]) AS given (flow, job_id);
