DROP TABLE :"prefix".staffa_leaders;
DROP TABLE :"prefix".staffa_producers;
