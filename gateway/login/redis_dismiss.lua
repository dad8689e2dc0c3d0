-- Revokes a user's logins, or those on some platforms. Arguments: now in microseconds, a name of this call, the platforms.
local answer = {}
for _, l in ipairs(read(tonumber(ARGV[1]))) do
	local meant = #ARGV == 2
	for i = 3, #ARGV do meant = meant or ARGV[i] == l.platform end
	if meant and l.ended == '-' then
		l.ended = 'x' .. ARGV[2]
		write(l)
	end
	if l.ended == 'x' .. ARGV[2] then add(answer, l) end
end
return answer
