-- Begins another log if the one that stands is the expected one, "" for none; the one that stands then is the answer.
-- Arguments: the expected epoch, the new one, what the node has seen.
if (redis.call('HGET', meta, 'epoch') or '') == ARGV[1] then begin_log(ARGV[2], ARGV[3]) end
return redis.call('HMGET', meta, 'epoch', 'start', 'last')
