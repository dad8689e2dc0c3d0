-- Signs a user in. Arguments: now and expiry in microseconds, the token's hash, the platform, how many logins a user may have.
local now, expires, hash, platform, most = tonumber(ARGV[1]), ARGV[2], ARGV[3], ARGV[4], tonumber(ARGV[5])
local again = redis.call('HEXISTS', key, hash) == 1
local answer = replace(read(now), function(l) return l.platform == platform and l.hash ~= hash end, again and most or most - 1, hash, most)
if not again then write({hash = hash, n = redis.call('HINCRBY', key, 'n', 1), platform = platform, expires = expires, ended = '-'}) end
-- The user's key, and what is kept for him, end with the last login.
local last = math.max(redis.call('PEXPIRETIME', key), math.ceil(tonumber(expires) / 1000), math.ceil(now / 1000) + 1000)
redis.call('PEXPIREAT', key, string.format('%.0f', last))
redis.call('PEXPIREAT', KEYS[2], string.format('%.0f', last))
return answer
