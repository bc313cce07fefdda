-- Note keywords that were not seen before, and return them: whoever notes one enqueues its job in the
-- same transaction. Sorted, so that two jobs that find the same links wait for each other in order.
-- $1 text[]: keywords.
INSERT INTO :"prefix".staffa_demo_pages (keyword)
SELECT keyword FROM unnest($1::text[]) AS seen (keyword) ORDER BY keyword
ON CONFLICT (keyword) DO NOTHING
RETURNING keyword;
