-- The one write path: takes many changes in a call, stores each, then publishes it.
--
-- Its parts are files beside this one. A call makes those it needs: to make the functions of all of them takes longer
-- than most calls do.
--
-- KEYS[1]  the feed; every other key is the namespace's prefix plus a suffix, so all share one hash slot.
-- ARGV     prefix, seconds that ended operations stay (0: for ever), bytes they may take (0: any), entries the feed keeps,
--          and the changes, as a list in MessagePack.
-- A change is a list that starts with its kind; the functions of the parts say what follows. The answer, in MessagePack
-- as well, is one list per change:
--   stored <attempt, how many, or the time in microseconds> | duplicate <seq> | behind <seq stored> | late 0 |
--   ignored 0 | of a cancel: stored, duplicate or ignored <children that are open>
-- Behind that of a lease, the runs of which less is stored than their process knows it has told; then, of a lease and of
-- a run, each run that is to end and who wants that.
--
-- Values are opaque text made by the caller: nothing here parses JSON, and no number passes through cjson.
-- Ids match [A-Za-z0-9._:-]{1,128}, so they can be written into JSON as they are.

local FEED = KEYS[1]
local PREFIX, LIVE, BUDGET, FEED_LIMIT = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4]
local STATUSES = {'queued', 'running', 'complete', 'error', 'cancelled', 'lost'}
local OPEN = {queued = true, running = true}
local ENDED = {complete = true, error = true, cancelled = true, lost = true}
local TRIM_AT_ONCE = 10
local FIELDS_AT_ONCE = 1000
local ENTRY_BYTES = 4000
local HEAD_BYTES = 80 -- What a message takes at most beside its ids, its events and what else it tells.

local PARTS, made = {}, {}

-- What a part of the script hands out.
local function use(name)
  if not made[name] then made[name] = PARTS[name]() end
  return made[name]
end

-- What was stored and is not in the feed yet.
local untold, untold_bytes, last_entry = {}, 0, nil

local moment = nil

-- The time, in seconds; it is the same throughout a call.
local function now()
  if not moment then
    local time = redis.call('TIME')
    moment = string.format('%s.%06d', time[1], tonumber(time[2]))
  end
  return moment
end

local LIVE_RUNS = PREFIX .. 'live'
local GONE = PREFIX .. 'gone:'
local UNSENT = PREFIX .. 'unsent'
local TAKEN = PREFIX .. 'taken'
local OWED = PREFIX .. 'owed'

local function operation_key(id) return PREFIX .. 'op:' .. id end
local function children_key(id) return PREFIX .. 'children:' .. id end
local function log_key(id) return PREFIX .. 'log:' .. id end
local function results_key(id) return PREFIX .. 'results:' .. id end
local function barred_key(id) return PREFIX .. 'barred:' .. id end
local function judged_key(process) return PREFIX .. 'judged:' .. process end

-- Operations as they are here, by key. What is asked of one is asked of Redis once, and what changes of it is written at
-- once: before anything is told, and before Redis is asked otherwise for what has changed.
local held, unwritten = {}, {}

-- With what a change asks of most operations, it learns whether there is anything else.
local function hold(key, ...)
  local names = {'rev', 'children', 'status', 'run', 'parent', ...}
  local known, values = {}, redis.call('HMGET', key, unpack(names))
  for place, name in ipairs(names) do known[name] = values[place] end
  held[key] = {known = known, is_new = not (known.rev or known.children)}
  return held[key]
end

-- A field of an operation; `false` if it has none of that name.
local function get(key, name)
  local operation = held[key] or hold(key)
  local value = operation.known[name]
  if value == nil then
    value = not operation.is_new and redis.call('HGET', key, name)
    operation.known[name] = value
  end
  return value
end

local function set(key, name, value)
  local known = (held[key] or hold(key)).known
  if known[name] == value then return end
  local changed = unwritten[key]
  if not changed then
    changed = {}
    unwritten[key] = changed
  end
  known[name], changed[name] = value, value
end

local function clear(key, ...)
  for _, name in ipairs({...}) do set(key, name, false) end
end

-- A whole number among the fields of an operation; 0 without one, or where somebody else has written what is none.
local function figure(key, name) return math.floor(tonumber(get(key, name) or 0) or 0) end

local function add(key, name, number)
  local sum = figure(key, name) + number
  set(key, name, sum)
  return sum
end

