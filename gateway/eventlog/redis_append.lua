-- Appends one event for those who have not had its Once. Arguments: how many entries are kept and how many more there may be
-- before the oldest are dropped, what the node has seen, an epoch for a new log, and the entry.
local keep, slack, seen, epoch = tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3], ARGV[4]
local e = {k = ARGV[5], l = ARGV[6], d = ARGV[7], t = ARGV[8], x = '', o = ARGV[9], n = ARGV[10], c = ARGV[11], i = ARGV[12]}

local function list(s)
	local users = {}
	for u in string.gmatch(s or '', '%d+') do users[#users + 1] = u end
	return users
end

local function among(users)
	local set = {}
	for _, u in ipairs(users) do set[u] = true end
	return set
end

-- pick is those of users who are, or are not, in others.
local function pick(users, others, wanted)
	local set, rest = among(others), {}
	for _, u in ipairs(users) do
		if (set[u] or false) == wanted then rest[#rest + 1] = u end
	end
	return rest
end

-- without takes those who are in had from to.
local function without(to, had)
	if had.all and to.all then return {all = false, users = pick(had.except, to.except, false), except = {}} end
	if had.all then return {all = false, users = pick(to.users, had.except, true), except = {}} end
	if to.all then
		local except = pick(had.users, to.except, false)
		for _, u in ipairs(to.except) do except[#except + 1] = u end
		return {all = true, users = {}, except = except}
	end
	return {all = false, users = pick(to.users, had.users, false), except = {}}
end

local current = redis.call('HGET', meta, 'epoch')
if not current then
	begin_log(epoch, seen)
	current = epoch
end
local last = redis.call('HGET', meta, 'last')

local once = e.o ~= '' and e.o or '~' .. e.n
local places, had = redis.call('HGET', once_of, once), nil
if places then
	local to = {all = e.t == '*', users = list(e.t), except = {}}
	for id in string.gmatch(places, '%S+') do
		local entry = redis.call('XRANGE', stream, id, id)[1]
		local f = entry and fields(entry[2]) or {t = ''} -- somebody else deleted it
		local rest = without(to, {all = f.t == '*', users = list(f.t), except = list(f.x)})
		if not had and (rest.all ~= to.all or #rest.users + #rest.except ~= #to.users + #to.except) then had = id end
		to = rest
	end
	e.t, e.x = to.all and '*' or table.concat(to.users, ','), table.concat(to.except, ',')
end
if e.t == '' then return {current, had or last} end

local late = ''
if e.c ~= '' then
	local top = string.match(redis.call('HGET', top_of, e.c) or '', '^(%d+) ')
	if top and tonumber(e.i) < tonumber(top) then late = '1' end
end
local id = next_id(seen)
local add = {'p', last, 'late', late}
for name, value in pairs(e) do add[#add + 1], add[#add + 2] = name, value end
local entry = {}
for i = 1, #add, 2 do
	if add[i + 1] ~= '' then entry[#entry + 1], entry[#entry + 2] = add[i], add[i + 1] end
end
redis.call('XADD', stream, id, unpack(entry))
redis.call('HSET', meta, 'last', id)
redis.call('HSET', once_of, once, places and places .. ' ' .. id or id)
if e.c ~= '' and late == '' then redis.call('HSET', top_of, e.c, e.i .. ' ' .. id) end
local len = redis.call('XLEN', stream)
if len > keep + slack then drop(redis.call('XRANGE', stream, '-', '+', 'COUNT', len - keep)) end
return {current, id}
