return function(mem, len)
    local primes = 0
    for i = 0, len - 1 do mem[i] = 1 end
    for i = 2, len - 1 do
        if mem[i] ~= 0 then
            primes = primes + 1
            for j = i * i, len - 1, i do mem[j] = 0 end
        end
    end
    return primes
end
