-- What is judged of an operation from outside: that it is to end, that its process is silent, or gone.

local settling, lives = use('settling'), use('lives')

local LEASE_LIFE = 86400
local JUDGED_LIFE = 7 * 86400
local LEASES = PREFIX .. 'leases'

local function lease_key(process) return PREFIX .. 'lease:' .. process end

-- cancel: operation, who wants it to end, as JSON. Those below it are the caller's to go through; whatever comes to be
-- there from now on is asked to end as it comes.
local function put_cancel(change)
  local _, id, by = unpack(change)
  local key = operation_key(id)
  local below = number_of(id, 'queued') + number_of(id, 'running')
  local status, asked = get(key, 'status'), settling.asked_by(key)
  if not status or (ENDED[status] and below == 0) then return {'ignored', 0} end
  if asked then return {'duplicate', below} end
  lives.ask(id, key, by)
  return {'stored', below}
end

-- verdict: operation, run it is about, status the operation must have, status judged, part, events.
local function put_verdict(change)
  local _, id, run, expected, status, part, events = unpack(change)
  local key = operation_key(id)
  if (get(key, 'run') or '') ~= run or get(key, 'status') ~= expected then return {'ignored', 0} end
  local attempt = get(key, 'attempt') or 0
  settling.write_verdict(key, part, status, run, '')
  -- Of a batch, that its dispatch is over decides nothing.
  local over = status == 'lost' or status == 'queued' or status == 'running'
  if over and run ~= '' then lives.finish(id, key, run, '') end
  settling.announce(id, key, attempt, get(key, 'parent') or '', 0, 1, false, events)
  return {'stored', tonumber(attempt)}
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
      if id then lives.revive(id, operation_key(id), run, process) end
    end
  end
  write_all()
  return {'stored', at * 1000000, news_of(runs)}
end

-- A batch's dispatch is gone: another one is to go on where it stopped. Its message, should it come back, is too late.
local function send_again(id, key, run, parent, attempt)
  clear(key, 'taken')
  redis.call('HSET', OWED, id, get(key, 'queue'))
  local at = now()
  local part = '{"status":"running","at":' .. at .. ',"by":"recorder","run":"' .. run .. '"}'
  settling.write_verdict(key, part, 'running', run, 'recorder')
  settling.announce(id, key, attempt, parent, 0, 1, false, settling.verdict_event(id, run, at, part))
end

-- silence: process, what its lease must still count (empty: it has none), run, operation, status judged, part, events.
-- Of a run that does not decide its operation, only the loss is noted, beside it: it is alive no more.
local function put_silence(change)
  local _, process, count, run, id, status, part, events = unpack(change)
  local key, word = operation_key(id), status == 'lost' and 'lost' or 'unresponsive'
  if (redis.call('HGET', lease_key(process), 'count') or '') ~= count then return {'ignored', 0} end
  if redis.call('HGET', LIVE_RUNS, run) ~= id .. ' ' .. process then return {'ignored', 0} end
  if not get(key, 'status') then
    redis.call('HDEL', LIVE_RUNS, run)
    return {'ignored', 0}
  end
  if get(key, 'silent:' .. run) == word then return {'duplicate', 0} end
  local is_newest, attempt, parent = get(key, 'run') == run, get(key, 'attempt'), get(key, 'parent') or ''
  local decides = is_newest and get(key, 'status') == 'running'
  if word ~= 'lost' and not decides then return {'ignored', 0} end
  set(key, 'silent:' .. run, word)
  redis.call('HSET', judged_key(process), run, id)
  redis.call('EXPIRE', judged_key(process), JUDGED_LIFE)
  if word == 'lost' then lives.cease(id, key, run) end
  if decides and word == 'lost' and get(key, 'batch') then
    send_again(id, key, run, parent, attempt)
  elseif decides then
    settling.write_verdict(key, part, status, run, 'recorder')
    settling.announce(id, key, attempt, parent, 0, 1, false, events)
  elseif not is_newest then
    set(key, 'verdict:' .. run, part)
  end
  return {'stored', tonumber(attempt)}
end

-- quiet: operation, run, its last seq; only while that run decides, and has told no more.
local function put_quiet(change)
  local _, id, run, seq = unpack(change)
  local key = operation_key(id)
  local decides = get(key, 'run') == run and get(key, 'run_status') == 'running'
  if not decides or get(key, 'seq:' .. run) ~= seq then return {'ignored', 0} end
  if get(key, 'quiet') == run then return {'duplicate', 0} end
  lives.note_quiet(id, key, run, get(key, 'attempt'), get(key, 'parent') or '', true)
  return {'stored', 0}
end

return {
  cancel = put_cancel, verdict = put_verdict, lease = put_lease, silence = put_silence, quiet = put_quiet,
}
