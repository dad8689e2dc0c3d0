-- What the scripts of a user's logins share. A login is a field of the user's key, named by the token's hash: number, platform,
-- microseconds of expiry, and how it ended: "-" not yet, "r" and by what it was replaced, "x" and by which call it was revoked.
-- A ticket is a field, too: "t" and its hash, with its number, microseconds of expiry, and the login's hash.
-- A call that is repeated because its answer was lost finds what it did, and answers the same.
local key = KEYS[1]

-- read is the logins and the tickets, oldest first, without those that have expired.
local function read(now)
	local list, tickets = {}, {}
	local flat = redis.call('HGETALL', key)
	for i = 1, #flat, 2 do
		if string.sub(flat[i], 1, 1) == 't' then
			local n, expires, login = string.match(flat[i + 1], '^(%d+) (%d+) (%S+)$')
			if tonumber(expires) <= now then
				redis.call('HDEL', key, flat[i])
			else
				tickets[#tickets + 1] = {field = flat[i], n = tonumber(n), login = login}
			end
		elseif flat[i] ~= 'n' then
			local n, platform, expires, ended = string.match(flat[i + 1], '^(%d+) (%S+) (%d+) (%S+)$')
			if tonumber(expires) <= now then
				redis.call('HDEL', key, flat[i])
			else
				list[#list + 1] = {hash = flat[i], n = tonumber(n), platform = platform, expires = expires, ended = ended}
			end
		end
	end
	local function older(a, b) return a.n < b.n end
	table.sort(list, older)
	table.sort(tickets, older)
	return list, tickets
end

local function write(l)
	redis.call('HSET', key, l.hash, string.format('%.0f %s %s %s', l.n, l.platform, l.expires, l.ended))
end

-- add puts what may be told to the client of a login at the end of an answer: hash, platform, expiry.
local function add(answer, l)
	for _, v in ipairs({l.hash, l.platform, l.expires}) do answer[#answer + 1] = v end
end

-- replace ends the live logins that ends names, and the oldest beyond room; it forgets the oldest of those that ended so before.
-- It answers those that ended by this call.
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
		if l.ended == 'r' .. by then add(answer, l) end
	end
	for _, l in ipairs(list) do
		if gone > most and l.ended ~= '-' then
			redis.call('HDEL', key, l.hash)
			gone = gone - 1
		end
	end
	return answer
end
