-- Buckets of one limiter, all in one key: the same arithmetic as bucket.py, by the server's clock.
--
-- KEYS[1]  the limiter
-- ARGV[1]  what to do: take, settle, pause, rate, empty or look
-- ARGV[2]  number of limits
-- ARGV[3]  rate per second and burst of each limit, then what is described at each branch below
-- Times are microseconds of the server. Every branch returns the present time first.

local limits = tonumber(ARGV[2])
local rest = 3 + 2 * limits
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]

local raw = redis.call('GET', KEYS[1])
local state = raw and cmsgpack.unpack(raw) or {now, 0, {}, {}, false}
local missing, lows, paused, changed = state[3], state[4], state[2], state[5]
local rate, burst = {}, {}
for i = 1, limits do
  rate[i] = tonumber(changed and changed[2 * i - 1] or ARGV[1 + 2 * i]) / 1000000
  burst[i] = tonumber(changed and changed[2 * i] or ARGV[2 + 2 * i])
  -- A clock that was set back must not stop the bucket: it goes on from there.
  local gained = math.max(0, now - state[1]) * rate[i]
  missing[i] = math.max(0, (missing[i] or 0) - gained)
  lows[i] = lows[i] or {}
end

local function save()
  local ttl = math.max(0, paused - now)
  for i = 1, limits do
    ttl = math.max(ttl, missing[i] / rate[i])
  end
  local packed = cmsgpack.pack({now, paused, missing, lows, changed})
  if changed then
    redis.call('SET', KEYS[1], packed)
  else  -- once full, it is as if it had never been
    redis.call('SET', KEYS[1], packed, 'PX', math.ceil(ttl / 1000) + 1000)
  end
end

local function note_low(marks, slot, low)  -- marks: when, low, when, low; both rise
  local size = #marks
  while size > 0 and marks[size] >= low do
    marks[size], marks[size - 1] = nil, nil
    size = size - 2
  end
  if size > 0 then
    slot = math.max(slot, marks[size - 1])
  end
  marks[size + 1], marks[size + 2] = slot, low
  if size >= 32 then  -- forget the oldest mark, to the disadvantage of refunds
    marks[4] = marks[2]
    table.remove(marks, 1)
    table.remove(marks, 1)
  end
end

local function give_back(i, amount, slot)
  local marks = lows[i]
  for place = 1, #marks, 2 do
    if marks[place] > slot then
      amount = math.min(amount, marks[place + 1])
      marks[place + 1] = marks[place + 1] - amount
    end
  end
  local kept = math.max(0, slot - now) * rate[i]
  missing[i] = missing[i] - math.min(amount, math.max(0, missing[i] - kept))
end

local op = ARGV[1]

if op == 'take' then
  -- Longest wait for the first call, for the others, then the costs of all calls.
  -- Returns the wait of each call that got a place; then, negative, that of the first without one.
  local reply, longest = {now}, tonumber(ARGV[rest])
  for first = rest + 2, #ARGV, limits do
    local wait = math.max(0, paused - now)
    for i = 1, limits do
      local cost = tonumber(ARGV[first + i - 1])
      local short = missing[i] - (math.max(burst[i], cost) - cost)
      if short > 1e-9 * burst[i] then
        wait = math.max(wait, math.ceil(short / rate[i]))
      end
    end
    if wait > longest then
      reply[#reply + 1] = -wait
      break
    end
    for i = 1, limits do
      local kept = wait * rate[i]
      note_low(lows[i], now + wait, math.max(0, missing[i] - kept))
      missing[i] = math.max(missing[i], kept) + tonumber(ARGV[first + i - 1])
    end
    reply[#reply + 1] = wait
    longest = tonumber(ARGV[rest + 1])
  end
  if #reply > 2 or reply[2] >= 0 then
    save()
  end
  return reply

elseif op == 'settle' then
  -- For each call: its time, then for each limit what it gives back; negative is charged.
  for first = rest, #ARGV, 1 + limits do
    for i = 1, limits do
      local unused = tonumber(ARGV[first + i])
      if unused > 0 then
        give_back(i, unused, tonumber(ARGV[first]))
      else
        missing[i] = missing[i] - unused
      end
    end
  end
  save()

elseif op == 'pause' then  -- For how long.
  paused = math.max(paused, now + tonumber(ARGV[rest]))
  save()

elseif op == 'rate' then  -- Which limit, its new rate per second and burst.
  if not changed then
    changed = {}
    for i = 1, limits do
      changed[2 * i - 1], changed[2 * i] = ARGV[1 + 2 * i], ARGV[2 + 2 * i]
    end
  end
  local which = tonumber(ARGV[rest])
  changed[2 * which - 1], changed[2 * which] = ARGV[rest + 1], ARGV[rest + 2]
  rate[which] = tonumber(ARGV[rest + 1]) / 1000000
  save()

elseif op == 'empty' and not raw then  -- The server has lost its memory: nothing is free yet.
  for i = 1, limits do
    missing[i] = burst[i]
  end
  save()
end

local reply = {now}
for i = 1, limits do
  reply[1 + i] = tostring(burst[i] - missing[i])
end
return reply
