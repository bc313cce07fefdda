DROP TABLE :"prefix".staffa_migrations;
