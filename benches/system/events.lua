-- wrk's script: posts events whose message ids are all new, and says at the end how it went, for load.py to read.
--
-- Arguments: the file of the events' tails (one a line, all of one length), events in a request, a token of eight
-- characters that makes the ids of this run its own, and the number of sources to spread the requests over.
--
-- Everything but the ids is built once: wrk shares the machine with the server, and a costly client would be measured
-- instead of it.

local OPEN = '{"messageId":"'
local FIRST_NUMBER = 1000000000
local ID_LENGTH = 22

local threads = 0
function setup(thread)
  thread:set("id", threads)
  threads = threads + 1
end

local heads, tails, parts = {}, {}, {}
local per_request, sources, slots
local prefix, number, requests

-- Lines and headers of a request to a source, with the length that every body has. wrk formats it; the body is cut off.
local function head(source, length)
  local body = string.rep("x", length)
  local path = wrk.path:gsub("load%-0", "load-" .. source)
  local text = wrk.format("POST", path, nil, body)
  return text:sub(1, #text - length)
end

function init(args)
  for line in io.lines(args[1]) do tails[#tails + 1] = line end
  per_request, sources = tonumber(args[2]), tonumber(args[4])
  prefix = string.format("%s%s-%02d-", OPEN, args[3], id)
  number, requests = FIRST_NUMBER, 0
  wrk.headers["Content-Type"] = "application/json"

  local event_length = #OPEN + ID_LENGTH + #tails[1]
  local length = per_request * event_length
  if per_request > 1 then length = length + per_request + 1 end
  for source = 0, sources - 1 do heads[source] = head(source, length) end

  -- parts[1] is the head; then, for each event, what stands before its number, the number, and what follows it.
  slots = 3 * per_request
  for event = 1, per_request do
    local before = per_request == 1 and "" or (event == 1 and "[" or ",")
    parts[3 * event - 1] = before .. prefix
    parts[3 * event + 1] = tails[(event - 1) % #tails + 1]
  end
  if per_request > 1 then parts[slots + 1] = parts[slots + 1] .. "]" end
end

function request()
  parts[1] = heads[requests % sources]
  requests = requests + 1
  if per_request == 1 then parts[4] = tails[requests % #tails + 1] end
  for slot = 3, slots, 3 do
    parts[slot] = number
    number = number + 1
  end
  return table.concat(parts)
end

function done(summary, latency, _)
  local errors = summary.errors
  io.write(string.format(
    'result {"requests":%d,"micros":%d,"p50":%d,"p99":%d,"bad_answers":%d,"socket_errors":%d,"timeouts":%d}\n',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
    errors.status, errors.connect + errors.read + errors.write, errors.timeout))
end
