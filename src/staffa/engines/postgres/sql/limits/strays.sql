-- Count the running jobs of a queue whose stored key is none of its present partitions, by the partition
-- that they belong to: claimed without limits, by another client, or before the partition was changed.
-- $1 text: queue, $2 text[]: fields, empty where there are no partitions, $3 text: the digest that keys
-- begin with, $4 text: of which node, or null for all.
-- Locks: none. Index: staffa_jobs_lease, as a whole: it holds running jobs alone.
SELECT found.key, (count(*) FILTER (WHERE found.chunk IS NULL) + count(DISTINCT found.chunk))::int AS running
  FROM (SELECT CASE WHEN cardinality($2::text[]) = 0 THEN ''
                    ELSE :"prefix".staffa_partition_key($2::text[], job.worker, job.args, job.meta)
                    END AS key,
               job.meta ->> 'staffa_chunk' AS chunk
          FROM :"prefix".oban_jobs AS job
         WHERE job.state = 'executing'
           AND job.queue = $1::text
           AND (job.meta ->> 'partition_key' IS NULL
                OR cardinality($2::text[]) > 0
                   AND NOT starts_with(job.meta ->> 'partition_key', $3::text))
           AND ($4::text IS NULL OR job.attempted_by[1] = $4::text)
        OFFSET 0) AS found
 GROUP BY found.key;
