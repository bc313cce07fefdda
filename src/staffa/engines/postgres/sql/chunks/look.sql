-- Look which chunks can be claimed: the next available jobs of a queue are divided by worker and by what
-- the jobs of a chunk have in common, and each group is cut into chunks in the order of claims. One can be
-- claimed if it is full, or if one of its jobs has waited for long enough. Of these and the jobs of other
-- workers, the most urgent are told.
-- $1 text: queue, $2 int: how many jobs to look at, $3 int: how many to tell, $4 text: the rules, a JSON
-- array of names, size, timeout in seconds, and up to five times whether a field is one of args, and its
-- path.
-- One row has what was seen: how many jobs, how many of those told are of other workers, the seconds until
-- the next chunk is due. The others have a chunk each, the most urgent first: the ids, and the place of
-- each in the order of claims.
-- What a partition is told by (staffa_partition_key) would do for keys, too, but takes ten times as long.
-- LIMIT 1 keeps the planner from sorting all jobs by worker, only to join them to a rule.
-- Locks: none. Index: staffa_jobs_claim; jobs/claim.sql tells why the limit is hidden.
WITH rule AS MATERIALIZED (
    SELECT name.worker, told.*
      FROM ROWS FROM (json_to_recordset($4::text::json)
               AS (names text[], size int, timeout float8, in_args1 bool, path1 text[],
                   in_args2 bool, path2 text[], in_args3 bool, path3 text[], in_args4 bool, path4 text[],
                   in_args5 bool, path5 text[]))
               WITH ORDINALITY AS told (names, size, timeout, in_args1, path1, in_args2, path2,
                                        in_args3, path3, in_args4, path4, in_args5, path5, place)
     CROSS JOIN LATERAL unnest(told.names) AS name (worker)
), near AS MATERIALIZED (
    SELECT job.id, job.scheduled_at, job.rank, rule.place, rule.size, rule.timeout,
           CASE WHEN rule.path1 IS NOT NULL THEN jsonb_build_array(
               CASE WHEN rule.in_args1 THEN job.args ELSE job.meta END #> rule.path1,
               CASE WHEN rule.in_args2 THEN job.args ELSE job.meta END #> rule.path2,
               CASE WHEN rule.in_args3 THEN job.args ELSE job.meta END #> rule.path3,
               CASE WHEN rule.in_args4 THEN job.args ELSE job.meta END #> rule.path4,
               CASE WHEN rule.in_args5 THEN job.args ELSE job.meta END #> rule.path5)::text
           END COLLATE "C" AS key
      FROM (SELECT next.*,
                   row_number() OVER (ORDER BY next.priority, next.scheduled_at, next.id) AS rank
              FROM (SELECT candidate.id, candidate.priority, candidate.scheduled_at, candidate.worker,
                           candidate.args, candidate.meta
                      FROM :"prefix".oban_jobs AS candidate
                     WHERE candidate.state = 'available'
                       AND candidate.queue = $1::text
                       AND (candidate.attempt < candidate.max_attempts)::int <> 0
                     ORDER BY candidate.priority, candidate.scheduled_at, candidate.id
                     LIMIT (SELECT $2::int)) AS next) AS job
      LEFT JOIN LATERAL (
               SELECT known.*
                 FROM rule AS known
                WHERE known.worker = job.worker
                LIMIT 1
           ) AS rule ON true
), chunk AS MATERIALIZED (
    SELECT turned.place, turned.size, count(*) AS jobs, min(turned.rank) AS rank,
           array_agg(turned.id) AS ids, array_agg(turned.rank) AS ranks,
           turned.timeout - extract(epoch FROM timezone('UTC', clock_timestamp())
                                               - min(turned.scheduled_at)) AS delay
      FROM (SELECT near.*,
                   row_number() OVER (PARTITION BY near.place, near.key ORDER BY near.rank) - 1 AS turn
              FROM near
             WHERE near.place IS NOT NULL) AS turned
     GROUP BY turned.place, turned.key, turned.turn / turned.size, turned.size, turned.timeout
), told AS MATERIALIZED (
    SELECT chunk.ids, chunk.ranks, chunk.place, chunk.rank
      FROM chunk
     WHERE chunk.jobs >= chunk.size
        OR chunk.delay <= 0
     UNION ALL
    SELECT NULL, NULL, NULL, near.rank
      FROM near
     WHERE near.place IS NULL
     ORDER BY 4
     LIMIT $3::int
)
SELECT NULL::bigint AS place, NULL::bigint[] AS ids, NULL::bigint[] AS ranks,
       (SELECT count(*) FROM near) AS seen,
       (SELECT count(*) FROM told WHERE told.place IS NULL) AS others,
       (SELECT min(chunk.delay)::float8
          FROM chunk
         WHERE chunk.jobs < chunk.size
           AND chunk.delay > 0) AS delay,
       0::bigint AS rank
 UNION ALL
SELECT told.place, told.ids, told.ranks, NULL, NULL, NULL, told.rank
  FROM told
 WHERE told.place IS NOT NULL
 ORDER BY rank;
