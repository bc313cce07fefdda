-- Ask which server process answers: where the one that greeted us is another, a pooler stands in between.
SELECT pg_backend_pid() AS pid;
