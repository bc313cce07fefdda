-- Forget the mark, and keep what was written since.
RELEASE SAVEPOINT staffa;
