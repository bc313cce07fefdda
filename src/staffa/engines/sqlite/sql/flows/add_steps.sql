-- Insert what is kept of jobs that wait for others.
-- $1: a JSON array of arrays: the job's id, the root of its flow, how many edges are open, whether somebody has to
-- release it, what becomes of it where something that it needs is cancelled, discarded, deleted.
-- Index: none.
INSERT INTO staffa_steps (job_id, root, open, held, on_cancelled, on_discarded, on_deleted)
SELECT given.value ->> '$[0]', given.value ->> '$[1]', given.value ->> '$[2]', given.value ->> '$[3]',
       given.value ->> '$[4]', given.value ->> '$[5]', given.value ->> '$[6]'
  FROM json_each($1) AS given;
