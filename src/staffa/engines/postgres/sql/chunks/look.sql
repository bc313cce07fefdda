-- Look which chunks can be claimed: the next available jobs of a queue are divided by worker and by what
-- the jobs of a chunk have in common, and each group is cut into chunks in the order of claims. One can be
-- claimed if it is full, or if one of its jobs has waited for long enough. Of these and the jobs of other
-- workers, the most urgent are told.
-- $1 text: queue, $2 int: how many jobs to look at, $3 int: how many to tell, $4 text: the rules, a JSON
-- array of names, size, timeout in seconds, fields.
-- One row has what was seen: how many jobs, how many of those told are of other workers, the seconds until
-- the next chunk is due. The others have a chunk each, the most urgent first.
-- Locks: none. Index: staffa_jobs_claim; jobs/claim.sql tells why the limit is hidden.
WITH rule AS MATERIALIZED (
    SELECT name.worker, told.place, told.size, told.timeout, told.fields
      FROM ROWS FROM (json_to_recordset($4::text::json)
               AS (names text[], size int, timeout float8, fields text[]))
               WITH ORDINALITY AS told (names, size, timeout, fields, place)
     CROSS JOIN LATERAL unnest(told.names) AS name (worker)
), near AS MATERIALIZED (
    SELECT job.id, job.priority, job.scheduled_at, rule.place, rule.size, rule.timeout,
           CASE WHEN cardinality(rule.fields) > 0
                THEN :"prefix".staffa_partition_key(rule.fields, job.worker, job.args, job.meta)
                ELSE '' END AS key
      FROM (SELECT candidate.*
              FROM :"prefix".oban_jobs AS candidate
             WHERE candidate.state = 'available'
               AND candidate.queue = $1::text
               AND (candidate.attempt < candidate.max_attempts)::int <> 0
             ORDER BY candidate.priority, candidate.scheduled_at, candidate.id
             LIMIT (SELECT $2::int)) AS job
      LEFT JOIN rule ON rule.worker = job.worker
), turned AS (
    SELECT near.*,
           row_number() OVER (PARTITION BY near.place, near.key
                              ORDER BY near.priority, near.scheduled_at, near.id) - 1 AS turn
      FROM near
     WHERE near.place IS NOT NULL
), chunk AS MATERIALIZED (
    SELECT turned.place, turned.size, turned.timeout,
           array_agg(turned.id ORDER BY turned.turn) AS ids,
           array_agg(turned.priority ORDER BY turned.turn) AS priorities,
           array_agg(turned.scheduled_at ORDER BY turned.turn) AS times,
           turned.timeout - extract(epoch FROM timezone('UTC', clock_timestamp())
                                               - min(turned.scheduled_at)) AS delay
      FROM turned
     GROUP BY turned.place, turned.key, turned.turn / turned.size, turned.size, turned.timeout
), told AS MATERIALIZED (
    SELECT found.ids, found.place, row_number() OVER () AS turn
      FROM (SELECT chunk.ids, chunk.place, chunk.priorities[1] AS priority,
                   chunk.times[1] AS scheduled_at, chunk.ids[1] AS id
              FROM chunk
             WHERE cardinality(chunk.ids) >= chunk.size
                OR chunk.delay <= 0
             UNION ALL
            SELECT NULL, NULL, near.priority, near.scheduled_at, near.id
              FROM near
             WHERE near.place IS NULL
             ORDER BY priority, scheduled_at, id
             LIMIT $3::int) AS found
)
SELECT NULL::bigint AS place, NULL::bigint[] AS ids,
       (SELECT count(*) FROM near) AS seen,
       (SELECT count(*) FROM told WHERE told.place IS NULL) AS others,
       (SELECT min(chunk.delay)::float8
          FROM chunk
         WHERE cardinality(chunk.ids) < chunk.size
           AND chunk.delay > 0) AS delay,
       0::bigint AS turn
 UNION ALL
SELECT told.place, told.ids, NULL, NULL, NULL, told.turn
  FROM told
 WHERE told.place IS NOT NULL
 ORDER BY turn;
