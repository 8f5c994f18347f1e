"""What a Redis journal does in one step each, as Lua: a script is executed whole, and no other command between.

Each fleet has five keys, all in one slot of a cluster: a hash of what is known about the fleet, a stream of its records,
whose ids are `SEQUENCE-0`, a list of its checkpoint's parts, another of those of a checkpoint that is being written, and a
stream of targets that are to be added or dropped, its inbox. A key space is a hash.
Numbers are compared as text where they may be large; times are those of the server, records' times excepted.
"""

from __future__ import annotations

from functools import cache
from hashlib import sha1

FORMAT = 1
# Seconds that the term of a forgotten fleet is kept, so that its holder is refused.
FORGOTTEN_SECONDS = 30 * 86_400


@cache
def sha_of(script: str) -> str:
    """Return the SHA-1 of a script, by which a server knows it."""
    return sha1(script.encode(), usedforsecurity=False).hexdigest()


_NOW = """
local function now()
  local t = redis.call('TIME')
  return string.format('%d.%06d', t[1], t[2])
end
"""

# Every script begins with this: the keys are a journal's, of a version that is known here.
_CHECKED = f"""
local known = redis.call('HMGET', KEYS[1], 'format', 'term', 'head', 'forgotten')
if not known[1] and redis.call('EXISTS', KEYS[1]) == 1 then return {{'foreign'}} end
if known[1] and tonumber(known[1]) > {FORMAT} then return {{'new', known[1]}} end
local term, head = tonumber(known[2] or '0'), known[3] or '0'
"""

# What a holder may do needs its term: ARGV[1].
_HELD = """
if term > tonumber(ARGV[1]) then
  redis.call('HINCRBY', KEYS[1], 'refused', 1)
  local by = redis.call('HMGET', KEYS[1], 'host', 'pid')
  if known[4] then return {'superseded', term, '', ''} end
  return {'superseded', term, by[1] or '', by[2] or ''}
end
if term < tonumber(ARGV[1]) then return {'behind', term, head} end
"""

# A server that evicts keys may have removed the stream or the checkpoint alone: its writer stores all anew.
_WHOLE = """
local kept = redis.call('HMGET', KEYS[1], 'checkpoint', 'removed_to', 'parts')
local has_lost = kept[1] and kept[3] ~= '0' and redis.call('EXISTS', KEYS[3]) == 0
if not has_lost and head ~= (kept[2] or '0') then has_lost = redis.call('EXISTS', KEYS[2]) == 0 end
if has_lost then return {'behind', term, head} end
"""

# A server that is full refuses a script whose first write may need memory. Behind one that never does, it lets those pass that
# need next to none: signs of life, a stop, a removal.
EVEN_IF_FULL = """
redis.call('HDEL', KEYS[1], 'nothing')
"""

# ARGV: host, pid, 1 to take the fleet over, seconds that a silent holder is alive, a term that the next one is behind.
OPEN = (
    _NOW
    + _CHECKED
    + f"""
local last = redis.call('HMGET', KEYS[1], 'last_seen', 'held', 'host', 'pid')
local silence = ''
if last[1] then
  local seconds = tonumber(now()) - tonumber(last[1])
  silence = string.format('%.6f', math.max(0, seconds))
  if ARGV[3] ~= '1' and last[2] == '1' and math.abs(seconds) < tonumber(ARGV[4]) then
    return {{'busy', last[3], last[4], silence}}
  end
end
term = math.max(term, tonumber(ARGV[5])) + 1
redis.call('HSET', KEYS[1], 'format', {FORMAT}, 'term', term, 'host', ARGV[1], 'pid', ARGV[2], 'held', 1, 'last_seen', now())
redis.call('HDEL', KEYS[1], 'forgotten')
redis.call('PERSIST', KEYS[1])
return {{'ok', term, head, silence}}
"""
)

