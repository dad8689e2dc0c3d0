-- Names claims whose lease ran out while they were held, and puts them off, so that the next who asks is named others. The key is their
-- list, by the times of which each is due; a claim's key is that with its name behind. Arguments: how many at most, until when in
-- milliseconds from now they are not named again. Answers name, holder, fence and note of each.
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local answer = {}
for _, name in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', string.format('%.0f', now), 'LIMIT', 0, tonumber(ARGV[1]))) do
	local c = redis.call('HMGET', KEYS[1] .. name, 'holder', 'fence', 'note')
	if c[1] then
		redis.call('ZADD', KEYS[1], string.format('%.0f', now + ARGV[2]), name)
		for _, text in ipairs({name, c[1], c[2], c[3] or ''}) do answer[#answer + 1] = text end
	else
		redis.call('ZREM', KEYS[1], name) -- it is forgotten
	end
end
return answer
