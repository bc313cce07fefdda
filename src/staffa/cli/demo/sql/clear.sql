-- $1 text[]: the queues of the crawl.
WITH pages AS (DELETE FROM :"prefix".staffa_demo_pages),
     sources AS (DELETE FROM :"prefix".staffa_demo_sources)
DELETE FROM :"prefix".oban_jobs WHERE queue = ANY ($1::text[]);
