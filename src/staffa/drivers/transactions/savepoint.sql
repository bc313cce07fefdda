-- Mark where a user's transaction stands, for what may find out late that it can't be.
SAVEPOINT staffa;
