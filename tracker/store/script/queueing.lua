-- Operations that wait: for the first time, or again after they had run, or left.

local settling, lives = use('settling'), use('lives')

local RETURN_WITHIN = 600 -- Seconds in which an operation has come back for which something was brought before it.

-- It waits from now on, unless what it is below is to end. Answers its rev.
local function waits(id, key, parent, score, hole, events)
  settling.announce(id, key, get(key, 'attempt') or 0, parent, score, 1, hole, events)
  local asked = lives.asked_above(key, parent)
  if asked then lives.ask(id, key, asked) end
  return {'stored', tonumber(get(key, 'rev'))}
end

-- queue: operation, part, parent, created, whether it is a batch, position among its parent's children, events.
local function put_queue(change)
  local _, id, part, parent, created, batch, score, events = unpack(change)
  local key = operation_key(id)
  local is_known = get(key, 'rev') and get(key, 'queue')
  if redis.call('DEL', GONE .. id) == 1 or is_known then return {'duplicate', 0} end
  set(key, 'queue', part)
  if not get(key, 'parent') then
    set(key, 'parent', parent)
    set(key, 'created', created)
  end
  if batch then
    set(key, 'batch', '1')
    redis.call('SADD', UNSENT, id)
  end
  return waits(id, key, parent, score, false, events)
end

-- again: operation, status it must have, its newest run then, part, id of the message. It waits as it did before its
-- first run: that run becomes an earlier one, and what was judged or asked of it means the next one no more.
-- A batch is not settled until it is sealed anew, when all of its children that run again were queued.
local function put_again(change)
  local _, id, expected, run, part, message = unpack(change)
  local key = operation_key(id)
  if get(key, 'message') == message then return {'duplicate', 0} end
  if get(key, 'status') ~= expected or (get(key, 'run') or '') ~= run then return {'ignored', 0} end
  local parent = get(key, 'parent') or ''
  lives.set_aside(key)
  clear(key, 'run', 'run_status', 'head', 'current', 'quiet', 'verdict', 'verdict_status', 'verdict_run',
    'verdict_by', 'cancel', 'cancel_by', 'cancel_run', 'cancel_failed', 'sealed', 'failed', 'excused', 'taken', 'sent')
  redis.call('HDEL', TAKEN, id)
  redis.call('UNLINK', barred_key(id))
  set(key, 'queue', part)
  set(key, 'message', message)
  redis.call('PERSIST', results_key(id))
  local cancel = parent ~= '' and get(operation_key(parent), 'cancel')
  if cancel and ENDED[get(operation_key(parent), 'status')] then set(key, 'excused', cancel) end
  local event = '{"type":"operation.queued","operation":"' .. id .. '","ts":' .. now() .. ',"queue":' .. part .. '}'
  return waits(id, key, parent, 0, true, event)
end

-- back: operation that has left, fields and their values, parent, position in its list, version of its children's counts.
-- It is here once more as it was when it left.
local function put_back(change)
  local _, id, fields, parent, score, version = unpack(change)
  local key = operation_key(id)
  if get(key, 'status') then return {'duplicate', 0} end
  for place = 1, #fields, 2 do set(key, fields[place], fields[place + 1]) end
  if redis.call('ZCARD', children_key(id)) > 0 then
    redis.call('PERSIST', children_key(id))
    for _, status in ipairs(STATUSES) do redis.call('PERSIST', children_key(id) .. ':' .. status) end
    set(key, 'children_version', version)
    settling.counts_of(id)
  end
  local event = '{"type":"operation.update","operation":"' .. id .. '","ts":' .. now() .. '}'
  settling.announce(id, key, get(key, 'attempt') or 0, parent, score, 1, true, event)
  return {'stored', 0}
end

-- below: operation that is to come back, and of each of its children id, position and status. Those that are here are
-- known. If nothing comes of it, they are forgotten.
local function put_below(change)
  local _, id, children = unpack(change)
  if get(operation_key(id), 'status') then return {'duplicate', 0} end
  for place = 1, #children, 3 do
    local child, status = children[place], children[place + 2]
    if not get(operation_key(child), 'status') then
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
  use('runs').write_results(id, results)
  redis.call('EXPIRE', results_key(id), RETURN_WITHIN)
  return {'stored', 0}
end

-- earlier: operation, how many attempts the archive has of it from before it came back. Those here were counted from 1,
-- and are numbered on from there, with their lines; once, however often it is said.
local function put_earlier(change)
  local _, id, count = unpack(change)
  local key = operation_key(id)
  if not get(key, 'run') or get(key, 'earlier') then return {'ignored', 0} end
  set(key, 'earlier', count)
  for _, name in ipairs(redis.call('HKEYS', key)) do
    if string.match(name, '^attempt:') then add(key, name, count) end
  end
  local attempt = add(key, 'attempt', count)
  for place, line in ipairs(redis.call('LRANGE', log_key(id), 0, -1)) do
    local number, text = string.match(line, '^(%d+) (.*)$')
    redis.call('LSET', log_key(id), place - 1, string.format('%.0f %s', number + count, text))
  end
  local event = '{"type":"operation.update","operation":"' .. id .. '","ts":' .. now() .. '}'
  settling.announce(id, key, attempt, get(key, 'parent') or '', 0, 1, true, event)
  return {'stored', attempt}
end

-- take: operation, its message, Celery's id of that, the worker that holds it and is about to begin. One that is not here
--       runs all the same, unless it must not come back.
local function put_take(change)
  local _, id, message, task, worker = unpack(change)
  local key = operation_key(id)
  local status = get(key, 'status')
  if not status then return {redis.call('EXISTS', barred_key(id)) == 1 and 'ignored' or 'stored', 0} end
  local is_other = (get(key, 'taken') or message) ~= message or (get(key, 'message') or task) ~= task
  if status == 'cancelled' or is_other then return {'ignored', 0} end
  set(key, 'taken', message)
  local is_dispatch = get(key, 'batch') and status == 'running' and figure(key, 'alive') == 0
  if status == 'queued' or is_dispatch then redis.call('HSET', TAKEN, id, worker) end
  return {'stored', 0}
end

return {
  queue = put_queue, again = put_again, back = put_back, below = put_below, kept = put_kept, earlier = put_earlier,
  take = put_take,
}