local function write(key)
  local list, size, gone = {}, 0, {}
  for name, value in pairs(unwritten[key] or {}) do
    if value then
      list[size + 1], list[size + 2], size = name, value, size + 2
    else
      gone[#gone + 1] = name
    end
    if size >= FIELDS_AT_ONCE then
      redis.call('HSET', key, unpack(list))
      list, size = {}, 0
    end
  end
  unwritten[key] = nil
  if size > 0 then redis.call('HSET', key, unpack(list)) end
  if #gone > 0 then redis.call('HDEL', key, unpack(gone)) end
end

local function write_all()
  for key in pairs(unwritten) do write(key) end
end

-- From here on, what is asked is asked of Redis.
local function release()
  write_all()
  held = {}
end

local function drop(key) held[key], unwritten[key] = nil, nil end

-- An operation may come back after it has left, or after this Redis has lost it: its revs go on growing all the same.
-- They begin at the time in microseconds, for nothing is stored that often. Answers whether it was not here before.
local function next_rev(key, count)
  local rev, is_new = tonumber(get(key, 'rev') or ''), false
  if not rev then
    local time = redis.call('TIME')
    rev, is_new = time[1] * 1000000 + time[2], true
  end
  rev = string.format('%d', rev + count) -- Lua would write such a number with an exponent.
  set(key, 'rev', rev)
  return rev, is_new
end

-- What is told of one change, or of several of one operation that follow on each other.
local function message_of(told)
  return '{"op":"' .. told.id .. '","rev":' .. told.rev .. ',"attempt":' .. told.attempt .. ',"parent":"' .. told.parent
    .. '"' .. told.more .. ',"events":[' .. table.concat(told.events, ',') .. ']}'
end

-- Stored first, published last: a watcher never sees what is not stored. One that may store and not publish must not
-- stop here, with half of the call done: followers find what they were not told.
-- An entry of the feed holds several messages, one a line: `<entry>.<n>` is the place behind its n-th.
local function tell()
  write_all()
  if #untold == 0 then return end
  local told, previous = untold, last_entry or redis.call('GET', PREFIX .. 'feed:last') or '0-0'
  untold, untold_bytes = {}, 0
  local messages = {}
  for number, each in ipairs(told) do messages[number] = message_of(each) end
  local message = #told > 1 and table.concat(messages, '\n') or messages[1]
  last_entry = redis.call('XADD', FEED, 'MAXLEN', '~', FEED_LIMIT, '*', 'm', message)
  local whole = last_entry .. ' ' .. previous .. ' ' .. message
  redis.pcall('PUBLISH', PREFIX .. 'events', whole)
  for number, each in ipairs(told) do
    local text = whole
    if #told > 1 then
      local place = number == #told and last_entry or last_entry .. '.' .. number
      text = place .. ' ' .. previous .. ' ' .. messages[number]
    end
    redis.pcall('PUBLISH', PREFIX .. 'events:' .. each.id, text)
    if each.parent ~= '' then redis.pcall('PUBLISH', PREFIX .. 'events:' .. each.parent, text) end
  end
end

-- `events` is as it stands in a list: one event after the other, with a comma between them.
local function emit(id, rev, fresh, attempt, parent, counts, hole, events)
  local more = ''
  if fresh then
    more = ',"fresh":true'
    -- Its children may have been told before it, to watchers that had nothing to add their counts to.
    hole = hole or get(operation_key(id), 'children') ~= false
  end
  if counts then more = more .. ',"counts":' .. counts end
  if hole then more = more .. ',"hole":true' end
  local size = HEAD_BYTES + #id + #parent + #more + #events
  if untold_bytes + size > ENTRY_BYTES then tell() end
  untold_bytes = untold_bytes + size
  local last = untold[#untold]
  local goes_on = last and last.id == id and last.attempt == attempt and last.parent == parent and not last.hole
  if goes_on and more == '' then
    last.rev, last.events[#last.events + 1] = rev, events
    return
  end
  untold[#untold + 1] = {
    id = id, rev = rev, attempt = attempt, parent = parent, more = more, hole = hole, events = {events},
  }
end

-- While children of one parent are queued one after the other in a call, they are counted with the last of them.
local more_siblings, uncounted = false, nil

local function number_of(parent, status)
  return redis.call('SCARD', children_key(parent) .. ':' .. status)
end

local function erased_at(id) return tonumber(redis.call('GET', barred_key(id)) or '') end

local entered = 0
