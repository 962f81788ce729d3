-- How an operation stands, from its parts; the indexes and counts that follow from it, and what is told of it.

local INDEXED = 220 -- Bytes that an operation takes in the indexes: two sorted sets, each with a list and a table.
local SAMPLES = 100 -- Fields looked at for a hash's size. The few that Redis takes by itself may all be small ones.

-- The same rule as status_of in tracker/compose.py; a test holds the two together. A verdict `running` decides
-- nothing about a batch: it only flags its dispatch, or takes an earlier verdict back.
local function status_of(key)
  local run, run_status = get(key, 'run'), get(key, 'run_status')
  local verdict, about = get(key, 'verdict_status'), get(key, 'verdict_run') or ''
  if get(key, 'batch') then
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

-- The counts of a parent's children are the sizes of their per-status sets.
local function counts_of(parent)
  local key, total, parts = children_key(parent), 0, ''
  for _, status in ipairs(STATUSES) do
    local size = redis.call('SCARD', key .. ':' .. status)
    total = total + size
    parts = parts .. ',"' .. status .. '":' .. size
  end
  local version = add(operation_key(parent), 'children_version', 1)
  local counts = '{"total":' .. total .. parts .. ',"version":' .. version .. '}'
  set(operation_key(parent), 'children', counts)
  return counts
end

-- What an ended operation takes is counted: running ones never leave, so their bytes say nothing.
local function charge(id, key, ended)
  local before, bytes = figure(key, 'bytes'), 0
  if ended then
    set(key, 'bytes', before) -- With this field, too: with one more a table may be twice as large.
    write(key)
    bytes = INDEXED
    for _, owned in ipairs({key, log_key(id), results_key(id)}) do
      local usage = redis.pcall('MEMORY', 'USAGE', owned, 'SAMPLES', SAMPLES) -- Some who rent Redis out do not allow it.
      if type(usage) == 'number' then bytes = bytes + usage end
    end
  end
  if bytes == before then return end
  set(key, 'bytes', bytes)
  redis.pcall('INCRBY', PREFIX .. 'bytes', bytes - before) -- Somebody else may have written there what is no number.
end

-- How many top-level operations wait, and how many run, are the sizes of two sets.
local function count_open(id, before, status)
  if OPEN[before] then redis.call('SREM', PREFIX .. 'open:' .. before, id) end
  if OPEN[status] and redis.call('ZSCORE', PREFIX .. 'index', id) then
    redis.call('SADD', PREFIX .. 'open:' .. status, id)
  end
end

-- Operations leave with what they belong to: those below another one are not listed as ended while that one is known.
local function retain(id, key, status, parent)
  charge(id, key, ENDED[status])
  local alone = parent == '' or not get(operation_key(parent), 'status')
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
  entered = entered + 1
end

-- What follows a batch is to be sent once the batch and all its children have ended; of that it is told once.
local function owe_follower(id)
  local key = operation_key(id)
  local follower, due = get(key, 'follower'), get(key, 'sealed') and ENDED[get(key, 'status')]
  if not (follower and due) or number_of(id, 'queued') + number_of(id, 'running') > 0 then return end
  redis.call('HSET', OWED, follower, get(key, 'follower_part'))
  clear(key, 'follower', 'follower_part')
end

-- Brings the indexes in line with the parts just written; answers the parent's new counts if they moved.
local function settle(id, key, parent, score)
  local before, status = get(key, 'status'), status_of(key)
  if before == status then return nil end
  set(key, 'status', status)
  if not before then enter(id, parent, score) end
  if before == 'queued' or (ENDED[status] and get(key, 'batch')) then
    redis.call('HDEL', TAKEN, id)
    redis.call('SREM', UNSENT, id)
  end
  retain(id, key, status, parent)
  if ENDED[status] then owe_follower(id) end
  if parent == '' then
    count_open(id, before, status)
    return nil
  end
  if before then redis.call('SREM', children_key(parent) .. ':' .. before, id) end
  redis.call('SADD', children_key(parent) .. ':' .. status, id)
  uncounted = more_siblings and parent or nil
  return not more_siblings and counts_of(parent) or nil
end

local function write_verdict(key, part, status, run, by)
  set(key, 'verdict', part)
  set(key, 'verdict_status', status)
  set(key, 'verdict_run', run)
  set(key, 'verdict_by', by)
end

local function verdict_event(id, run, at, part, more)
  local about = run ~= '' and ',"run":"' .. run .. '"' or ''
  local event = '{"type":"operation.verdict","operation":"' .. id .. '"' .. about .. ',"ts":' .. at
  return event .. ',"verdict":' .. part .. (more or '') .. '}'
end

local function update_event(id, at, more)
  return '{"type":"operation.update","operation":"' .. id .. '","ts":' .. at .. ',' .. more .. '}'
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
  local by = get(key, 'cancel_by')
  return by and get(key, 'cancel_run') == (get(key, 'run') or '') and by
end

local function failures(id) return number_of(id, 'error') + number_of(id, 'lost') end

-- Whether a batch was asked to end, and what has ended since was complete or cancelled.
local function was_stopped(id, key)
  local known = asked_by(key) and get(key, 'cancel_failed')
  return known and number_of(id, 'cancelled') > 0 and failures(id) <= tonumber(known)
end

-- A sealed batch whose last child has ended gets its verdict in the call that settled that child. Children that were
-- lost may live after all: then it is taken back, or made anew.
local function settle_batch(id)
  local key = operation_key(id)
  local total, verdict, attempt = get(key, 'sealed'), get(key, 'verdict_status'), get(key, 'attempt') or 0
  local decided = verdict and verdict ~= 'running'
  if not total or (decided and get(key, 'verdict_by') ~= 'children') then return end
  if number_of(id, 'queued') + number_of(id, 'running') > 0 then
    if decided then judge_batch(id, key, 'running', attempt, '') end
    return
  end
  local failed = failures(id) + number_of(id, 'cancelled')
  if decided and tonumber(get(key, 'failed')) == failed then return end
  set(key, 'failed', failed)
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

return {
  counts_of = counts_of, write_verdict = write_verdict, verdict_event = verdict_event, update_event = update_event,
  asked_by = asked_by, failures = failures, settle_batch = settle_batch, announce = announce, owe_follower = owe_follower,
}
