-- Insert what is kept of jobs that wait for others.
-- $1 bigint[]: their ids, $2 text[]: the roots of their flows, $3 int[]: how many edges are open,
-- $4 bool[]: whether somebody has to release them, $5 text[], $6 text[], $7 text[]: what becomes of them where
-- something that they need is cancelled, discarded, deleted.
-- Locks: only the new rows. Index: none.
INSERT INTO :"prefix".staffa_steps
    (job_id, root, open, held, on_cancelled, on_discarded, on_deleted)
SELECT given.job_id, given.root, given.open, given.held, given.on_cancelled, given.on_discarded,
       given.on_deleted
  FROM unnest($1::bigint[], $2::text[], $3::int[], $4::bool[], $5::text[], $6::text[], $7::text[])
           AS given (job_id, root, open, held, on_cancelled, on_discarded, on_deleted);
