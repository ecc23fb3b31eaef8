-- Budgets shared by processes: what is spent, and what is set aside for calls under way.
--
-- KEYS     for each row: a hash with its sums and holds, and the deadlines of its holds
-- ARGV[1]  take, finish or levels
-- ARGV[2]  name of the hold
-- ARGV[3]  take: how long a hold lasts, ms; finish: 1 if the call took something
-- ARGV[4]  finish: how many of the rows, from the first, have the hold
-- ARGV[5]  then for each row how long it is kept (ms, 0: for ever), and
--          take: limits, most, alone, expected, three amounts each
--          finish: actual, expected
-- Amounts are pico-dollars, tokens, calls. Sums are added by HINCRBY, which is exact.

local SPENT, HELD = {'sp', 'st', 'sc'}, {'hp', 'ht', 'hc'}
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local op, hold = ARGV[1], ARGV[2]

local function add(key, fields, amounts, first, sign)
  for i = 1, 3 do
    local amount = amounts[first + i - 1]
    if sign < 0 then  -- of the text: a number has 53 bits
      amount = amount:sub(1, 1) == '-' and amount:sub(2) or '-' .. amount
    end
    if tonumber(amount) ~= 0 then redis.call('HINCRBY', key, fields[i], amount) end
  end
end

local function split(text)
  local parts = {}
  for part in text:gmatch('%S+') do parts[#parts + 1] = part end
  return parts
end

local function end_hold(key, deadlines, name)  -- returns what was taken, then what was expected
  local kept = redis.call('HGET', key, 'h:' .. name)
  if not kept then return nil end
  redis.call('HDEL', key, 'h:' .. name)
  redis.call('ZREM', deadlines, name)
  local amounts = split(kept)
  add(key, HELD, amounts, 1, -1)
  return amounts
end

local function bury(key, deadlines)  -- calls of processes that have died were made, and paid for
  for _, name in ipairs(redis.call('ZRANGEBYSCORE', deadlines, '-inf', now, 'LIMIT', 0, 100)) do
    local amounts = end_hold(key, deadlines, name)
    if amounts then add(key, SPENT, amounts, 4, 1) end
  end
end

local function numbers(key, fields)
  local found = redis.call('HMGET', key, unpack(fields))
  for i = 1, 3 do found[i] = found[i] or '0' end
  return found
end

local function keep_for(key, deadlines, ms)
  if ms ~= '0' then
    redis.call('PEXPIRE', key, ms)
    redis.call('PEXPIRE', deadlines, ms)
  end
end

local reply = {}

if op == 'take' then
  local all = true
  local plans = {}
  for r = 1, #KEYS / 2 do
    local key, deadlines, at = KEYS[2 * r - 1], KEYS[2 * r], 5 + 13 * (r - 1)
    bury(key, deadlines)
    local spent, held = numbers(key, SPENT), numbers(key, HELD)
    local fits, alone, taken = true, true, {}
    for i = 1, 3 do
      local unspent = tonumber(ARGV[at + i]) - tonumber(spent[i])
      local left = unspent - tonumber(held[i])
      local most = tonumber(ARGV[at + 3 + i])
      fits = fits and most <= left
      alone = alone and tonumber(ARGV[at + 6 + i]) <= unspent
      taken[i] = most <= left and ARGV[at + 3 + i] or string.format('%.0f', left)
      reply[#reply + 1] = string.format('%.0f', unspent)
    end
    local ruling = 0
    if not fits then
      if not alone then ruling = 2
      elseif redis.call('ZCARD', deadlines) > 0 then ruling = 1 end
    end
    reply[#reply + 1] = ruling
    all = all and ruling == 0
    plans[r] = taken
  end
  if all then
    for r = 1, #KEYS / 2 do
      local key, deadlines, at = KEYS[2 * r - 1], KEYS[2 * r], 5 + 13 * (r - 1)
      local taken = plans[r]
      add(key, HELD, taken, 1, 1)
      local kept = table.concat(taken, ' ') .. ' ' ..
        table.concat({ARGV[at + 10], ARGV[at + 11], ARGV[at + 12]}, ' ')
      redis.call('HSET', key, 'h:' .. hold, kept)
      redis.call('ZADD', deadlines, now + tonumber(ARGV[3]), hold)
      keep_for(key, deadlines, ARGV[at])
    end
  end
  return reply
end

if op == 'finish' then
  for r = 1, #KEYS / 2 do
    local key, deadlines, at = KEYS[2 * r - 1], KEYS[2 * r], 5 + 7 * (r - 1)
    if r <= tonumber(ARGV[4]) and not end_hold(key, deadlines, hold) then
      add(key, SPENT, ARGV, at + 4, -1)  -- it has ended by itself, and that was booked
    end
    if ARGV[3] == '1' then add(key, SPENT, ARGV, at + 1, 1) end
    keep_for(key, deadlines, ARGV[at])
    for _, amount in ipairs(numbers(key, SPENT)) do reply[#reply + 1] = amount end
  end
  return reply
end

for r = 1, #KEYS / 2 do
  local key, deadlines = KEYS[2 * r - 1], KEYS[2 * r]
  bury(key, deadlines)
  for _, amount in ipairs(numbers(key, SPENT)) do reply[#reply + 1] = amount end
  for _, amount in ipairs(numbers(key, HELD)) do reply[#reply + 1] = amount end
  reply[#reply + 1] = redis.call('ZCARD', deadlines)
end
return reply
