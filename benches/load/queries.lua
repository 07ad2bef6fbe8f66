-- wrk sends the bodies of the file REQUESTS (a line each) in turn, and prints one line of JSON at the end.
local bodies = {}
for line in io.lines(os.getenv("REQUESTS")) do bodies[#bodies + 1] = line end
local requests = {}
local turn = 0

init = function(args)
  local headers = { ["Content-Type"] = "application/json", ["Host"] = "127.0.0.1" }
  for i, body in ipairs(bodies) do requests[i] = wrk.format("POST", nil, headers, body) end
end

request = function()
  turn = turn % #requests + 1
  return requests[turn]
end

done = function(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    'RESULT {"per_second": %.2f, "p50_ms": %.3f, "p99_ms": %.3f, "max_ms": %.3f, "requests": %d, "errors": %d}\n',
    summary.requests / (summary.duration / 1e6), latency:percentile(50) / 1e3, latency:percentile(99) / 1e3, latency.max / 1e3,
    summary.requests, errors.connect + errors.read + errors.write + errors.status + errors.timeout))
end
