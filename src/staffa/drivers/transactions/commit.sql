-- Commit a transaction that was begun here.
COMMIT;
