-- Note in chains what jobs they have more, and which is their last.
-- $1: a JSON array of arrays: the id of a job, its chain, on_cancelled, on_discarded; in the order of the jobs.
-- Index: the primary keys.
WITH given AS MATERIALIZED (
    SELECT found.key AS place, found.value ->> '$[0]' AS id, found.value ->> '$[1]' AS chain,
           job.state = 'suspended' AS suspended
      FROM json_each($1) AS found
      JOIN oban_jobs AS job ON job.id = found.value ->> '$[0]'
), counted AS MATERIALIZED (
    SELECT given.chain, count(*) AS total, sum(given.suspended) AS suspended,
           max(given.place), given.id AS tail  -- of the row that has the maximum
      FROM given
     GROUP BY given.chain
)
UPDATE staffa_flows
   SET tail = counted.tail,
       total = staffa_flows.total + counted.total,
       suspended = staffa_flows.suspended + counted.suspended,
       finished_at = NULL
  FROM counted
 WHERE staffa_flows.id = counted.chain;
