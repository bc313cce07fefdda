-- Tell whether a page is stored, or waits to be parsed.
-- $1 text: keyword.
SELECT EXISTS (
    SELECT FROM :"prefix".staffa_demo_pages WHERE keyword = $1::text AND stored_at IS NOT NULL
) OR EXISTS (
    SELECT FROM :"prefix".staffa_demo_sources WHERE keyword = $1::text
);
