-- Asks for the first rows of one device after the other, at random.
-- usage: wrk -s get.lua URL -- DEVICES ROWS

local folder = debug.getinfo(1, "S").source:match("^@(.*)/") or "."
dofile(folder .. "/report.lua")

local kTargets = 20000  -- made beforehand: wrk is not to be what is measured
local requests = {}
local at = 0

function init(arguments)
  local devices, rows = tonumber(arguments[1]), tonumber(arguments[2])
  math.randomseed(7)
  for i = 1, kTargets do
    local device = math.random(0, devices - 1)
    requests[i] = wrk.format("GET", string.format("/timeline/cam-%06d?limit=%d", device, rows))
  end
end

function request()
  at = at % #requests + 1
  return requests[at]
end
