DROP TABLE :"prefix".staffa_unique;
