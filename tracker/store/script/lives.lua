-- How runs begin and end, which are alive, and which of them are asked to end.

local settling = use('settling')

-- The runs of an operation that are alive, if there are at least so many.
local function runs_alive(key, least)
  local found = {}
  if figure(key, 'alive') < least then return found end
  write(key)
  for _, name in ipairs(redis.call('HKEYS', key)) do
    local run = string.match(name, '^attempt:(.+)$')
    if run and redis.call('HEXISTS', LIVE_RUNS, run) == 1 then found[#found + 1] = run end
  end
  return found
end

-- Two runs of an operation that are alive at once are told of: one of them does work that the other does too.
local function count_alive(id, key, change)
  local count = add(key, 'alive', change)
  if math.max(count, count - change) < 2 then return end
  local event = settling.update_event(id, now(), '"duplicate":' .. tostring(count > 1))
  settling.announce(id, key, get(key, 'attempt') or 0, get(key, 'parent') or '', 0, 1, false, event)
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
  if get(key, 'silent:' .. run) then
    clear(key, 'silent:' .. run)
    redis.call('HDEL', judged_key(process), run)
  end
end

-- A sign of life withdraws what was judged of a run's silence, unless somebody else has judged since.
local function revive(id, key, run, process)
  redis.call('HDEL', judged_key(process), run)
  if not get(key, 'silent:' .. run) then return end
  clear(key, 'silent:' .. run, 'verdict:' .. run)
  live(id, key, run, process)
  if get(key, 'verdict_run') ~= run or get(key, 'verdict_by') ~= 'recorder' then return end
  local at = now()
  local part = '{"status":"running","at":' .. at .. ',"by":"life","run":"' .. run .. '"}'
  settling.write_verdict(key, part, 'running', run, 'life')
  settling.announce(id, key, get(key, 'attempt'), get(key, 'parent') or '', 0, 1, false, settling.verdict_event(id, run, at, part))
  settling.settle_batch(id)
end

-- Somebody (`by`, as JSON) wants an operation to end. One that waits ends at once; of one that runs the request is kept
-- for its runs that are alive. `about`: only if this is its newest run.
local function ask(id, key, by, about)
  local status, run, at = get(key, 'status'), get(key, 'run') or '', now()
  if not status or ENDED[status] or (about and about ~= run) then return end
  local request, event = '"by":' .. by .. ',"at":' .. at .. ',"run":"' .. run .. '"', nil
  local shown = '"cancel":{' .. request .. '}'
  set(key, 'cancel', '{' .. request .. '}')
  set(key, 'cancel_by', by)
  set(key, 'cancel_run', run)
  set(key, 'cancel_failed', settling.failures(id))
  if status == 'queued' then
    local part = '{"status":"cancelled",' .. request .. '}'
    settling.write_verdict(key, part, 'cancelled', run, 'cancel')
    event = settling.verdict_event(id, run, at, part, ',' .. shown)
  else
    set(key, 'cancel:' .. run, by)
    for _, other in ipairs(runs_alive(key, 2)) do set(key, 'cancel:' .. other, by) end
    event = settling.update_event(id, at, shown)
  end
  settling.announce(id, key, get(key, 'attempt') or 0, get(key, 'parent') or '', 0, 1, false, event)
end

-- Who wants to end what an operation is below. Not if that had ended when this one was to run again.
local function asked_above(key, parent)
  local by = parent ~= '' and settling.asked_by(operation_key(parent))
  if not by then return by end
  local excused = get(key, 'excused')
  return not (excused and excused == get(operation_key(parent), 'cancel')) and by
end

-- Who wanted a run to end before it was known: while its operation waited, unless it resumes, or of what it is below.
local function asked_before(key, parent, resumes)
  local waited = not get(key, 'run') or get(key, 'run_status') == 'queued'
  local by = waited and not resumes and settling.asked_by(key)
  if by then return by end
  return asked_above(key, parent)
end

-- The step of a run tells nothing for unusually long, or has told something again.
local function note_quiet(id, key, run, attempt, parent, is_quiet)
  if is_quiet then set(key, 'quiet', run) else clear(key, 'quiet') end
  settling.announce(id, key, attempt, parent, 0, 1, false, settling.update_event(id, now(), '"quiet":' .. tostring(is_quiet)))
end

-- The newest run becomes one of the earlier ones, with what was judged of it, or of the batch that it dispatched.
local function set_aside(key)
  local newest = get(key, 'run')
  if not newest then return end
  set(key, 'head:' .. newest, get(key, 'head') or '')
  set(key, 'status:' .. newest, get(key, 'run_status') or '')
  local about = get(key, 'verdict_run')
  if about == newest or (about == '' and get(key, 'batch')) then set(key, 'verdict:' .. newest, get(key, 'verdict')) end
end

-- First sight of a run: it becomes the newest, the one before is kept beside it. Unless it resumes, what steps
-- of earlier runs have kept is worth nothing any more.
local function begin(id, key, run, process, resumes, lives)
  if not resumes then redis.call('UNLINK', results_key(id)) end
  if get(key, 'batch') then redis.call('HDEL', TAKEN, id) end -- It runs, and is no longer queued, from its first one on.
  set_aside(key)
  local attempt = add(key, 'attempt', 1)
  set(key, 'run', run)
  set(key, 'run_status', 'running')
  set(key, 'attempt:' .. run, attempt)
  clear(key, 'current')
  if lives then live(id, key, run, process) end
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

return {
  runs_alive = runs_alive, cease = cease, finish = finish, revive = revive, ask = ask, asked_above = asked_above,
  asked_before = asked_before, note_quiet = note_quiet, set_aside = set_aside, begin = begin, was_erased = was_erased,
}
