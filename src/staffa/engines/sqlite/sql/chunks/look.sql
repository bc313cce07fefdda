-- Look which chunks can be claimed: the next available jobs of a queue are divided by worker and by what
-- the jobs of a chunk have in common, and each group is cut into chunks in the order of claims. One can be
-- claimed if it is full, or if one of its jobs has waited for long enough. Of these and the jobs of other
-- workers, the most urgent are told.
-- $1: queue, $2: how many jobs to look at, $3: how many to tell, $4: the rules, a JSON array of names,
-- size, timeout in seconds, fields.
-- One row has what was seen: how many jobs, how many of those told are of other workers, the seconds until
-- the next chunk is due. The others have a chunk each, the most urgent first; the ids come with their
-- places, as only new versions of SQLite can sort them.
-- Index: staffa_jobs_claim.
WITH rule AS MATERIALIZED (
    SELECT name.value AS worker, told.key + 1 AS place, told.value ->> '$.size' AS size,
           told.value ->> '$.timeout' AS timeout, told.value -> '$.fields' AS fields
      FROM json_each($4) AS told
     CROSS JOIN json_each(told.value, '$.names') AS name
), next AS MATERIALIZED (
    SELECT job.id, job.priority, job.scheduled_at, job.worker,
           (SELECT rule.place FROM rule WHERE rule.worker = job.worker) AS place
      FROM oban_jobs AS job
     WHERE job.state = 'available'
       AND job.queue = $1
       AND job.attempt < job.max_attempts
     ORDER BY job.priority, job.scheduled_at, job.id
     LIMIT $2
), near AS MATERIALIZED (
    SELECT next.id, next.priority, next.scheduled_at, rule.place, rule.size, rule.timeout,
           CASE WHEN rule.fields = '[]' THEN ''
                ELSE staffa_partition_key(rule.fields, job.worker, job.args, job.meta) END AS key
      FROM next
     CROSS JOIN rule ON rule.worker = next.worker
     CROSS JOIN oban_jobs AS job ON job.id = next.id
), turned AS MATERIALIZED (
    SELECT near.*,
           row_number() OVER (PARTITION BY near.place, near.key
                              ORDER BY near.priority, near.scheduled_at, near.id) - 1 AS turn
      FROM near
), chunk AS MATERIALIZED (
    SELECT turned.place, turned.size, min(turned.turn) AS first, count(*) AS jobs,
           json_group_array(json_array(turned.turn, turned.id)) AS ids,
           turned.timeout - staffa_seconds(min(turned.scheduled_at), staffa_now()) AS delay,
           turned.key
      FROM turned
     GROUP BY turned.place, turned.key, turned.turn / turned.size, turned.size, turned.timeout
), told AS MATERIALIZED (
    SELECT found.ids, found.place, row_number() OVER () AS turn
      FROM (SELECT chunk.ids AS ids, chunk.place AS place, head.priority AS priority,
                   head.scheduled_at AS scheduled_at, head.id AS id
              FROM chunk
              JOIN turned AS head
                ON head.place = chunk.place AND head.key = chunk.key AND head.turn = chunk.first
             WHERE chunk.jobs >= chunk.size
                OR chunk.delay <= 0
             UNION ALL
            SELECT NULL, NULL, next.priority, next.scheduled_at, next.id
              FROM next
             WHERE next.place IS NULL
             ORDER BY 3, 4, 5
             LIMIT $3) AS found
)
SELECT NULL AS place, NULL AS ids,
       (SELECT count(*) FROM next) AS seen,
       (SELECT count(*) FROM told WHERE told.place IS NULL) AS others,
       (SELECT min(chunk.delay) FROM chunk WHERE chunk.jobs < chunk.size AND chunk.delay > 0) AS delay,
       0 AS turn
 UNION ALL
SELECT told.place, told.ids, NULL, NULL, NULL, told.turn
  FROM told
 WHERE told.place IS NOT NULL
 ORDER BY 6;
