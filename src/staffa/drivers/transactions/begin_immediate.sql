-- Begin a transaction of SQLite that may write from its beginning.
BEGIN IMMEDIATE;
