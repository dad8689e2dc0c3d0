-- Which node has streams of which user. The first key has the users by the time in milliseconds at which the last of their leases
-- ends, each further key is one user's and has the nodes by the time at which theirs does. Arguments: what is to be done, the
-- node, a lease in milliseconds, the users of the keys.
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local all, node, lease = KEYS[1], ARGV[2], tonumber(ARGV[3])
local ends = string.format('%.0f', now + lease)

if ARGV[1] == 'here' then -- answers the users of whom nothing was known
	local missing = {}
	for i = 2, #KEYS do
		if redis.call('ZADD', all, ends, ARGV[i + 2]) == 1 then missing[#missing + 1] = ARGV[i + 2] end
		redis.call('ZADD', KEYS[i], ends, node)
		redis.call('PEXPIRE', KEYS[i], lease)
	end
	return missing
elseif ARGV[1] == 'gone' then -- answers the user if he has streams at other nodes
	redis.call('ZREM', KEYS[2], node)
	if redis.call('ZCOUNT', KEYS[2], '(' .. string.format('%.0f', now), '+inf') > 0 then return {ARGV[4]} end
	redis.call('ZREM', all, ARGV[4])
	return {}
elseif ARGV[1] == 'orphans' then -- takes and answers some whose leases all ended a lease ago
	local users = redis.call('ZRANGEBYSCORE', all, '-inf', string.format('%.0f', now - lease), 'LIMIT', 0, 100)
	for _, u in ipairs(users) do redis.call('ZREM', all, u) end
	return users
end
return redis.call('ZRANGEBYSCORE', all, '(' .. string.format('%.0f', now), '+inf', 'LIMIT', 0, 1) -- somebody who has a stream
