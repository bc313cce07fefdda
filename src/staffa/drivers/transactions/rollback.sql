-- Roll back a transaction that was begun here.
ROLLBACK;
