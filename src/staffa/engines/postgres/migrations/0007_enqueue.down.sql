DROP FUNCTION :"prefix".staffa_enqueue;
