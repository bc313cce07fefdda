-- $1 text: the queue of the crawl.
WITH pages AS (DELETE FROM :"prefix".staffa_demo_pages)
DELETE FROM :"prefix".oban_jobs WHERE queue = $1::text;
