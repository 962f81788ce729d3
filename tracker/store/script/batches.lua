-- What becomes of a batch: how far it was sent, whether all its children are known, what follows it.

local settling = use('settling')

-- seal: batch, number of its children; from now on the last child to end settles it.
local function put_seal(change)
  local _, id, total = unpack(change)
  set(operation_key(id), 'sealed', total)
  settling.settle_batch(id)
  settling.owe_follower(id)
  return {'stored', 0}
end

-- sent: batch, how many of its first children the broker has got.
local function put_sent(change)
  local _, id, children = unpack(change)
  local key = operation_key(id)
  redis.call('SREM', UNSENT, id)
  if not get(key, 'status') then return {'ignored', 0} end
  if children > figure(key, 'sent') then set(key, 'sent', children) end
  return {'stored', 0}
end

-- follow: batch, the operation that is to be sent once it has ended, and that one's queue part (empty: none is).
local function put_follow(change)
  local _, id, follower, part = unpack(change)
  if follower == '' then
    clear(operation_key(id), 'follower', 'follower_part')
  else
    set(operation_key(id), 'follower', follower)
    set(operation_key(id), 'follower_part', part)
  end
  return {'stored', 0}
end

-- paid: operation whose message the broker has got.
local function put_paid(change)
  redis.call('HDEL', OWED, change[2])
  return {'stored', 0}
end

return {seal = put_seal, sent = put_sent, follow = put_follow, paid = put_paid}
