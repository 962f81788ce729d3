-- How operations leave: for the archive, because their time is over or they take too much, or because they are erased.

local RESULTS_LIFE = 7 * 86400
local BARRED_LIFE = 7 * 86400 -- A message may wait for long.
local ERASED = PREFIX .. 'erased'

-- Its message may still be on its way: whoever gets it finds here that it must not begin.
local function bar(id, status)
  if status == 'cancelled' then redis.call('SET', barred_key(id), status, 'EX', BARRED_LIFE) end
end

-- Runs that are still alive then are older ones, which decide nothing.
local function forget_live(key)
  if figure(key, 'alive') == 0 then return end
  for _, run in ipairs(use('lives').runs_alive(key, 1)) do redis.call('HDEL', LIVE_RUNS, run) end
end

-- An operation leaves with all that belongs to it, unless it `keeps` for a while what its steps have kept: whoever runs it
-- again may be on a machine without the archive.
local function forget(id, keeps)
  local key, children = operation_key(id), children_key(id)
  local status, bytes, has_children = get(key, 'status'), figure(key, 'bytes'), get(key, 'children')
  bar(id, status)
  forget_live(key)
  drop(key)
  if bytes > 0 then redis.pcall('INCRBY', PREFIX .. 'bytes', -bytes) end
  local keys = {key, log_key(id)}
  if has_children then
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
  if OPEN[status] then redis.call('SREM', PREFIX .. 'open:' .. status, id) end
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
  return BUDGET > 0 and (tonumber(redis.call('GET', PREFIX .. 'bytes') or 0) or 0) > BUDGET
end

-- The oldest ended operations leave when their time is over, or when all of them take too much. Answers how many, so
-- that a caller knows whether to go on.
local function make_room(room)
  local gone = 0
  while gone < room do
    local oldest = redis.call('ZRANGE', PREFIX .. 'ended', 0, 0, 'WITHSCORES')
    if not oldest[1] or not is_due(oldest[2]) then break end
    local done, left = pcall(shed, oldest[1], room - gone)
    if done then gone = gone + left end
    if not done or left == 0 then
      -- Something below it runs, or another program has written under its keys: it will be looked at again when others
      -- were.
      redis.call('ZADD', PREFIX .. 'ended', now(), oldest[1])
      break
    end
  end
  if gone > 0 then redis.call('INCRBY', PREFIX .. 'trimmed', gone) end
  return gone
end

-- A child of an operation that is not here leaves nothing in the sets that were begun for it.
local function orphan(id, parent, status)
  if parent == '' or get(operation_key(parent), 'status') then return end
  redis.call('ZREM', children_key(parent), id)
  redis.call('SREM', children_key(parent) .. ':' .. status, id)
  if redis.call('ZCARD', children_key(parent)) == 0 then
    drop(operation_key(parent))
    redis.call('UNLINK', operation_key(parent))
  end
end

-- erase: operation that has ended, after all below it; it leaves with everything, and nothing of it comes back for a
-- while. It may also be in the archive only. What the feed tells of it up to now is for others to take out.
local function put_erase(change)
  local _, id = unpack(change)
  local status, parent = get(operation_key(id), 'status'), get(operation_key(id), 'parent') or ''
  if status and not ENDED[status] or number_of(id, 'queued') + number_of(id, 'running') > 0 then
    return {'ignored', 0}
  end
  if status then forget(id, false) else redis.call('UNLINK', results_key(id)) end
  redis.call('SET', barred_key(id), now(), 'EX', BARRED_LIFE)
  redis.call('HDEL', OWED, id)
  redis.call('HSET', ERASED, id, redis.call('GET', PREFIX .. 'feed:last') or '0-0')
  redis.call('EXPIRE', ERASED, BARRED_LIFE)
  if parent ~= '' then
    -- What became of it is still counted there.
    redis.call('ZREM', children_key(parent), id)
    orphan(id, parent, status)
  end
  return {'stored', 0}
end

-- leave: operation, its rev, the version of its children's counts; it is in the archive as it was then. `duplicate` if
-- it was erased meanwhile. While one of its runs is alive it stays: what becomes of that one nobody would say later.
local function put_leave(change)
  local _, id, rev, version = unpack(change)
  local key = operation_key(id)
  hold(key, 'children_version', 'alive', 'bytes')
  local here, status, parent = get(key, 'rev'), get(key, 'status'), get(key, 'parent') or ''
  if not here and erased_at(id) then return {'duplicate', 0} end
  -- Of what was lost, or taken away by hand, there may be no more than an entry in a list.
  local is_over = ENDED[status] or not (here or status)
  if (here or '0') ~= rev or (get(key, 'children_version') or '0') ~= version or not is_over then return {'ignored', 0} end
  if #use('lives').runs_alive(key, 1) > 0 then
    redis.call('ZADD', PREFIX .. 'ended', 'XX', now(), id) -- It will be looked at again when others were.
    return {'ignored', 0}
  end
  forget(id, status ~= 'complete')
  orphan(id, parent, status)
  return {'stored', 0}
end

-- trim: removes some of the operations whose time in Redis is over; answers how many.
local function put_trim() return {'stored', make_room(TRIM_AT_ONCE)} end

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

return {
  forget = forget, make_room = make_room, hold = put_hold, erase = put_erase, leave = put_leave, trim = put_trim,
}
