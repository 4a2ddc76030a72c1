local ffi = require "ffi"
return function(mem, len)
    local words = ffi.cast("uint32_t *", mem)
    local sum = 0
    for i = 0, len - 1 do sum = sum + words[i] end
    return sum
end
