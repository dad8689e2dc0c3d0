-- What the scripts of a user's logins share. A login is a field of the user's key, named by the token's hash: number, platform,
-- microseconds of expiry, and how it ended: "-" not yet, "r" and by what it was replaced, "x" and by which call it was revoked.
-- A call that is repeated because its answer was lost finds what it did, and answers the same.
local key = KEYS[1]

local function read(now)
	local list = {}
	local flat = redis.call('HGETALL', key)
	for i = 1, #flat, 2 do
		if flat[i] ~= 'n' then
			local n, platform, expires, ended = string.match(flat[i + 1], '^(%d+) (%S+) (%d+) (%S+)$')
			if tonumber(expires) <= now then
				redis.call('HDEL', key, flat[i])
			else
				list[#list + 1] = {hash = flat[i], n = tonumber(n), platform = platform, expires = expires, ended = ended}
			end
		end
	end
	table.sort(list, function(a, b) return a.n < b.n end)
	return list
end

local function write(l)
	redis.call('HSET', key, l.hash, string.format('%.0f %s %s %s', l.n, l.platform, l.expires, l.ended))
end

-- replace ends the live logins that ends names, and the oldest beyond room; it forgets the oldest of those that ended so before.
-- It answers those that ended by this call: hash, platform and expiry of each.
local function replace(list, ends, room, by, most)
	local live, gone, answer = 0, 0, {}
	for _, l in ipairs(list) do
		if l.ended == '-' then live = live + 1 else gone = gone + 1 end
	end
	for _, l in ipairs(list) do
		if l.ended == '-' and (ends(l) or live > room) then
			l.ended = 'r' .. by
			write(l)
			live, gone = live - 1, gone + 1
		end
		if l.ended == 'r' .. by then
			for _, v in ipairs({l.hash, l.platform, l.expires}) do answer[#answer + 1] = v end
		end
	end
	for _, l in ipairs(list) do
		if gone > most and l.ended ~= '-' then
			redis.call('HDEL', key, l.hash)
			gone = gone - 1
		end
	end
	return answer
end
