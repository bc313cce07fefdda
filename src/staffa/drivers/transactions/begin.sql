-- Begin a transaction in which a statement sees what those have committed that it waited for.
BEGIN ISOLATION LEVEL READ COMMITTED;
