DROP TABLE :"prefix".staffa_edges;
DROP TABLE :"prefix".staffa_steps;
DROP TABLE :"prefix".staffa_members;
DROP TABLE :"prefix".staffa_flows;
