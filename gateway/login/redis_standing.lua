-- Replaces an account's standing if it is still what it was. Keys: the standings, those without a proof by time, those with one
-- by time. Arguments: the account, what its standing was ("" for none) and is to be ("" for none), milliseconds, whether it has a
-- proof, and how many of its kind there may be. Answers 1, or 0 if it was changed meanwhile.
local all, tried, proven = KEYS[1], KEYS[2], KEYS[3]
local account, was, is, now, kind, most = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5], tonumber(ARGV[6])
if (redis.call('HGET', all, account) or '') ~= was then return 0 end
redis.call('ZREM', tried, account)
redis.call('ZREM', proven, account)
if is == '' then
	redis.call('HDEL', all, account)
	return 1
end
local order = kind == 'proven' and proven or tried
redis.call('HSET', all, account, is)
redis.call('ZADD', order, now, account)
while redis.call('ZCARD', order) > most do
	local oldest = redis.call('ZPOPMIN', order)
	redis.call('HDEL', all, oldest[1])
end
return 1
