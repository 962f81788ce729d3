-- The one write path: takes many changes in a call, stores each, then publishes it.
--
-- KEYS[1]  the feed; every other key is the namespace's prefix plus a suffix, so all share one hash slot.
-- ARGV     prefix, seconds that ended operations stay (0: for ever), bytes they may take (0: any), entries the feed keeps,
--          and the changes, as a list in MessagePack.
-- A change is a list that starts with its kind; the functions below say what follows. The answer, in MessagePack as well,
-- is one list per change:
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
local ENDED = {complete = true, error = true, cancelled = true, lost = true}
local TRIM_AT_ONCE = 10
local INDEXED = 200 -- Bytes that an operation takes in the indexes: two sorted sets, each with a list and a table.
local SAMPLES = 100 -- Fields looked at for a hash's size. The few that Redis takes by itself may all be small ones.
local LOG_LIMIT = 1000
local RESULTS_LIMIT = 10000
local RESULTS_LIFE = 7 * 86400
local BARRED_LIFE = 7 * 86400 -- A message may wait for long.
local LATE_LIMIT = 10000
local FIELDS_AT_ONCE = 1000
local ENTRY_BYTES = 4000
local LEASE_LIFE = 86400
local ONCE_LIFE = 60
local GONE_LIFE = 3600
local JUDGED_LIFE = 7 * 86400
local RETURN_WITHIN = 600 -- Seconds in which an operation has come back for which something was brought before it.

local function push(list, name, value)
  local size = #list
  list[size + 1], list[size + 2] = name, value
end

-- What was stored and is not in the feed yet: for each change its message, and the channels that hear of it.
local untold, untold_bytes, last_entry = {}, 0, nil

local function now()
  local time = redis.call('TIME')
  return string.format('%s.%06d', time[1], tonumber(time[2]))
end

local LIVE_RUNS = PREFIX .. 'live'
local LEASES = PREFIX .. 'leases'
local BRIEF = PREFIX .. 'brief'
local GONE = PREFIX .. 'gone:'
local UNSENT = PREFIX .. 'unsent'
local TAKEN = PREFIX .. 'taken'
local OWED = PREFIX .. 'owed'

local function operation_key(id) return PREFIX .. 'op:' .. id end
local function children_key(id) return PREFIX .. 'children:' .. id end
local function log_key(id) return PREFIX .. 'log:' .. id end
local function results_key(id) return PREFIX .. 'results:' .. id end
local function lease_key(process) return PREFIX .. 'lease:' .. process end
local function barred_key(id) return PREFIX .. 'barred:' .. id end
local function judged_key(process) return PREFIX .. 'judged:' .. process end

-- An operation may come back after it has left, or after this Redis has lost it: its revs go on growing all the same.
-- They begin at the time in microseconds, for nothing is stored that often. Answers whether it was not here before.
local function next_rev(key, count)
  local rev = redis.call('HINCRBY', key, 'rev', count)
  if rev > count then return string.format('%.0f', rev), false end
  local time = redis.call('TIME')
  rev = redis.call('HINCRBY', key, 'rev', string.format('%s%06d', time[1], tonumber(time[2])))
  return string.format('%.0f', rev), true
end

-- The run that was told last, as long as nothing but its steps moves: what its blobs change is written once for all of
-- them, before anything is published or anything else is touched.
local steady = nil

local function write(held)
  local list = {}
  for name, value in pairs(held.fields) do
    push(list, name, value)
    if #list >= FIELDS_AT_ONCE then
      redis.call('HSET', held.key, unpack(list))
      list = {}
    end
  end
  if #list > 0 then redis.call('HSET', held.key, unpack(list)) end
  held.fields = {}
end

local function write_steady() if steady then write(steady) end end

local function forget_steady()
  write_steady()
  steady = nil
end

-- Stored first, published last: a watcher never sees what is not stored. One that may store and not publish must not
-- stop here, with half of the call done: followers find what they were not told.
-- An entry of the feed holds the messages of several changes, one a line: `<entry>.<n>` is the place behind its n-th.
local function tell()
  write_steady()
  if #untold == 0 then return end
  local told, previous = untold, last_entry or redis.call('GET', PREFIX .. 'feed:last') or '0-0'
  untold, untold_bytes = {}, 0
  local messages = {}
  for number, change in ipairs(told) do messages[number] = change.message end
  local message = table.concat(messages, '\n')
  last_entry = redis.call('XADD', FEED, 'MAXLEN', '~', FEED_LIMIT, '*', 'm', message)
  redis.pcall('PUBLISH', PREFIX .. 'events', last_entry .. ' ' .. previous .. ' ' .. message)
  for number, change in ipairs(told) do
    local place = number == #told and last_entry or last_entry .. '.' .. number
    local text = place .. ' ' .. previous .. ' ' .. change.message
    redis.pcall('PUBLISH', PREFIX .. 'events:' .. change.id, text)
    if change.parent ~= '' then redis.pcall('PUBLISH', PREFIX .. 'events:' .. change.parent, text) end
  end
end

