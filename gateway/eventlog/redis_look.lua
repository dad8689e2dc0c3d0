-- Says how the log stands, and whether it holds the last entry that the node has heard; and drops entries that are too old,
-- some at a time. Arguments: the last entry heard, the time in milliseconds before which entries are too old, how many at most.
local function standing(heard, last)
	if heard == last then return 'holds' end
	if later(heard, last) then return 'lost' end
	if redis.call('XRANGE', stream, heard, heard)[1] then return 'holds' end
	local first = redis.call('XRANGE', stream, '-', '+', 'COUNT', 1)[1]
	if not first or later(first[1], heard) then return 'dropped' end
	return 'lost'
end

local m = redis.call('HMGET', meta, 'epoch', 'start', 'last')
if not m[1] then return {'', '0-0', '0-0', 'lost', 0} end
local how = ARGV[1] == m[2] and 'holds' or standing(ARGV[1], m[3])
local old = redis.call('XRANGE', stream, '-', '(' .. ARGV[2] .. '-0', 'COUNT', ARGV[3])
drop(old)
return {m[1], m[2], m[3], how, #old}
