-- Takes, renews or releases a claim. The key has its holder, fence (microseconds, so that one is above all before it even after
-- they are forgotten) and the time in milliseconds at which its lease ends. Arguments: what to do, the holder, the fence or 0, the
-- lease in milliseconds, for how long the key is to be remembered afterwards. Answers whether it did, and holder, fence, former holder.
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local c = redis.call('HMGET', KEYS[1], 'holder', 'fence', 'until')
local holder, fence, ends = c[1] or '', tonumber(c[2] or 0), tonumber(c[3] or 0)

local function keep(fence, lease)
	redis.call('HSET', KEYS[1], 'holder', ARGV[2], 'fence', string.format('%.0f', fence), 'until', string.format('%.0f', now + lease))
	redis.call('PEXPIRE', KEYS[1], lease + tonumber(ARGV[5]))
end

if ARGV[1] == 'take' then
	if holder ~= ARGV[2] and ends > now then return {0, holder, c[2], ''} end
	local next = math.max(fence + 1, t[1] * 1000000 + t[2])
	keep(next, tonumber(ARGV[4]))
	return {1, ARGV[2], string.format('%.0f', next), holder}
end
if holder ~= ARGV[2] or c[2] ~= ARGV[3] or ends <= now then return {0, holder, c[2] or '0', ''} end
keep(fence, tonumber(ARGV[4]))
return {1, holder, c[2], ''}
