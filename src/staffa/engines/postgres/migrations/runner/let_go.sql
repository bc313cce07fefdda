-- Before something runs on a second connection, which may take hours: have the server forget the last
-- query of this one, whose snapshot it keeps until something takes the query's place, and a build
-- beside would wait for; and have it put up with a transaction that is idle meanwhile.
DO $$
BEGIN
    PERFORM set_config(setting.name, '0', true)
       FROM pg_catalog.pg_settings AS setting
      WHERE setting.name IN ('idle_in_transaction_session_timeout', 'transaction_timeout');
END
$$;
