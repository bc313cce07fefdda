CREATE SCHEMA :"prefix";
