-- One migration at a time: others wait here. A table lock, since it also works where advisory locks
-- do not. It lets others read what was applied: a reader that waited would hold a snapshot, and an
-- index that is built meanwhile would wait for that.
LOCK TABLE :"prefix".staffa_migrations IN EXCLUSIVE MODE;
