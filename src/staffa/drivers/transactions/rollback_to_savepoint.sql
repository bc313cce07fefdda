-- Undo what was written since the mark.
ROLLBACK TO SAVEPOINT staffa;
