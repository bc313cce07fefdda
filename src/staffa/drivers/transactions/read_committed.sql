-- Set the level of a transaction that has just begun, whatever the default is.
SET TRANSACTION ISOLATION LEVEL READ COMMITTED;
