DROP FUNCTION :"prefix".staffa_partition_key;
DROP TABLE :"prefix".staffa_rates;
DROP TABLE :"prefix".staffa_limits;