# ARGV: term, head, targets, the newest entry of the inbox that is recorded or nothing, then number, time and data of each
# record.
APPEND = (
    _NOW
    + _CHECKED
    + _HELD
    + _WHOLE
    + """
local last = ARGV[2]
if #ARGV > 4 then last = ARGV[#ARGV - 2] end
if head ~= ARGV[2] then
  if head == last then return {'ok'} end
  return {'behind', term, head}
end
local size = 0
for i = 5, #ARGV, 3 do
  redis.call('XADD', KEYS[2], ARGV[i] .. '-0', 't', ARGV[i + 1], 'd', ARGV[i + 2])
  size = size + #ARGV[i + 2]
end
redis.call('HSET', KEYS[1], 'head', last, 'targets', ARGV[3], 'last_seen', now())
redis.call('HINCRBY', KEYS[1], 'size', size)
while ARGV[4] ~= '' do
  local ids = {}
  for _, entry in ipairs(redis.call('XRANGE', KEYS[5], '-', ARGV[4], 'COUNT', 200)) do ids[#ids + 1] = entry[1] end
  if #ids == 0 then break end
  redis.call('XDEL', KEYS[5], unpack(ids))
end
return {'ok'}
"""
)

# ARGV: entries.
PUT_INTO_INBOX = (
    _CHECKED
    + """
for _, entry in ipairs(ARGV) do redis.call('XADD', KEYS[5], '*', 'd', entry) end
return {'ok'}
"""
)

# ARGV: term, number of the first part given, then parts. Returns the count of parts that are there.
PUT_PARTS = (
    _CHECKED
    + _HELD
    + """
if ARGV[2] == '0' then redis.call('DEL', KEYS[4]) end
if redis.call('LLEN', KEYS[4]) == tonumber(ARGV[2]) then
  for i = 3, #ARGV do redis.call('RPUSH', KEYS[4], ARGV[i]) end
end
return {'ok', redis.call('LLEN', KEYS[4])}
"""
)

# ARGV: term, sequence number of the checkpoint, count of its parts, and nothing or the head, behind which it stands for all
# records.
USE_PARTS = (
    _NOW
    + _CHECKED
    + _HELD
    + """
if redis.call('LLEN', KEYS[4]) ~= tonumber(ARGV[3]) then return {'behind', term, head} end
if ARGV[4] == '' and tonumber(ARGV[2]) > tonumber(head) then return {'behind', term, head} end
if ARGV[4] ~= '' then
  if head ~= ARGV[4] and head ~= ARGV[2] then return {'behind', term, head} end
  redis.call('UNLINK', KEYS[2])
  redis.call('HSET', KEYS[1], 'head', ARGV[2], 'removed_to', ARGV[2], 'size', 0)
end
redis.call('UNLINK', KEYS[3])
if ARGV[3] ~= '0' then redis.call('RENAME', KEYS[4], KEYS[3]) end
redis.call('HSET', KEYS[1], 'checkpoint', ARGV[2], 'parts', ARGV[3], 'last_seen', now())
return {'ok'}
"""
)

# ARGV: term.
GIVE_SIGN_OF_LIFE = (
    _NOW
    + _CHECKED
    + _HELD
    + _WHOLE
    + EVEN_IF_FULL
    + """
redis.call('HSET', KEYS[1], 'last_seen', now())
return {'ok', head}
"""
)

# ARGV: term.
RELEASE = (
    _CHECKED
    + EVEN_IF_FULL
    + """
if term == tonumber(ARGV[1]) and term > 0 then redis.call('HSET', KEYS[1], 'held', 0) end
return {'ok'}
"""
)

# ARGV: term, for how many seconds records are kept, and how many bytes of them. Returns 1 if there may be others.
REMOVE_OLDEST = (
    _NOW
    + _CHECKED
    + """
local last = redis.call('HMGET', KEYS[1], 'checkpoint', 'size')
if term ~= tonumber(ARGV[1]) or not last[1] then return {'ok', 0} end
local kept_since = tonumber(now()) - tonumber(ARGV[2])
local oldest = redis.call('XRANGE', KEYS[2], '-', last[1] .. '-0', 'COUNT', 200)
local size, ids = tonumber(last[2]), {}
for _, entry in ipairs(oldest) do
  if tonumber(entry[2][2]) >= kept_since and size <= tonumber(ARGV[3]) then break end
  ids[#ids + 1] = entry[1]
  size = size - #entry[2][4]
end
if #ids == 0 then return {'ok', 0} end
redis.call('XDEL', KEYS[2], unpack(ids))
redis.call('HSET', KEYS[1], 'removed_to', string.match(ids[#ids], '^%d+'), 'size', string.format('%d', size))
return {'ok', #ids == 200 and 1 or 0}
"""
)

