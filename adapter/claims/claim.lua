-- Takes, renews or releases a claim. The key has its holder, fence (microseconds, so that one is above all before it even after
-- they are forgotten), the time in milliseconds at which its lease ends, and the holder's note. A second key, which claims of links
-- have, lists those that are held by that time. Arguments: what to do, the holder, the fence or 0, the lease in milliseconds, for how
-- long the key is to be remembered afterwards, the note, the claim's name in the list. Answers whether it did, and holder, fence, former
-- holder.
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local c = redis.call('HMGET', KEYS[1], 'holder', 'fence', 'until')
local holder, fence, ends = c[1] or '', tonumber(c[2] or 0), tonumber(c[3] or 0)

local function keep(fence, lease)
	local ends = string.format('%.0f', now + lease)
	redis.call('HSET', KEYS[1], 'holder', ARGV[2], 'fence', string.format('%.0f', fence), 'until', ends, 'note', ARGV[6])
	redis.call('PEXPIRE', KEYS[1], lease + tonumber(ARGV[5]))
	if KEYS[2] and ARGV[1] == 'release' then
		redis.call('ZREM', KEYS[2], ARGV[7])
	elseif KEYS[2] then
		redis.call('ZADD', KEYS[2], ends, ARGV[7])
	end
end

if ARGV[1] == 'take' then
	if holder ~= ARGV[2] and ends > now then return {0, holder, c[2], ''} end
	local next = math.max(fence + 1, t[1] * 1000000 + t[2])
	keep(next, tonumber(ARGV[4]))
	return {1, ARGV[2], string.format('%.0f', next), holder}
end
-- A claim that Redis has lost is still whose it was: had another taken it since, it would be there.
local lost = ARGV[1] == 'renew' and not c[1]
if not lost and (holder ~= ARGV[2] or c[2] ~= ARGV[3] or ends <= now) then return {0, holder, c[2] or '0', ''} end
keep(tonumber(ARGV[3]), tonumber(ARGV[4]))
return {1, ARGV[2], ARGV[3], ''}
