-- Posts bodies of 100 events, all of them changes: 50 devices go in and out again, a second later
-- the next 50, and so on round the 10,000 there are. No body is like another.
-- usage: wrk -s post.lua URL

local folder = debug.getinfo(1, "S").source:match("^@(.*)/") or "."
dofile(folder .. "/report.lua")

local kStart = 1735689600  -- 2025-01-01
local kGroups = 200
local kDevices = 50  -- in a group
local made = 0

local headers = { ["Content-Type"] = "application/json" }

function request()
  local second = os.date("!%Y-%m-%dT%H:%M:%S", kStart + made)
  local group = made % kGroups
  made = made + 1
  local events = {}
  for i = 0, 2 * kDevices - 1 do
    events[i + 1] = string.format(
      '{"deviceID":"cam-%06d","eventType":"%s","timestamp":"%s.%03dZ"}',
      group * kDevices + i % kDevices, i < kDevices and "device_enter" or "device_exit", second,
      i)
  end
  return wrk.format("POST", "/timeline", headers, '{"events":[' .. table.concat(events, ",") .. "]}")
end
