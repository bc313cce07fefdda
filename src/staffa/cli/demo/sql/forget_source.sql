-- $1 text: keyword.
DELETE FROM :"prefix".staffa_demo_sources WHERE keyword = $1::text;