# ARGV: none.
FORGET = (
    _CHECKED
    + f"""
redis.call('UNLINK', KEYS[5])
if term == 0 or known[4] then return {{'ok'}} end
redis.call('UNLINK', KEYS[1], KEYS[2], KEYS[3], KEYS[4])
redis.call('HSET', KEYS[1], 'format', {FORMAT}, 'term', term + 1, 'forgotten', 1)
redis.call('EXPIRE', KEYS[1], {FORGOTTEN_SECONDS})
return {{'ok'}}
"""
)

# ARGV: the first number wanted, how many records at most, about how many bytes, and a text: records without it are left
# out, but for the last one, which comes empty.
READ = (
    _CHECKED
    + """
local records, seen, size, start, last = {}, 0, 0, ARGV[1] .. '-0', nil
local limit = tonumber(ARGV[2])
while seen < limit and size < tonumber(ARGV[3]) do
  local more = redis.call('XRANGE', KEYS[2], start, '+', 'COUNT', math.min(50, limit - seen))
  if #more == 0 then break end
  for _, entry in ipairs(more) do
    if size >= tonumber(ARGV[3]) then break end
    local data = entry[2][4]
    seen, size, last = seen + 1, size + #data, nil
    if ARGV[4] == '' or string.find(data, ARGV[4], 1, true) then
      records[#records + 1] = {entry[1], entry[2][2], data}
    else
      last = {entry[1], entry[2][2], ''}
    end
  end
  start = string.match(more[#more][1], '^%d+') .. '-1'
end
records[#records + 1] = last
return {'ok', redis.call('HGET', KEYS[1], 'removed_to') or '0', records}
"""
)

# ARGV: the number of the first part wanted, about how many bytes, the checkpoint's sequence number or nothing, and a
# text: parts without it come empty. Returns the bytes of these parts as they are stored, too.
READ_PARTS = (
    _CHECKED
    + """
local kept = redis.call('HMGET', KEYS[1], 'checkpoint', 'parts')
local sequence = kept[1]
if not sequence then return {'ok', ''} end
if kept[2] ~= '0' and redis.call('EXISTS', KEYS[3]) == 0 then return {'lost', KEYS[3]} end
if ARGV[3] ~= '' and ARGV[3] ~= sequence then return {'ok', sequence, {}, 0} end
local parts, size, number = {}, 0, tonumber(ARGV[1])
while size < tonumber(ARGV[2]) do
  local part = redis.call('LINDEX', KEYS[3], number)
  if not part then break end
  size, number = size + #part, number + 1
  if ARGV[4] ~= '' and not string.find(part, ARGV[4], 1, true) then part = '' end
  parts[#parts + 1] = part
end
return {'ok', sequence, parts, size}
"""
)

# KEYS: a hash, and a key of earlier versions that goes with it. ARGV: how many keys are expected, then of these and of
# those that are changed the name, 1 if it has a value, and that. Returns 1 if they were changed.
CHANGE_KEYS = (
    f"""
local format = redis.call('HGET', KEYS[1], 'format')
if not format and redis.call('EXISTS', KEYS[1]) == 1 then return {{'foreign'}} end
if format and tonumber(format) > {FORMAT} then return {{'new', format}} end
local first = 2 + 3 * tonumber(ARGV[1])
for i = 2, first - 1, 3 do
  local found = redis.call('HGET', KEYS[1], ARGV[i])
  if (found and '1' or '0') ~= ARGV[i + 1] or (found or '') ~= ARGV[i + 2] then return {{'ok', 0}} end
end
"""
    + EVEN_IF_FULL
    + f"""
redis.call('HSET', KEYS[1], 'format', {FORMAT})
for i = first, #ARGV, 3 do
  if ARGV[i + 1] == '1' then
    redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 2])
  else
    redis.call('HDEL', KEYS[1], ARGV[i])
  end
end
if redis.call('HLEN', KEYS[1]) == 1 then
  redis.call('UNLINK', KEYS[1], KEYS[2])
end
return {{'ok', 1}}
"""
)

TELL_TIME = _NOW + "return now()"
