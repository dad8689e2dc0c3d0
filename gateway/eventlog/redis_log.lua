-- What the scripts of a log share. An entry of the stream has the fields: k kind, l login, d data, t recipients ("*" is all),
-- x all but these, o Once, n a name of its own where it has no Once, c chat and i message id, late, p the entry before.
-- The first entry of a log has e, its epoch, and nothing else.
local stream, meta, once_of, top_of, lost_of = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]

local function parts(id)
	local ms, seq = string.match(id, '^(%d+)-(%d+)$')
	return tonumber(ms), tonumber(seq)
end

-- later says whether one id is above another.
local function later(a, b)
	local ams, aseq = parts(a)
	local bms, bseq = parts(b)
	return ams > bms or ams == bms and aseq > bseq
end

-- next_id is the id of an entry now: above all of the stream, and above what the node that asks has seen of it, should
-- another master know less. A sequence has 20 bits in positions.
local function next_id(seen)
	local now = redis.call('TIME')
	local id = string.format('%.0f-0', now[1] * 1000 + math.floor(now[2] / 1000))
	for _, below in ipairs({redis.call('HGET', meta, 'last') or '0-0', seen}) do
		if not later(id, below) then
			local ms, seq = parts(below)
			if seq >= 1048575 then ms, seq = ms + 1, -1 end
			id = string.format('%.0f-%.0f', ms, seq + 1)
		end
	end
	return id
end

-- begin_log forgets everything and begins another log.
local function begin_log(epoch, seen)
	local id = next_id(seen)
	redis.call('DEL', stream, once_of, top_of, lost_of)
	redis.call('XADD', stream, id, 'e', epoch)
	redis.call('HSET', meta, 'epoch', epoch, 'start', id, 'last', id)
	return id
end

local function fields(list)
	local f = {}
	for i = 1, #list, 2 do f[list[i]] = list[i + 1] end
	return f
end

-- drop forgets entries, the oldest of the stream, with their Once and their place in the order of their chat; and keeps for
-- each recipient which was the last that was dropped.
local function drop(entries)
	local lost = {}
	for _, entry in ipairs(entries) do
		local id, f = entry[1], fields(entry[2])
		if f.t == '*' then lost['*'] = id end
		for u in string.gmatch(f.t or '', '%d+') do lost[u] = id end
		local once = f.o or f.n and '~' .. f.n
		if once then
			local rest = string.match(redis.call('HGET', once_of, once) or '', '^%S+ (.+)$') -- the oldest entry of all is its oldest
			if rest then redis.call('HSET', once_of, once, rest) else redis.call('HDEL', once_of, once) end
		end
		if f.c and string.match(redis.call('HGET', top_of, f.c) or '', ' (.+)$') == id then redis.call('HDEL', top_of, f.c) end
		redis.call('XDEL', stream, id)
	end
	local args = {}
	for u, id in pairs(lost) do
		args[#args + 1], args[#args + 2] = u, id
		if #args == 2000 then -- Lua's stack holds some 8,000
			redis.call('HSET', lost_of, unpack(args))
			args = {}
		end
	end
	if #args > 0 then redis.call('HSET', lost_of, unpack(args)) end
end
