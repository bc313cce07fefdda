-- Store a page once; a row comes back if it was not there.
-- $1 text: keyword, $2 bool: whether the server has such a page, $3 text: title, $4 text: summary,
-- $5 int: size in bytes, $6 text[]: links.
UPDATE :"prefix".staffa_demo_pages
   SET found = $2::bool, title = $3::text, summary = $4::text, size_bytes = $5::int,
       links = $6::text[], stored_at = clock_timestamp()
 WHERE keyword = $1::text
   AND stored_at IS NULL
RETURNING keyword;
