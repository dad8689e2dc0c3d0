-- Gives a login a ticket if it is alive, and answers the login, "" where there is none. Arguments: now and the ticket's expiry in
-- microseconds, the login's hash, the ticket's, how many a login may have.
local hash, field, most = ARGV[3], 't' .. ARGV[4], tonumber(ARGV[5])
local _, tickets = read(tonumber(ARGV[1]))
local login = redis.call('HGET', key, hash)
if not login or string.sub(login, -2) ~= ' -' then return login or '' end
local own = {}
for _, t in ipairs(tickets) do
	if t.login == hash and t.field ~= field then own[#own + 1] = t.field end
end
for i = 1, #own - most + 1 do redis.call('HDEL', key, own[i]) end
redis.call('HSET', key, field, redis.call('HINCRBY', key, 'n', 1) .. ' ' .. ARGV[2] .. ' ' .. hash)
return login
