-- Pages as they were fetched, until they are parsed.
CREATE TABLE IF NOT EXISTS :"prefix".staffa_demo_sources (
    keyword text PRIMARY KEY,
    html    text NOT NULL
);
