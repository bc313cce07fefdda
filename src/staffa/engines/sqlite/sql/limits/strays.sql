-- Count the running jobs of a queue whose stored key is none of its present partitions, by the partition
-- that they belong to: claimed without limits, by another client, or before the partition was changed.
-- $1: queue, $2: fields, a JSON array, empty where there are no partitions, $3: the digest that keys begin
-- with, $4: of which node, or null for all.
-- Index: staffa_jobs_lease, as a whole: it holds running jobs alone.
SELECT CASE WHEN $2 = '[]' THEN ''
            ELSE staffa_partition_key($2, job.worker, job.args, job.meta) END AS key,
       count(DISTINCT coalesce(job.meta ->> '$.staffa_chunk', job.id)) AS running
  FROM oban_jobs AS job
 WHERE job.state = 'executing'
   AND job.queue = $1
   AND (job.meta ->> '$.partition_key' IS NULL
        OR $2 <> '[]' AND substr(job.meta ->> '$.partition_key', 1, length($3)) <> $3)
   AND ($4 IS NULL OR job.attempted_by ->> '$[0]' = $4)
 GROUP BY 1;
