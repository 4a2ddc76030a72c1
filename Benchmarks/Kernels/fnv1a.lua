local bit = require "bit"
return function(mem, len)
    local h = 0xcbf29ce484222325ULL
    for i = 0, len - 1 do h = bit.bxor(h, mem[i]) * 0x100000001b3ULL end
    return h
end
