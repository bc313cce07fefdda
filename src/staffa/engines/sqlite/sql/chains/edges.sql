-- Have jobs wait that this transaction has written, each for the one before it in its chain; the
-- first for the last one that there was. One that was cancelled while it waited itself leaves what it
-- waited for to the one after it.
-- $1: a JSON array of pairs: the id of a job and the place of its kind, in the order of the jobs;
-- $2: the kinds, a JSON array of arrays: the chain, on_cancelled, on_discarded.
-- Index: the primary keys, staffa_edges_job.
WITH given AS MATERIALIZED (
    SELECT found.key AS place, found.value ->> '$[0]' AS id, kind.value ->> '$[0]' AS chain,
           kind.value ->> '$[1]' AS on_cancelled, kind.value ->> '$[2]' AS on_discarded,
           lag(found.value ->> '$[0]') OVER (PARTITION BY kind.value ->> '$[0]' ORDER BY found.key)
               AS earlier
      FROM json_each($1) AS found
      JOIN json_each($2) AS kind ON kind.key = found.value ->> '$[1]'
), foremost AS MATERIALIZED (
    SELECT given.id, given.on_cancelled, given.on_discarded, tail.id AS tail, tail.state
      FROM given
      JOIN staffa_flows AS chain ON chain.id = given.chain
      JOIN oban_jobs AS tail ON tail.id = chain.tail
     WHERE given.earlier IS NULL
)
INSERT INTO staffa_edges (job_id, needs_job, on_cancelled, on_discarded, on_deleted)
SELECT given.id, given.earlier, given.on_cancelled, given.on_discarded, 'ignore'
  FROM given
 WHERE given.earlier IS NOT NULL
 UNION ALL
SELECT foremost.id, foremost.tail, foremost.on_cancelled, foremost.on_discarded, 'ignore'
  FROM foremost
 WHERE CASE foremost.state
           WHEN 'completed' THEN false
           WHEN 'cancelled' THEN foremost.on_cancelled = 'hold'
           WHEN 'discarded' THEN foremost.on_discarded = 'hold'
           ELSE true
       END
 UNION ALL
SELECT foremost.id, edge.needs_job, foremost.on_cancelled, foremost.on_discarded, 'ignore'
  FROM foremost
  JOIN staffa_edges AS edge
    ON edge.job_id = foremost.tail
   AND edge.on_cancelled IS NOT NULL
   AND edge.ended IS NULL
 WHERE foremost.state = 'cancelled';
