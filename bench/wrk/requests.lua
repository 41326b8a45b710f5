-- POSTs the bodies of a file, each with an Idempotency-Key of its own, and prints what was measured as JSON.
--
-- Arguments: API key, name of this run (part of the Idempotency-Keys), file with one body on each line, and the mean
-- think time in milliseconds, 0 for none. With a think time every connection waits a random, exponentially
-- distributed time before each request, so that with many connections requests come about as a Poisson process.

local bodies = {}
local head, run, sent

function init(args)
  head = "POST " .. wrk.path .. " HTTP/1.1\r\nHost: " .. wrk.headers["Host"] .. "\r\nAuthorization: Bearer " .. args[1]
    .. "\r\nContent-Type: application/json\r\nIdempotency-Key: "
  run = args[2]
  sent = 0
  for line in io.lines(args[3]) do
    bodies[#bodies + 1] = "\r\nContent-Length: " .. #line .. "\r\n\r\n" .. line
  end
  local think_ms = tonumber(args[4])
  if think_ms > 0 then
    math.randomseed(os.time())
    -- wrk looks for this function after init
    delay = function()
      return -think_ms * math.log(1 - math.random())
    end
  end
end

function request()
  sent = sent + 1
  return head .. run .. "-" .. sent .. bodies[sent % #bodies + 1]
end

function done(summary, latency, requests)
  local errors = summary.errors
  print(string.format(
    '{"requests": %d, "duration_us": %d, "p50_us": %d, "p99_us": %d, "refused": %d, "failed": %d}',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99), errors.status,
    errors.connect + errors.read + errors.write + errors.timeout
  ))
end
