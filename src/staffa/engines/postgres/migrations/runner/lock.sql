-- One migration at a time: others ask for this again and again. They don't wait within the statement:
-- while it waits, it may keep a snapshot of the catalogue, and an index that is built meanwhile would
-- wait for that, without anybody noticing. For the same reason the lock lets others read what was applied.
-- A table lock, since it also works where advisory locks do not.
LOCK TABLE :"prefix".staffa_migrations IN EXCLUSIVE MODE NOWAIT;
