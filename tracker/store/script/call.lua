-- The call: each change in its turn, and then what is told of them.

local function is_sibling(change, other)
  return other ~= nil and change[1] == 'queue' and other[1] == 'queue' and change[4] ~= '' and change[4] == other[4]
end

local PART_OF = {
  run = 'runs', passed = 'runs',
  queue = 'queueing', again = 'queueing', back = 'queueing', below = 'queueing', kept = 'queueing', earlier = 'queueing',
  take = 'queueing',
  seal = 'batches', sent = 'batches', follow = 'batches', paid = 'batches',
  cancel = 'judging', verdict = 'judging', lease = 'judging', silence = 'judging', quiet = 'judging',
  hold = 'leaving', erase = 'leaving', leave = 'leaving', trim = 'leaving',
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

-- What follows on another one of these in a call finds operations as that one left them.
local TELLS = {run = true, queue = true}

local answers = {}
local done, problem = pcall(function()
  for number, change in ipairs(CHANGES) do
    if not TELLS[change[1]] then release() end
    more_siblings = is_sibling(change, CHANGES[number + 1])
    answers[number] = use(PART_OF[change[1]])[change[1]](change)
  end
end)
-- That another program has written under the key of one operation is no reason to take nothing of the others.
local stopped = not done and CHANGES[#answers + 1]
local kind = stopped and redis.call('TYPE', operation_key(tostring(stopped[2]))).ok or 'none'
if kind ~= 'none' and kind ~= 'hash' then problem = 'ERR the key of operation ' .. stopped[2] .. ' holds a ' .. kind end
if uncounted then pcall(use('settling').counts_of, uncounted) end
-- What is stored is told, also if a later change of the call could not be.
local told, trouble = pcall(tell)
if last_entry then redis.call('SET', PREFIX .. 'feed:last', last_entry) end
if not (done and told) then error(problem or trouble, 0) end
if entered > 0 then use('leaving').make_room(TRIM_AT_ONCE + entered) end
return cmsgpack.pack(answers)
