"""The cache's Lua scripts: each is one round trip, atomic, and safe to run twice.

KEYS of one call share a hash slot, so that all of them run on a cluster. Values carry the header of
`envelope.py`; its bytes 5 to 8 are the grace in milliseconds.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Script:
    """Source and the name by which a server remembers it."""

    source: str
    sha: str = field(init=False)

    def __post_init__(self) -> None:
        digest = hashlib.sha1(self.source.encode(), usedforsecurity=False).hexdigest()
        object.__setattr__(self, "sha", digest)


_READ = """
local function read(key)
  local blob = redis.pcall('GET', key)
  if not blob then return false, -1 end
  if type(blob) == 'table' then blob = '' end  -- of another type: nothing that we have written
  local left = redis.call('PTTL', key)
  if left < 0 then left = 2147483647 end
  if #blob >= 8 and string.sub(blob, 1, 2) == 'PW' then
    left = left - struct.unpack('>I4', blob, 5)
  end
  return blob, left
end
"""

# -> {blob, left ms, lease}: 0 not asked, -1 ours, -2 no room for one, else ms that another's lasts.
FETCH = Script(
    _READ
    + """
local blob, left = read(KEYS[1])
if ARGV[1] == '' or left > tonumber(ARGV[3]) then return {blob, left, 0} end
local taken = redis.pcall('SET', KEYS[2], ARGV[1], 'NX', 'PX', ARGV[2])
if type(taken) == 'table' and taken.err then return {blob, left, -2} end
if taken or redis.call('GET', KEYS[2]) == ARGV[1] then return {blob, left, -1} end
return {blob, left, math.max(1, redis.call('PTTL', KEYS[2]))}
"""
)

FETCH_MANY = Script(
    _READ
    + """
local found = {}
for i, key in ipairs(KEYS) do
  local blob, left = read(key)
  found[2 * i - 1] = blob
  found[2 * i] = left
end
return found
"""
)

# A full server refuses SET. The old value must not survive that, so it is deleted.
_WRITE = """
local function write(value, lease, blob, keep_ms)
  local done = redis.pcall('SET', value, blob, 'PX', keep_ms)
  redis.call('DEL', lease)
  if done.err then redis.call('DEL', value) end
  return done.err
end
"""

STORE = Script(
    _WRITE
    + """
if ARGV[1] ~= '' and redis.call('GET', KEYS[2]) ~= ARGV[1] then return 0 end
local refused = write(KEYS[1], KEYS[2], ARGV[2], ARGV[3])
redis.call('PUBLISH', ARGV[4], ARGV[5])
if refused then return -1 end
return 1
"""
)

# KEYS: value, lease, value, lease ...; ARGV: channel, message, then blob, keep_ms for each.
STORE_MANY = Script(
    _WRITE
    + """
local refused = 0
for i = 1, #KEYS, 2 do
  if write(KEYS[i], KEYS[i + 1], ARGV[i + 2], ARGV[i + 3]) then refused = refused - 1 end
end
redis.call('PUBLISH', ARGV[1], ARGV[2])
return refused
"""
)

DELETE = Script("""
local gone = redis.call('DEL', KEYS[1])
redis.call('DEL', KEYS[2])
redis.call('PUBLISH', ARGV[1], ARGV[2])
return gone
""")

RENEW = Script("""
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
return 0
""")

RELEASE = Script("""
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('DEL', KEYS[1])
redis.call('PUBLISH', ARGV[2], ARGV[3])
return 1
""")

# ARGV: a new version or '', ms to keep it. A full server makes none: then no value is kept.
TAG = Script("""
local version = redis.call('GET', KEYS[1])
if ARGV[1] == '' then return version end
if not version then
  local made = redis.pcall('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
  if made.err then return false end
  return ARGV[1]
end
if redis.call('PTTL', KEYS[1]) < tonumber(ARGV[2]) then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
return version
""")

DROP_TAG = Script("""
redis.call('DEL', KEYS[1])
redis.call('PUBLISH', ARGV[1], ARGV[2])
return 1
""")
