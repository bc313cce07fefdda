-- Keep a page until it is parsed; a row comes back if it was not there: whoever gets it enqueues the
-- job that parses it, in the same transaction.
-- $1 text: keyword, $2 text: HTML.
INSERT INTO :"prefix".staffa_demo_sources (keyword, html) VALUES ($1::text, $2::text)
ON CONFLICT (keyword) DO NOTHING
RETURNING keyword;
