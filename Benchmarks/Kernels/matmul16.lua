local bit, ffi = require "bit", require "ffi"
return function(mem, len)
    local a = ffi.cast("uint32_t *", mem)
    local b, c = a + 256, a + 512
    local checksum = 0ULL
    for i = 0, 15 do
        for j = 0, 15 do
            -- Numbers of Lua would round the product.
            local sum = 0ULL
            for k = 0, 15 do sum = sum + (0ULL + a[i * 16 + k]) * b[k * 16 + j] end
            sum = bit.band(sum, 0xffffffffULL)
            c[i * 16 + j] = sum
            checksum = bit.band(checksum * 31 + sum, 0xffffffffULL)
        end
    end
    return checksum
end
