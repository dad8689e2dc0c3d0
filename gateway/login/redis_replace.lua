-- Ends all logins of a user. Arguments: now in microseconds, a name of this call, how many logins a user may have.
return replace(read(tonumber(ARGV[1])), function() return true end, tonumber(ARGV[3]), ARGV[2], tonumber(ARGV[3]))
