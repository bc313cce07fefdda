-- Ask whether the connection still answers, and whether it is to a server where nothing can be
-- written any more: a demoted primary, where nobody notifies.
-- Locks: none. Index: none.
SELECT pg_is_in_recovery() OR current_setting('transaction_read_only')::boolean AS demoted;
