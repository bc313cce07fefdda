-- The demo's own table: a row for each keyword that was seen, filled in when its page is stored.
CREATE TABLE IF NOT EXISTS :"prefix".staffa_demo_pages (
    keyword    text PRIMARY KEY,
    found      boolean,
    title      text,
    summary    text,
    size_bytes integer,
    links      text[],
    stored_at  timestamptz
);
