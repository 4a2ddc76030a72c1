local bit = require "bit"
local band, bor, rshift = bit.band, bit.bor, bit.rshift
return function(p, len)
    if len < 34 then return 0 end
    if p[12] ~= 0x08 or p[13] ~= 0x00 then return 0 end
    if rshift(p[14], 4) ~= 4 then return 0 end
    local header = band(p[14], 15) * 4
    if header < 20 then return 0 end
    if p[23] ~= 6 then return 0 end
    if bor(band(p[20], 0x1f), p[21]) ~= 0 then return 0 end
    if p[26] ~= 10 or p[27] ~= 1 then return 0 end
    if 14 + header + 4 > len then return 0 end
    local port = p[14 + header + 2] * 256 + p[14 + header + 3]
    if port == 80 or port == 443 or port == 8080 then return 1 end
    return 0
end
