DROP TABLE staffa_migrations;
