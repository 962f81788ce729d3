-- What processes tell of the runs they execute.

local LOG_LIMIT = 1000
local RESULTS_LIMIT = 10000
local LATE_LIMIT = 10000
local ONCE_LIFE = 60
local GONE_LIFE = 3600
local BRIEF = PREFIX .. 'brief'

local names = {}

-- Under which names what is known of a run is kept.
local function names_of(run)
  if not names[run] then
    names[run] = {
      seq = 'seq:' .. run, attempt = 'attempt:' .. run, silent = 'silent:' .. run, cancel = 'cancel:' .. run,
      step = 'step:' .. run .. ':',
    }
  end
  return names[run]
end

-- What is known of an operation, with all that a change of one of its runs asks for.
local function hold_run(key, name)
  local known = held[key] and held[key].known
  if known and known[name.seq] ~= nil then return known end
  if not known then return hold(key, name.seq, name.attempt, name.silent, name.cancel, 'quiet').known end
  for _, each in ipairs({name.seq, name.attempt, name.silent, name.cancel, 'quiet'}) do get(key, each) end
  return known
end

-- What a blob changes.
local function note(key, name, run, decides, last, head, status, current, steps)
  set(key, name.seq, last)
  if current ~= '' and decides then set(key, 'current', current) end
  if head ~= '' then
    set(key, decides and 'head' or 'head:' .. run, head)
    set(key, decides and 'run_status' or 'status:' .. run, status)
  end
  for place = 1, #steps, 2 do set(key, name.step .. steps[place], steps[place + 1]) end
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
  if not get(key, 'queue') then redis.call('SET', GONE .. id, 1, 'EX', GONE_LIFE) end
  if is_first(run) then redis.call('HINCRBY', BRIEF, math.floor(now() / 86400) .. ' ' .. name, 1) end
  use('leaving').forget(id, true)
end

local function answer(kind, number, run, asked)
  return asked and {kind, number, {}, {run, asked}} or {kind, number}
end

-- run: operation, run, its process, whether it rebases, resumes, is replayed; first seq, last seq, events, head, its
--      status, parent, created, the step it is at, index and value of each changed step, log lines, key and value of
--      each kept result, the whole blob if it is replayed, the name under which it is counted if it need not be kept.
--      What there is none of is empty.
local function put_run(change)
  local _, id, run, process, rebase, resumes, replay, first, last, events, head, status, parent, created, current, steps,
    lines, results, whole, brief = unpack(change)
  local key, name = operation_key(id), names_of(run)
  local known = hold_run(key, name)
  local seq, attempt, asked = tonumber(known[name.seq] or 0), known[name.attempt], known[name.cancel]
  if not attempt and use('lives').was_erased(id, created) then return {'duplicate', last} end
  if replay and not attempt then return keep_late(whole) end
  if last <= seq then return answer('duplicate', seq, run, asked) end
  local hole = rebase or replay and first ~= seq + 1
  if first ~= seq + 1 and not hole then return answer('behind', seq, run, asked) end
  local count, is_over = hole and 1 or last - first + 1, head ~= '' and status ~= 'running'
  local silent, was_quiet = known[name.silent], known.quiet == run
  local turns = not attempt or status == 'queued'
  if not attempt then
    asked = use('lives').asked_before(key, parent, resumes)
    use('lives').begin(id, key, run, process, resumes, not is_over)
  end
  if known.parent then
    parent = known.parent
  else
    set(key, 'parent', parent)
    set(key, 'created', created)
  end
  note(key, name, run, known.run == run, last, head, status, current, steps)
  write_lines(id, known[name.attempt], lines)
  write_results(id, results)
  -- Most of what is told moves nothing but the steps of a run: worth a short way.
  if attempt and head == '' and not (silent or was_quiet) then
    emit(id, next_rev(key, count), false, attempt, parent, nil, hole, events)
    return answer('stored', tonumber(attempt), run, asked)
  end
  local lives, settling = use('lives'), use('settling')
  if attempt and is_over then
    lives.finish(id, key, run, process)
  elseif silent and not replay then
    lives.revive(id, key, run, process)
  end
  attempt = known[name.attempt]
  if was_quiet then lives.note_quiet(id, key, run, attempt, parent, false) end
  settling.announce(id, key, attempt, parent, created, count, hole, events)
  if turns then asked = asked or lives.asked_above(key, parent) end
  if turns and asked then lives.ask(id, key, asked, run) end
  if brief ~= '' and tonumber(attempt) == 1 and redis.call('ZCARD', children_key(id)) == 0 then
    pass_by(id, key, run, brief)
  end
  return answer('stored', tonumber(attempt), run, asked)
end

-- passed: token by which it is known that these were counted, day and name of each, and how many.
local function put_passed(change)
  local _, token, counts = unpack(change)
  if not is_first(token) then return {'duplicate', 0} end
  for place = 1, #counts, 2 do redis.call('HINCRBY', BRIEF, counts[place], counts[place + 1]) end
  return {'stored', 0}
end

return {run = put_run, passed = put_passed, write_results = write_results}
