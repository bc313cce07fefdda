-- $1 text: keyword.
SELECT html FROM :"prefix".staffa_demo_sources WHERE keyword = $1::text;
