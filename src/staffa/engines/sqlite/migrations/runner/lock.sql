-- One migration at a time: the transaction has begun with the right to write. This only tells whether
-- there is any bookkeeping.
DELETE FROM staffa_migrations WHERE false;
