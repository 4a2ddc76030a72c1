local ffi = require "ffi"
ffi.cdef "struct entry { uint32_t priority, slices; uint64_t ran; };"
return function(mem, len)
    local queue = ffi.cast("struct entry *", mem)
    local best, best_priority, best_ran = -1, 0, 0ULL
    for i = 0, len - 1 do
        local e = queue[i]
        if e.slices ~= 0 then
            local priority, ran = e.priority, e.ran
            if best < 0 or priority > best_priority or (priority == best_priority and ran < best_ran) then
                best, best_priority, best_ran = i, priority, ran
            end
        end
    end
    if best < 0 then return 0xffffffffffffffffULL end
    local slices = queue[best].slices - 1
    if slices == 0 then
        slices = 10
        queue[best].ran = best_ran + 1000
    end
    queue[best].slices = slices
    return best
end
