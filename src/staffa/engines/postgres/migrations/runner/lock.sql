-- One migration at a time: others wait here. A table lock, since it also works where advisory locks
-- do not.
LOCK TABLE :"prefix".staffa_migrations IN ACCESS EXCLUSIVE MODE;
