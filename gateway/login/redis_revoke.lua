-- Revokes one login, which it answers as it was; nothing where there is none. Arguments: the token's hash, a name of this call.
local was = redis.call('HGET', key, ARGV[1])
if not was then return '' end
local login, ended = string.match(was, '^(.+) (%S+)$')
if ended == '-' then
	redis.call('HSET', key, ARGV[1], login .. ' x' .. ARGV[2])
	return was
end
return ended == 'x' .. ARGV[2] and login .. ' -' or was
