-- $1 text[]: the queues of the crawl.
SELECT count(*) AS seen,
       count(stored_at) AS done,
       count(*) FILTER (WHERE found) AS pages,
       count(*) FILTER (WHERE found IS FALSE) AS missing,
       coalesce(sum(size_bytes), 0) AS bytes,
       count(stored_at) + (SELECT count(*) FROM :"prefix".staffa_demo_sources) AS fetched,
       (SELECT count(*)
          FROM :"prefix".oban_jobs
         WHERE queue = ANY ($1::text[])
           AND state NOT IN ('completed', 'cancelled', 'discarded')) AS open_jobs
  FROM :"prefix".staffa_demo_pages;
