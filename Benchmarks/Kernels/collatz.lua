return function(mem, len)
    local steps = 0
    for n = 1, len do
        local x = n
        while x ~= 1 do
            if x % 2 ~= 0 then x = 3 * x + 1 else x = x / 2 end
            steps = steps + 1
        end
    end
    return steps
end
