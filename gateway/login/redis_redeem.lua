-- Uses a ticket up. Answers the hash of its login and the login, nothing where there is none. Arguments: now in microseconds, the
-- ticket's hash.
local ticket = redis.call('HGET', key, 't' .. ARGV[2])
if not ticket then return {} end
redis.call('HDEL', key, 't' .. ARGV[2])
local expires, hash = string.match(ticket, '^%d+ (%d+) (%S+)$')
local login = redis.call('HGET', key, hash)
if not login or tonumber(expires) <= tonumber(ARGV[1]) then return {} end
return {hash, login}
