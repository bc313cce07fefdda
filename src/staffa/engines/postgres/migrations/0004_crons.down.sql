DROP TABLE :"prefix".staffa_crons;
