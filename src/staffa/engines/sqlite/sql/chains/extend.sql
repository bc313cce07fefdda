-- Note in chains what jobs they have more, and which is their last.
-- $1: a JSON array of pairs: the id of a job and the place of its kind, in the order of the jobs;
-- $2: the kinds, a JSON array of arrays: the chain, on_cancelled, on_discarded.
-- Index: the primary keys.
WITH given AS MATERIALIZED (
    SELECT found.key AS place, found.value ->> '$[0]' AS id, kind.value ->> '$[0]' AS chain,
           job.state = 'suspended' AS suspended
      FROM json_each($1) AS found
      JOIN json_each($2) AS kind ON kind.key = found.value ->> '$[1]'
      JOIN oban_jobs AS job ON job.id = found.value ->> '$[0]'
), counted AS MATERIALIZED (
    SELECT given.chain, count(*) AS total, sum(given.suspended) AS suspended,
           max(given.place) AS last
      FROM given
     GROUP BY given.chain
)
UPDATE staffa_flows
   SET tail = (SELECT given.id FROM given WHERE given.place = counted.last),
       total = staffa_flows.total + counted.total,
       suspended = staffa_flows.suspended + counted.suspended,
       finished_at = NULL
  FROM counted
 WHERE staffa_flows.id = counted.chain;