local function emit(id, rev, fresh, attempt, parent, counts, hole, events)
  local message = '{"op":"' .. id .. '","rev":' .. rev .. ',"attempt":' .. attempt .. ',"parent":"' .. parent .. '"'
  if fresh then
    message = message .. ',"fresh":true'
    -- Its children may have been told before it, to watchers that had nothing to add their counts to.
    hole = hole or redis.call('HEXISTS', operation_key(id), 'children') == 1
  end
  if counts then message = message .. ',"counts":' .. counts end
  if hole then message = message .. ',"hole":true' end
  message = message .. ',"events":' .. events .. '}'
  if untold_bytes + #message > ENTRY_BYTES then tell() end
  untold[#untold + 1], untold_bytes = {id = id, parent = parent, message = message}, untold_bytes + #message
end

-- The same rule as status_of in tracker/compose.py; a test holds the two together. A verdict `running` decides
-- nothing about a batch: it only flags its dispatch, or takes an earlier verdict back.
local function status_of(key)
  local field = redis.call('HMGET', key, 'batch', 'run', 'run_status', 'verdict_status', 'verdict_run')
  local batch, run, run_status, verdict, about = field[1], field[2], field[3], field[4], field[5] or ''
  if batch then
    if verdict and verdict ~= 'running' then return verdict end
    if not run then return 'queued' end
    if run_status == 'error' or run_status == 'cancelled' then return run_status end
    return 'running'
  end
  if not run then
    if verdict and about == '' then return verdict end
    return 'queued'
  end
  local open = run_status == 'running' or (run_status == 'queued' and verdict == 'cancelled')
  if open and verdict and about == run then return verdict end
  return run_status
end

-- While children of one parent are queued one after the other in a call, they are counted with the last of them.
local more_siblings, uncounted = false, nil

local function is_sibling(change, other)
  return other ~= nil and change[1] == 'queue' and other[1] == 'queue' and change[4] ~= '' and change[4] == other[4]
end

-- The counts of a parent's children are the sizes of their per-status sets.
local function counts_of(parent)
  local key, total, parts = children_key(parent), 0, ''
  for _, status in ipairs(STATUSES) do
    local size = redis.call('SCARD', key .. ':' .. status)
    total = total + size
    parts = parts .. ',"' .. status .. '":' .. size
  end
  local version = redis.call('HINCRBY', operation_key(parent), 'children_version', 1)
  local counts = '{"total":' .. total .. parts .. ',"version":' .. version .. '}'
  redis.call('HSET', operation_key(parent), 'children', counts)
  return counts
end

-- The runs of an operation that are alive, if there are at least so many.
local function runs_alive(key, least)
  local found = {}
  if tonumber(redis.call('HGET', key, 'alive') or 0) < least then return found end
  for _, name in ipairs(redis.call('HKEYS', key)) do
    local run = string.match(name, '^attempt:(.+)$')
    if run and redis.call('HEXISTS', LIVE_RUNS, run) == 1 then found[#found + 1] = run end
  end
  return found
end

-- Runs that are still alive then are older ones, which decide nothing.
local function forget_live(key)
  for _, run in ipairs(runs_alive(key, 1)) do redis.call('HDEL', LIVE_RUNS, run) end
end

local function number_of(parent, status)
  return redis.call('SCARD', children_key(parent) .. ':' .. status)
end

-- What an ended operation takes is counted: running ones never leave, so their bytes say nothing.
local function charge(id, key, ended)
  local before, bytes = tonumber(redis.call('HGET', key, 'bytes') or 0), 0
  if ended then
    bytes = INDEXED
    for _, owned in ipairs({key, log_key(id), results_key(id)}) do
      local usage = redis.pcall('MEMORY', 'USAGE', owned, 'SAMPLES', SAMPLES) -- Some who rent Redis out do not allow it.
      if type(usage) == 'number' then bytes = bytes + usage end
    end
  end
  if bytes == before then return end
  redis.call('HSET', key, 'bytes', bytes)
  redis.call('INCRBY', PREFIX .. 'bytes', bytes - before)
end

-- Its message may still be on its way: whoever gets it finds here that it must not begin.
local function bar(id, status)
  if status == 'cancelled' then redis.call('SET', barred_key(id), status, 'EX', BARRED_LIFE) end
end

local function erased_at(id) return tonumber(redis.call('GET', barred_key(id)) or '') end

-- How many top-level operations wait, and how many run, are the sizes of two sets.
local function count_open(id, status)
  for _, open in ipairs({'queued', 'running'}) do
    local counts = status == open and redis.call('ZSCORE', PREFIX .. 'index', id)
    redis.call(counts and 'SADD' or 'SREM', PREFIX .. 'open:' .. open, id)
  end
end

-- An operation leaves with all that belongs to it, unless it `keeps` for a while what its steps have kept: whoever runs it
-- again may be on a machine without the archive.
local function forget(id, keeps)
  local key, children = operation_key(id), children_key(id)
  local field = redis.call('HMGET', key, 'status', 'alive', 'bytes', 'children')
  local status, bytes = field[1], tonumber(field[3] or 0)
  bar(id, status)
  if field[2] then forget_live(key) end
  if bytes > 0 then redis.call('INCRBY', PREFIX .. 'bytes', -bytes) end
  local keys = {key, log_key(id)}
  if field[4] then
    keys[#keys + 1] = children
    for _, each in ipairs(STATUSES) do keys[#keys + 1] = children .. ':' .. each end
  end
  if keeps then
    redis.call('EXPIRE', results_key(id), LIVE > 0 and LIVE or RESULTS_LIFE)
  else
    keys[#keys + 1] = results_key(id)
  end
  redis.call('UNLINK', unpack(keys))
  redis.call('ZREM', PREFIX .. 'index', id)
  redis.call('ZREM', PREFIX .. 'ended', id)
  if not ENDED[status] then count_open(id, nil) end
end

-- Removes an ended operation after all below it, at most `room` operations in all; answers how many. Nothing that runs
-- leaves, nor what it runs for.
local function shed(id, room)
  if number_of(id, 'queued') + number_of(id, 'running') > 0 then return 0 end
  local gone = 0
  for _, child in ipairs(redis.call('ZRANGE', children_key(id), 0, room - 1)) do
    gone = gone + shed(child, room - gone)
    if redis.call('EXISTS', operation_key(child)) == 0 then redis.call('ZREM', children_key(id), child) end
    if gone >= room then return gone end
  end
  if redis.call('ZCARD', children_key(id)) > 0 then return gone end
  if redis.call('EXISTS', operation_key(id)) == 1 then gone = gone + 1 end
  forget(id, false)
  return gone
end

local function is_due(score)
  if LIVE > 0 and tonumber(score) <= now() - LIVE then return true end
  return BUDGET > 0 and tonumber(redis.call('GET', PREFIX .. 'bytes') or 0) > BUDGET
end

-- The oldest ended operations leave when their time is over, or when all of them take too much. Answers how many, so
-- that a caller knows whether to go on.
local function trim()
  local gone = 0
  while gone < TRIM_AT_ONCE do
    local oldest = redis.call('ZRANGE', PREFIX .. 'ended', 0, 0, 'WITHSCORES')
    if not oldest[1] or not is_due(oldest[2]) then break end
    local left = shed(oldest[1], TRIM_AT_ONCE - gone)
    gone = gone + left
    if left == 0 then
      -- Something below it runs: it will be looked at again when others were.
      redis.call('ZADD', PREFIX .. 'ended', now(), oldest[1])
      break
    end
  end
  if gone > 0 then redis.call('INCRBY', PREFIX .. 'trimmed', gone) end
  return gone
end

-- Operations leave with what they belong to: those below another one are not listed as ended while that one is known.
local function retain(id, key, status, parent)
  charge(id, key, ENDED[status])
  local alone = parent == '' or redis.call('HEXISTS', operation_key(parent), 'status') == 0
  if ENDED[status] and alone then
    redis.call('ZADD', PREFIX .. 'ended', now(), id)
  else
    redis.call('ZREM', PREFIX .. 'ended', id)
  end
end

local function enter(id, parent, score)
  if parent ~= '' then
    redis.call('ZADD', children_key(parent), score, id)
    -- It may have been here before, and left for the archive.
    for _, status in ipairs(STATUSES) do redis.call('SREM', children_key(parent) .. ':' .. status, id) end
  else
    redis.call('ZADD', PREFIX .. 'index', score, id)
  end
  trim()
end

-- What follows a batch is to be sent once the batch and all its children have ended; of that it is told once.
local function owe_follower(id)
  local field = redis.call('HMGET', operation_key(id), 'follower', 'follower_part', 'status', 'sealed')
  if not (field[1] and field[4] and ENDED[field[3]]) or number_of(id, 'queued') + number_of(id, 'running') > 0 then return end
  redis.call('HDEL', operation_key(id), 'follower', 'follower_part')
  redis.call('HSET', OWED, field[1], field[2])
end

-- Brings the indexes in line with the parts just written; answers the parent's new counts if they moved.
local function settle(id, key, parent, score)
  local before, status = redis.call('HGET', key, 'status'), status_of(key)
  if before == status then return nil end
  redis.call('HSET', key, 'status', status)
  if not before then enter(id, parent, score) end
  if before == 'queued' then
    redis.call('HDEL', TAKEN, id)
    redis.call('SREM', UNSENT, id)
  end
  retain(id, key, status, parent)
  if ENDED[status] then owe_follower(id) end
  if parent == '' then
    count_open(id, status)
    return nil
  end
  if before then redis.call('SREM', children_key(parent) .. ':' .. before, id) end
  redis.call('SADD', children_key(parent) .. ':' .. status, id)
  uncounted = more_siblings and parent or nil
  return not more_siblings and counts_of(parent) or nil
end

local function write_verdict(key, part, status, run, by)
  redis.call('HSET', key, 'verdict', part, 'verdict_status', status, 'verdict_run', run, 'verdict_by', by)
end

local function verdict_event(id, run, at, part, more)
  local about = run ~= '' and ',"run":"' .. run .. '"' or ''
  local event = '{"type":"operation.verdict","operation":"' .. id .. '"' .. about .. ',"ts":' .. at
  return '[' .. event .. ',"verdict":' .. part .. (more or '') .. '}]'
end

local function update_event(id, at, more)
  return '[{"type":"operation.update","operation":"' .. id .. '","ts":' .. at .. ',' .. more .. '}]'
end

local function judge_batch(id, key, status, attempt, more)
  local at = now()
  local part = '{"status":"' .. status .. '","at":' .. at .. ',"by":"children"' .. more .. '}'
  write_verdict(key, part, status, '', 'children')
  local rev, fresh = next_rev(key, 1)
  settle(id, key, '', 0)
  emit(id, rev, fresh, attempt, '', nil, false, verdict_event(id, '', at, part))
end

-- Who wants an operation to end as it stands, as JSON: a later run of it is not meant.
local function asked_by(key)
  local field = redis.call('HMGET', key, 'cancel_by', 'cancel_run', 'run')
  return field[1] and field[2] == (field[3] or '') and field[1]
end

local function failures(id) return number_of(id, 'error') + number_of(id, 'lost') end

-- Whether a batch was asked to end, and what has ended since was complete or cancelled.
local function was_stopped(id, key)
  local known = asked_by(key) and redis.call('HGET', key, 'cancel_failed')
  return known and number_of(id, 'cancelled') > 0 and failures(id) <= tonumber(known)
end

-- A sealed batch whose last child has ended gets its verdict in the call that settled that child. Children that were
-- lost may live after all: then it is taken back, or made anew.
local function settle_batch(id)
  local key = operation_key(id)
  local field = redis.call('HMGET', key, 'sealed', 'verdict_status', 'verdict_by', 'attempt', 'failed')
  local total, decided, attempt = field[1], field[2] and field[2] ~= 'running', field[4] or 0
  if not total or (decided and field[3] ~= 'children') then return end
  if number_of(id, 'queued') + number_of(id, 'running') > 0 then
    if decided then judge_batch(id, key, 'running', attempt, '') end
    return
  end
  local failed = failures(id) + number_of(id, 'cancelled')
  if decided and tonumber(field[5]) == failed then return end
  redis.call('HSET', key, 'failed', failed)
  if failed == 0 then return judge_batch(id, key, 'complete', attempt, '') end
  local message = failed .. ' of ' .. total .. ' did not complete'
  local status = was_stopped(id, key) and 'cancelled' or 'error'
  judge_batch(id, key, status, attempt, ',"error":{"type":"BatchError","message":"' .. message .. '"}')
end

local function announce(id, key, attempt, parent, score, count, hole, events)
  local rev, fresh = next_rev(key, count)
  local counts = settle(id, key, parent, score)
  emit(id, rev, fresh, attempt, parent, counts, hole, events)
  if counts then
    settle_batch(parent)
    owe_follower(parent)
  end
end

-- Two runs of an operation that are alive at once are told of: one of them does work that the other does too.
local function count_alive(id, key, change)
  local count = redis.call('HINCRBY', key, 'alive', change)
  if math.max(count, count - change) < 2 then return end
  local field, at = redis.call('HMGET', key, 'parent', 'attempt'), now()
  local event = update_event(id, at, '"duplicate":' .. tostring(count > 1))
  announce(id, key, field[2] or 0, field[1] or '', 0, 1, false, event)
end

-- A run without a process gives no sign of life, so nobody could say when it is alive no more.
local function live(id, key, run, process)
  if process == '' then return end
  if redis.call('HSETNX', LIVE_RUNS, run, id .. ' ' .. process) == 1 then count_alive(id, key, 1) end
end

-- Answers the process that ran it, if it was alive.
local function cease(id, key, run)
  local owner, process = string.match(redis.call('HGET', LIVE_RUNS, run) or '', '^(%S+) (%S+)$')
  if owner ~= id then return nil end
  redis.call('HDEL', LIVE_RUNS, run)
  count_alive(id, key, -1)
  return process
end

-- A run has ended, or its death was reported: no silence of it means anything any more.
local function finish(id, key, run, process)
  process = cease(id, key, run) or process
  if redis.call('HDEL', key, 'silent:' .. run) == 1 then redis.call('HDEL', judged_key(process), run) end
end

-- A sign of life withdraws what was judged of a run's silence, unless somebody else has judged since.
local function revive(id, key, run, process)
  redis.call('HDEL', judged_key(process), run)
  if redis.call('HDEL', key, 'silent:' .. run) == 0 then return end
  redis.call('HDEL', key, 'verdict:' .. run)
  live(id, key, run, process)
  local field = redis.call('HMGET', key, 'verdict_run', 'verdict_by', 'parent', 'attempt')
  if field[1] ~= run or field[2] ~= 'recorder' then return end
  local at = now()
  local part = '{"status":"running","at":' .. at .. ',"by":"life","run":"' .. run .. '"}'
  write_verdict(key, part, 'running', run, 'life')
  announce(id, key, field[4], field[3] or '', 0, 1, false, verdict_event(id, run, at, part))
  settle_batch(id)
end

-- Somebody (`by`, as JSON) wants an operation to end. One that waits ends at once; of one that runs the request is kept
-- for its runs that are alive. `about`: only if this is its newest run.
local function ask(id, key, by, about)
  local field = redis.call('HMGET', key, 'status', 'run', 'parent', 'attempt')
  local status, run, at = field[1], field[2] or '', now()
  if not status or ENDED[status] or (about and about ~= run) then return end
  local request, event = '"by":' .. by .. ',"at":' .. at .. ',"run":"' .. run .. '"', nil
  local shown = '"cancel":{' .. request .. '}'
  redis.call('HSET', key, 'cancel', '{' .. request .. '}', 'cancel_by', by, 'cancel_run', run)
  redis.call('HSET', key, 'cancel_failed', failures(id))
  if status == 'queued' then
    local part = '{"status":"cancelled",' .. request .. '}'
    write_verdict(key, part, 'cancelled', run, 'cancel')
    event = verdict_event(id, run, at, part, ',' .. shown)
  else
    redis.call('HSET', key, 'cancel:' .. run, by)
    for _, other in ipairs(runs_alive(key, 2)) do redis.call('HSET', key, 'cancel:' .. other, by) end
    event = update_event(id, at, shown)
  end
  announce(id, key, field[4] or 0, field[3] or '', 0, 1, false, event)
end

-- Who wants to end what an operation is below. Not if that had ended when this one was to run again.
local function asked_above(key, parent)
  local by = parent ~= '' and asked_by(operation_key(parent))
  if not by then return by end
  local excused = redis.call('HGET', key, 'excused')
  return not (excused and excused == redis.call('HGET', operation_key(parent), 'cancel')) and by
end

-- Who wanted a run to end before it was known: while its operation waited, unless it resumes, or of what it is below.
local function asked_before(key, parent, resumes)
  local field = redis.call('HMGET', key, 'cancel_by', 'cancel_run', 'run', 'run_status')
  local waited = not field[3] or field[4] == 'queued'
  if field[1] and waited and not resumes and field[2] == (field[3] or '') then return field[1] end
  return asked_above(key, parent)
end

-- The step of a run tells nothing for unusually long, or has told something again.
local function note_quiet(id, key, run, attempt, parent, is_quiet)
  if is_quiet then redis.call('HSET', key, 'quiet', run) else redis.call('HDEL', key, 'quiet') end
  announce(id, key, attempt, parent, 0, 1, false, update_event(id, now(), '"quiet":' .. tostring(is_quiet)))
end

-- The newest run becomes one of the earlier ones, with what was judged of it, or of the batch that it dispatched.
local function set_aside(key)
  local old = redis.call('HMGET', key, 'run', 'head', 'run_status', 'verdict', 'verdict_run', 'batch')
  local newest = old[1]
  if not newest then return end
  redis.call('HSET', key, 'head:' .. newest, old[2] or '', 'status:' .. newest, old[3] or '')
  if old[5] == newest or (old[5] == '' and old[6]) then redis.call('HSET', key, 'verdict:' .. newest, old[4]) end
end

-- First sight of a run: it becomes the newest, the one before is kept beside it. Unless it resumes, what steps
-- of earlier runs have kept is worth nothing any more.
local function begin(id, key, run, process, resumes)
  if not resumes then redis.call('UNLINK', results_key(id)) end
  set_aside(key)
  local attempt = redis.call('HINCRBY', key, 'attempt', 1)
  redis.call('HSET', key, 'run', run, 'run_status', 'running', 'attempt:' .. run, attempt)
  redis.call('HDEL', key, 'current')
  live(id, key, run, process)
  return attempt
end

-- A run as it is here.
local function read_run(key, run)
  if steady and steady.key == key and steady.run == run then return steady end
  forget_steady()
  local field = redis.call('HMGET', key, 'seq:' .. run, 'attempt:' .. run, 'silent:' .. run, 'run', 'parent', 'rev',
    'cancel:' .. run, 'quiet')
  return {
    key = key, run = run, fields = {}, known = tonumber(field[1] or 0), attempt = field[2], silent = field[3],
    decides = field[4] == run, parent = field[5], rev = field[6], asked = field[7], quiet = field[8] == run,
  }
end

-- What a blob changes.
local function note(held, last, head, status, current, steps)
  local fields, run = held.fields, held.run
  fields['seq:' .. run], held.known = last, last
  if current ~= '' and held.decides then fields.current = current end
  if head ~= '' then
    fields[held.decides and 'head' or 'head:' .. run] = head
    fields[held.decides and 'run_status' or 'status:' .. run] = status
  end
  for place = 1, #steps, 2 do fields['step:' .. run .. ':' .. steps[place]] = steps[place + 1] end
end

-- Lines are numbered per run, so each is kept with its run's attempt in front.
local function write_lines(id, attempt, lines)
  if #lines == 0 then return end
  for _, line in ipairs(lines) do redis.call('RPUSH', log_key(id), attempt .. ' ' .. line) end
  redis.call('LTRIM', log_key(id), -LOG_LIMIT, -1)
end

local function write_results(id, results)
  for place = 1, #results, 2 do
    if redis.call('HLEN', results_key(id)) >= RESULTS_LIMIT then return end
    redis.call('HSET', results_key(id), results[place], results[place + 1])
  end
end

-- A replayed run that is not known here waits for the recorder: the operation may be in the archive, with newer runs.
local function keep_late(whole)
  redis.call('RPUSH', PREFIX .. 'late', whole)
  local excess = redis.call('LLEN', PREFIX .. 'late') - LATE_LIMIT
  if excess > 0 then
    redis.call('LTRIM', PREFIX .. 'late', excess, -1)
    redis.call('INCRBY', PREFIX .. 'late:dropped', excess)
  end
  return {'late', 0}
end

-- Whether something is told for the first time, of which nothing else is kept that would show it.
local function is_first(token)
  return redis.call('SET', PREFIX .. 'once:' .. token, 1, 'NX', 'EX', ONCE_LIFE)
end

-- A run was all there was of its operation, and over soon: it is counted, and not kept. Whoever has sent it may say so
-- later than that.
local function pass_by(id, key, run, name)
  if redis.call('HEXISTS', key, 'queue') == 0 then redis.call('SET', GONE .. id, 1, 'EX', GONE_LIFE) end
  if is_first(run) then redis.call('HINCRBY', BRIEF, math.floor(now() / 86400) .. ' ' .. name, 1) end
  forget(id, true)
end

local function answer(kind, number, run, asked)
  return asked and {kind, number, {}, {run, asked}} or {kind, number}
end

-- What was erased stays away: what an earlier process tells of it late counts as known. A later run is another matter.
local function was_erased(id, created)
  local at = erased_at(id)
  if at and tonumber(created) > at then
    redis.call('UNLINK', barred_key(id))
    return false
  end
  return at
end

-- run: operation, run, its process, whether it rebases, resumes, is replayed; first seq, last seq, events, head, its
--      status, parent, created, the step it is at, index and value of each changed step, log lines, key and value of
--      each kept result, the whole blob if it is replayed, the name under which it is counted if it need not be kept.
--      What there is none of is empty.
local function put_run(change)
  local _, id, run, process, rebase, resumes, replay, first, last, events, head, status, parent, created, current, steps,
    lines, results, whole, brief = unpack(change)
  local key = operation_key(id)
  local held = read_run(key, run)
  if not held.attempt and was_erased(id, created) then return {'duplicate', last} end
  if replay and not held.attempt then return keep_late(whole) end
  if last <= held.known then return answer('duplicate', held.known, run, held.asked) end
  local hole = rebase or replay and first ~= held.known + 1
  if first ~= held.known + 1 and not hole then return answer('behind', held.known, run, held.asked) end
  local count = hole and 1 or last - first + 1
  -- Most of what is told moves nothing but the steps of a run: worth a short way.
  if held.attempt and head == '' and not (held.silent or held.quiet) then
    steady, held.rev = held, held.rev + count
    held.fields.rev = string.format('%.0f', held.rev)
    note(held, last, head, status, current, steps)
    write_lines(id, held.attempt, lines)
    write_results(id, results)
    emit(id, held.fields.rev, false, held.attempt, held.parent, nil, hole, events)
    return answer('stored', tonumber(held.attempt), run, held.asked)
  end
  forget_steady()
  local turns = not held.attempt or status == 'queued'
  if not held.attempt then
    held.asked = asked_before(key, parent, resumes)
    held.attempt, held.decides = begin(id, key, run, process, resumes), true
  end
  if not held.parent then held.parent, held.fields.parent, held.fields.created = parent, parent, created end
  note(held, last, head, status, current, steps)
  write(held)
  write_lines(id, held.attempt, lines)
  write_results(id, results)
  if head ~= '' and status ~= 'running' then
    finish(id, key, run, process)
  elseif held.silent and not replay then
    revive(id, key, run, process)
  end
  parent = held.parent
  if held.quiet then note_quiet(id, key, run, held.attempt, parent, false) end
  announce(id, key, held.attempt, parent, created, count, hole, events)
  local asked = held.asked
  if turns then asked = asked or asked_above(key, parent) end
  if turns and asked then ask(id, key, asked, run) end
  if brief ~= '' and tonumber(held.attempt) == 1 and redis.call('ZCARD', children_key(id)) == 0 then
    pass_by(id, key, run, brief)
  end
  return answer('stored', tonumber(held.attempt), run, asked)
end

-- passed: token by which it is known that these were counted, day and name of each, and how many.
local function put_passed(change)
  local _, token, counts = unpack(change)
  if not is_first(token) then return {'duplicate', 0} end
  for place = 1, #counts, 2 do redis.call('HINCRBY', BRIEF, counts[place], counts[place + 1]) end
  return {'stored', 0}
end

-- queue: operation, part, parent, created, whether it is a batch, position among its parent's children, events.
local function put_queue(change)
  local _, id, part, parent, created, batch, score, events = unpack(change)
  local key = operation_key(id)
  if redis.call('DEL', GONE .. id) == 1 or redis.call('HSETNX', key, 'queue', part) == 0 then return {'duplicate', 0} end
  redis.call('HSETNX', key, 'parent', parent)
  redis.call('HSETNX', key, 'created', created)
  if batch then
    redis.call('HSET', key, 'batch', '1')
    redis.call('SADD', UNSENT, id)
  end
  announce(id, key, redis.call('HGET', key, 'attempt') or 0, parent, score, 1, false, events)
  local asked = asked_above(key, parent)
  if asked then ask(id, key, asked) end
  return {'stored', 0}
end

-- again: operation, status it must have, its newest run then, part, id of the message. It waits as it did before its
-- first run: that run becomes an earlier one, and what was judged or asked of it means the next one no more.
-- A batch is not settled until it is sealed anew, when all of its children that run again were queued.
local function put_again(change)
  local _, id, expected, run, part, message = unpack(change)
  local key = operation_key(id)
  local field = redis.call('HMGET', key, 'status', 'run', 'message', 'attempt', 'parent')
  if field[3] == message then return {'duplicate', 0} end
  if field[1] ~= expected or (field[2] or '') ~= run then return {'ignored', 0} end
  local parent = field[5] or ''
  set_aside(key)
  redis.call('HDEL', key, 'run', 'run_status', 'head', 'current', 'quiet', 'verdict', 'verdict_status', 'verdict_run',
    'verdict_by', 'cancel', 'cancel_by', 'cancel_run', 'cancel_failed', 'sealed', 'failed', 'excused', 'taken', 'sent')
  redis.call('HDEL', TAKEN, id)
  redis.call('UNLINK', barred_key(id))
  redis.call('HSET', key, 'queue', part, 'message', message)
  redis.call('PERSIST', results_key(id))
  local above = parent ~= '' and redis.call('HMGET', operation_key(parent), 'status', 'cancel') or {}
  if above[2] and ENDED[above[1]] then redis.call('HSET', key, 'excused', above[2]) end
  local event = '{"type":"operation.queued","operation":"' .. id .. '","ts":' .. now() .. ',"queue":' .. part .. '}'
  announce(id, key, field[4] or 0, parent, 0, 1, true, '[' .. event .. ']')
  local asked = asked_above(key, parent)
  if asked then ask(id, key, asked) end
  return {'stored', 0}
end

-- back: operation that has left, fields and their values, parent, position in its list, version of its children's counts.
-- It is here once more as it was when it left.
local function put_back(change)
  local _, id, fields, parent, score, version = unpack(change)
  local key = operation_key(id)
  if redis.call('HEXISTS', key, 'status') == 1 then return {'duplicate', 0} end
  for place = 1, #fields, 2 do redis.call('HSET', key, fields[place], fields[place + 1]) end
  if redis.call('ZCARD', children_key(id)) > 0 then
    redis.call('PERSIST', children_key(id))
    for _, status in ipairs(STATUSES) do redis.call('PERSIST', children_key(id) .. ':' .. status) end
    redis.call('HSET', key, 'children_version', version)
    counts_of(id)
  end
  local event = '{"type":"operation.update","operation":"' .. id .. '","ts":' .. now() .. '}'
  announce(id, key, redis.call('HGET', key, 'attempt') or 0, parent, score, 1, true, '[' .. event .. ']')
  return {'stored', 0}
end

-- below: operation that is to come back, and of each of its children id, position and status. Those that are here are
-- known. If nothing comes of it, they are forgotten.
local function put_below(change)
  local _, id, children = unpack(change)
  if redis.call('HEXISTS', operation_key(id), 'status') == 1 then return {'duplicate', 0} end
  for place = 1, #children, 3 do
    local child, status = children[place], children[place + 2]
    if redis.call('HEXISTS', operation_key(child), 'status') == 0 then
      redis.call('ZADD', children_key(id), children[place + 1], child)
      redis.call('SADD', children_key(id) .. ':' .. status, child)
      redis.call('EXPIRE', children_key(id) .. ':' .. status, RETURN_WITHIN)
    end
  end
  redis.call('EXPIRE', children_key(id), RETURN_WITHIN)
  return {'stored', 0}
end

-- kept: operation that is to come back, key and value of results that its steps have kept.
local function put_kept(change)
  local _, id, results = unpack(change)
  write_results(id, results)
  redis.call('EXPIRE', results_key(id), RETURN_WITHIN)
  return {'stored', 0}
end

-- cancel: operation, who wants it to end, as JSON. Those below it are the caller's to go through; whatever comes to be
-- there from now on is asked to end as it comes.
local function put_cancel(change)
  local _, id, by = unpack(change)
  local key = operation_key(id)
  local below = number_of(id, 'queued') + number_of(id, 'running')
  local status, asked = redis.call('HGET', key, 'status'), asked_by(key)
  if not status or (ENDED[status] and below == 0) then return {'ignored', 0} end
  if asked then return {'duplicate', below} end
  ask(id, key, by)
  return {'stored', below}
end

-- verdict: operation, run it is about, status the operation must have, status judged, part, events.
local function put_verdict(change)
  local _, id, run, expected, status, part, events = unpack(change)
  local key = operation_key(id)
  local field = redis.call('HMGET', key, 'run', 'status', 'parent', 'attempt')
  if (field[1] or '') ~= run or field[2] ~= expected then return {'ignored', 0} end
  write_verdict(key, part, status, run, '')
  -- Of a batch, that its dispatch is over decides nothing.
  local over = status == 'lost' or status == 'queued' or status == 'running'
  if over and run ~= '' then finish(id, key, run, '') end
  announce(id, key, field[4] or 0, field[3] or '', 0, 1, false, events)
  return {'stored', tonumber(field[4] or 0)}
end

-- seal: batch, number of its children; from now on the last child to end settles it.
local function put_seal(change)
  local _, id, total = unpack(change)
  redis.call('HSET', operation_key(id), 'sealed', total)
  settle_batch(id)
  owe_follower(id)
  return {'stored', 0}
end

-- take: operation, its message, Celery's id of that, the worker that holds it and is about to begin. One that is not here
--       runs all the same, unless it must not come back.
local function put_take(change)
  local _, id, message, task, worker = unpack(change)
  local key = operation_key(id)
  local field = redis.call('HMGET', key, 'status', 'taken', 'message')
  if not field[1] then return {redis.call('EXISTS', barred_key(id)) == 1 and 'ignored' or 'stored', 0} end
  local is_other = (field[2] or message) ~= message or (field[3] or task) ~= task
  if field[1] == 'cancelled' or is_other then return {'ignored', 0} end
  redis.call('HSET', key, 'taken', message)
  if field[1] == 'queued' then redis.call('HSET', TAKEN, id, worker) end
  return {'stored', 0}
end

-- sent: batch, how many of its first children the broker has got.
local function put_sent(change)
  local _, id, children = unpack(change)
  local key = operation_key(id)
  redis.call('SREM', UNSENT, id)
  if redis.call('HEXISTS', key, 'status') == 0 then return {'ignored', 0} end
  if children > tonumber(redis.call('HGET', key, 'sent') or 0) then redis.call('HSET', key, 'sent', children) end
  return {'stored', 0}
end

-- follow: batch, the operation that is to be sent once it has ended, and that one's queue part (empty: none is).
local function put_follow(change)
  local _, id, follower, part = unpack(change)
  if follower == '' then
    redis.call('HDEL', operation_key(id), 'follower', 'follower_part')
  else
    redis.call('HSET', operation_key(id), 'follower', follower, 'follower_part', part)
  end
  return {'stored', 0}
end

-- paid: operation whose message the broker has got.
local function put_paid(change)
  redis.call('HDEL', OWED, change[2])
  return {'stored', 0}
end

-- hold: token of a recorder, milliseconds it may be silent (0: it lets go), where its archive is (opaque); ignored
--       while another one holds.
local function put_hold(change)
  local _, token, life, archive = unpack(change)
  local holder = redis.call('GET', PREFIX .. 'recorder')
  if holder and holder ~= token then return {'ignored', 0} end
  if life == 0 then
    redis.call('DEL', PREFIX .. 'recorder')
  else
    redis.call('SET', PREFIX .. 'recorder', token, 'PX', life)
    if archive ~= '' then redis.call('SET', PREFIX .. 'archive', archive) end
  end
  return {'stored', 0}
end

-- What a process may have to know of its runs, however long they have nothing to tell: of which less is stored than
-- was, as this Redis has lost data, and which are to end.
local function news_of(runs)
  local forgotten, asked = {}, {}
  for run, told in string.gmatch(runs, '(%S+) (%d+)') do
    local id = string.match(redis.call('HGET', LIVE_RUNS, run) or '', '^%S+')
    local field = id and redis.call('HMGET', operation_key(id), 'seq:' .. run, 'cancel:' .. run) or {}
    if tonumber(field[1] or 0) < tonumber(told) then forgotten[#forgotten + 1] = run end
    if field[2] then
      asked[#asked + 1] = run
      asked[#asked + 1] = field[2]
    end
  end
  return forgotten, asked
end

-- lease: process, runs it executes, each with the last seq it knows to be stored (blanks between; none: it gives the
--        lease back), what it says of itself. Answers the time, by which the process knows how far off its clock is.
local function put_lease(change)
  local _, process, runs, about = unpack(change)
  local key, at = lease_key(process), now()
  if runs == '' then
    redis.call('UNLINK', key)
    redis.call('ZREM', LEASES, process)
    return {'stored', at * 1000000}
  end
  redis.call('HINCRBY', key, 'count', 1)
  redis.call('HSET', key, 'seen', at, 'runs', runs, 'about', about)
  redis.call('EXPIRE', key, LEASE_LIFE)
  redis.call('ZADD', LEASES, at, process)
  redis.call('ZREMRANGEBYSCORE', LEASES, '-inf', at - LEASE_LIFE)
  redis.call('EXPIRE', LEASES, LEASE_LIFE)
  if redis.call('EXISTS', judged_key(process)) == 1 then
    for run in string.gmatch(runs, '(%S+) %d+') do
      local id = redis.call('HGET', judged_key(process), run)
      if id then revive(id, operation_key(id), run, process) end
    end
  end
  return {'stored', at * 1000000, news_of(runs)}
end

-- A batch's dispatch is gone: another one is to go on where it stopped. Its message, should it come back, is too late.
local function send_again(id, key, run, parent, attempt)
  redis.call('HDEL', key, 'taken')
  redis.call('HSET', OWED, id, redis.call('HGET', key, 'queue'))
  local at = now()
  local part = '{"status":"running","at":' .. at .. ',"by":"recorder","run":"' .. run .. '"}'
  write_verdict(key, part, 'running', run, 'recorder')
  announce(id, key, attempt, parent or '', 0, 1, false, verdict_event(id, run, at, part))
end

-- silence: process, what its lease must still count (empty: it has none), run, operation, status judged, part, events.
-- Of a run that does not decide its operation, only the loss is noted, beside it: it is alive no more.
local function put_silence(change)
  local _, process, count, run, id, status, part, events = unpack(change)
  local key, word = operation_key(id), status == 'lost' and 'lost' or 'unresponsive'
  if (redis.call('HGET', lease_key(process), 'count') or '') ~= count then return {'ignored', 0} end
  if redis.call('HGET', LIVE_RUNS, run) ~= id .. ' ' .. process then return {'ignored', 0} end
  local field = redis.call('HMGET', key, 'run', 'status', 'silent:' .. run, 'parent', 'attempt')
  if not field[2] then
    redis.call('HDEL', LIVE_RUNS, run)
    return {'ignored', 0}
  end
  if field[3] == word then return {'duplicate', 0} end
  local decides = field[1] == run and field[2] == 'running'
  if word ~= 'lost' and not decides then return {'ignored', 0} end
  redis.call('HSET', key, 'silent:' .. run, word)
  redis.call('HSET', judged_key(process), run, id)
  redis.call('EXPIRE', judged_key(process), JUDGED_LIFE)
  if word == 'lost' then cease(id, key, run) end
  if decides and word == 'lost' and redis.call('HEXISTS', key, 'batch') == 1 then
    send_again(id, key, run, field[4], field[5])
  elseif decides then
    write_verdict(key, part, status, run, 'recorder')
    announce(id, key, field[5], field[4] or '', 0, 1, false, events)
  elseif field[1] ~= run then
    redis.call('HSET', key, 'verdict:' .. run, part)
  end
  return {'stored', tonumber(field[5])}
end

-- quiet: operation, run, its last seq; only while that run decides, and has told no more.
local function put_quiet(change)
  local _, id, run, seq = unpack(change)
  local key = operation_key(id)
  local field = redis.call('HMGET', key, 'run', 'run_status', 'seq:' .. run, 'quiet', 'parent', 'attempt')
  if field[1] ~= run or field[2] ~= 'running' or field[3] ~= seq then return {'ignored', 0} end
  if field[4] == run then return {'duplicate', 0} end
  note_quiet(id, key, run, field[6], field[5] or '', true)
  return {'stored', 0}
end

-- A child of an operation that is not here leaves nothing in the sets that were begun for it.
local function orphan(id, parent, status)
  if parent == '' or redis.call('HEXISTS', operation_key(parent), 'status') == 1 then return end
  redis.call('ZREM', children_key(parent), id)
  redis.call('SREM', children_key(parent) .. ':' .. status, id)
  if redis.call('ZCARD', children_key(parent)) == 0 then redis.call('UNLINK', operation_key(parent)) end
end

-- earlier: operation, how many attempts the archive has of it from before it came back. Those here were counted from 1,
-- and are numbered on from there, with their lines; once, however often it is said.
local function put_earlier(change)
  local _, id, count = unpack(change)
  local key = operation_key(id)
  local field = redis.call('HMGET', key, 'run', 'parent')
  if not field[1] or redis.call('HSETNX', key, 'earlier', count) == 0 then return {'ignored', 0} end
  for _, name in ipairs(redis.call('HKEYS', key)) do
    if string.match(name, '^attempt:') then redis.call('HINCRBY', key, name, count) end
  end
  local attempt = redis.call('HINCRBY', key, 'attempt', count)
  for place, line in ipairs(redis.call('LRANGE', log_key(id), 0, -1)) do
    local number, text = string.match(line, '^(%d+) (.*)$')
    redis.call('LSET', log_key(id), place - 1, string.format('%.0f %s', number + count, text))
  end
  local event = '{"type":"operation.update","operation":"' .. id .. '","ts":' .. now() .. '}'
  announce(id, key, attempt, field[2] or '', 0, 1, true, '[' .. event .. ']')
  return {'stored', attempt}
end

-- erase: operation that has ended, after all below it; it leaves with everything, and nothing of it comes back for a
-- while. It may also be in the archive only.
local function put_erase(change)
  local _, id = unpack(change)
  local field = redis.call('HMGET', operation_key(id), 'status', 'parent')
  local status, parent = field[1], field[2] or ''
  if status and not ENDED[status] or number_of(id, 'queued') + number_of(id, 'running') > 0 then
    return {'ignored', 0}
  end
  if status then forget(id, false) else redis.call('UNLINK', results_key(id)) end
  redis.call('SET', barred_key(id), now(), 'EX', BARRED_LIFE)
  if parent ~= '' then
    -- What became of it is still counted there.
    redis.call('ZREM', children_key(parent), id)
    orphan(id, parent, status)
  end
  return {'stored', 0}
end

-- leave: operation, its rev, the version of its children's counts; it is in the archive as it was then. `duplicate` if
-- it was erased meanwhile.
local function put_leave(change)
  local _, id, rev, version = unpack(change)
  local field = redis.call('HMGET', operation_key(id), 'rev', 'children_version', 'parent', 'status')
  if not field[1] and erased_at(id) then return {'duplicate', 0} end
  if field[1] ~= rev or (field[2] or '0') ~= version or not ENDED[field[4]] then return {'ignored', 0} end
  forget(id, field[4] ~= 'complete')
  orphan(id, field[3] or '', field[4])
  return {'stored', 0}
end

-- trim: removes some of the operations whose time in Redis is over; answers how many.
local function put_trim() return {'stored', trim()} end

local PUT = {
  run = put_run, queue = put_queue, passed = put_passed, verdict = put_verdict, seal = put_seal, cancel = put_cancel,
  hold = put_hold, lease = put_lease, silence = put_silence, quiet = put_quiet, leave = put_leave, trim = put_trim,
  earlier = put_earlier, erase = put_erase, again = put_again, back = put_back, below = put_below, kept = put_kept,
  take = put_take, sent = put_sent, follow = put_follow, paid = put_paid,
}
local CHANGES = cmsgpack.unpack(ARGV[5])
-- A full Redis takes nothing new: not half of a call either, of which it would only look at the first write. What
-- frees memory must be possible all the same.
local HOUSEKEEPING = {hold = true, leave = true, trim = true, erase = true}
if HOUSEKEEPING[CHANGES[1][1]] then
  redis.call('UNLINK', PREFIX .. 'nothing')
else
  redis.call('SETRANGE', PREFIX .. 'feed:last', 0, '')
end

local answers = {}
local done, problem = pcall(function()
  for number, change in ipairs(CHANGES) do
    if change[1] ~= 'run' then forget_steady() end
    more_siblings = is_sibling(change, CHANGES[number + 1])
    answers[number] = PUT[change[1]](change)
  end
end)
if uncounted then pcall(counts_of, uncounted) end
-- What is stored is told, also if a later change of the call could not be.
local told, trouble = pcall(tell)
if last_entry then redis.call('SET', PREFIX .. 'feed:last', last_entry) end
if not (done and told) then error(problem or trouble, 0) end
return cmsgpack.pack(answers)
