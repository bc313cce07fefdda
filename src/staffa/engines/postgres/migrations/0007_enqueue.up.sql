-- Enqueueing for programs that speak only SQL: what Staffa's client checks is checked here.
CREATE FUNCTION :"prefix".staffa_enqueue(
    worker       text,
    args         jsonb DEFAULT '{}',
    queue        text DEFAULT 'default',
    priority     integer DEFAULT 0,
    max_attempts integer DEFAULT 20,
    scheduled_at timestamptz DEFAULT NULL,
    scheduled_in interval DEFAULT NULL,
    tags         text[] DEFAULT '{}',
    meta         jsonb DEFAULT '{}',
    notify       boolean DEFAULT false
) RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $staffa$
DECLARE
    moment  timestamp := timezone('UTC', clock_timestamp());
    due     timestamp;
    labels  text[];
    job_id  bigint;
    place   oid;
BEGIN
    IF worker IS NULL OR char_length(worker) NOT BETWEEN 1 AND 127 THEN
        RAISE invalid_parameter_value USING
            MESSAGE = format('worker %L is no name', left(worker, 200)),
            HINT = 'Give 1 to 127 characters, such as ''myapp.jobs.send_mail''.';
    END IF;
    IF queue IS NULL OR char_length(queue) NOT BETWEEN 1 AND 127 THEN
        RAISE invalid_parameter_value USING
            MESSAGE = format('queue %L is no name', left(queue, 200)),
            HINT = 'Give 1 to 127 characters.';
    END IF;
    IF priority IS NULL OR priority NOT BETWEEN 0 AND 9 THEN
        RAISE invalid_parameter_value USING
            MESSAGE = format('priority is %s', coalesce(priority::text, 'null')),
            HINT = 'Give 0, the most urgent, to 9.';
    END IF;
    IF max_attempts IS NULL OR max_attempts NOT BETWEEN 1 AND 32767 THEN
        RAISE invalid_parameter_value USING
            MESSAGE = format('max_attempts is %s', coalesce(max_attempts::text, 'null')),
            HINT = 'Give 1 to 32767.';
    END IF;
    IF args IS NULL OR jsonb_typeof(args) <> 'object' THEN
        RAISE invalid_parameter_value USING
            MESSAGE = 'args is no JSON object',
            HINT = 'Give the arguments by name, such as ''{"to": "a@example.com"}''.';
    END IF;
    IF meta IS NULL OR jsonb_typeof(meta) <> 'object' THEN
        RAISE invalid_parameter_value USING
            MESSAGE = 'meta is no JSON object',
            HINT = 'Give one, or leave it out.';
    END IF;
    IF scheduled_at IS NOT NULL AND scheduled_in IS NOT NULL THEN
        RAISE invalid_parameter_value USING
            MESSAGE = 'scheduled_at and scheduled_in are both given',
            HINT = 'Give one of them.';
    END IF;
    IF scheduled_in < interval '0' THEN
        RAISE invalid_parameter_value USING
            MESSAGE = format('scheduled_in is %s', scheduled_in),
            HINT = 'Give an interval from now on.';
    END IF;
    SELECT coalesce(array_agg(label.text ORDER BY label.place), '{}') INTO labels
      FROM (SELECT lower(btrim(given.tag, E' \t\n\r')) AS text, min(given.place) AS place
              FROM unnest(tags) WITH ORDINALITY AS given (tag, place)
             GROUP BY 1) AS label;
    IF EXISTS (SELECT FROM unnest(labels) AS label (text)
                WHERE label.text IS NULL OR char_length(label.text) NOT BETWEEN 1 AND 255) THEN
        RAISE invalid_parameter_value USING
            MESSAGE = 'a tag is null, empty or too long',
            HINT = 'Give texts of 1 to 255 characters.';
    END IF;
    due := coalesce(timezone('UTC', scheduled_at), moment + scheduled_in);
    INSERT INTO :"prefix".oban_jobs AS job
        (state, queue, worker, args, meta, tags, priority, max_attempts, inserted_at, scheduled_at)
    VALUES (CASE WHEN due > moment THEN 'scheduled' ELSE 'available' END::text::
                :"prefix".oban_job_state,
            staffa_enqueue.queue, staffa_enqueue.worker, staffa_enqueue.args, staffa_enqueue.meta,
            labels, staffa_enqueue.priority, staffa_enqueue.max_attempts, moment,
            coalesce(due, moment))
    RETURNING job.id, job.tableoid INTO job_id, place;
    IF notify AND (due IS NULL OR due <= moment) THEN
        PERFORM pg_notify(schema.nspname || '.oban_insert',
                          json_build_object('queue', staffa_enqueue.queue)::text)
           FROM pg_class AS found
           JOIN pg_namespace AS schema ON schema.oid = found.relnamespace
          WHERE found.oid = place;
    END IF;
    RETURN job_id;
END
$staffa$;

COMMENT ON FUNCTION :"prefix".staffa_enqueue IS
    'Enqueues a job of Staffa in the current transaction, and returns its id.';
