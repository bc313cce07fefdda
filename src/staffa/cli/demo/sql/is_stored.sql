-- $1 text: keyword.
SELECT EXISTS (
    SELECT FROM :"prefix".staffa_demo_pages WHERE keyword = $1::text AND stored_at IS NOT NULL
);
