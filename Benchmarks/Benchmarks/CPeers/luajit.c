#include "internal.h"

#include <stdlib.h>

typedef struct lua_State lua_State;
enum { REGISTRY = -10000 };  // LUA_REGISTRYINDEX of Lua 5.1

// The functions of the library that are used, in the order of `names`.
struct functions {
    lua_State *(*newstate)(void);
    void (*openlibs)(lua_State *);
    void (*close)(lua_State *);
    int (*loadbuffer)(lua_State *, const char *source, size_t size, const char *name);
    int (*pcall)(lua_State *, int arguments, int results, int handler);
    void (*call)(lua_State *, int arguments, int results);
    void (*pushlightuserdata)(lua_State *, void *);
    void (*pushinteger)(lua_State *, ptrdiff_t);
    void (*rawgeti)(lua_State *, int index, int key);
    int (*ref)(lua_State *, int index);
    const char *(*tolstring)(lua_State *, int index, size_t *size);
};

static const char *const names[] = {
    "luaL_newstate", "luaL_openlibs", "lua_close", "luaL_loadbuffer", "lua_pcall", "lua_call",
    "lua_pushlightuserdata", "lua_pushinteger", "lua_rawgeti", "luaL_ref", "lua_tolstring",
};

struct peer_lua {
    struct functions f;
    lua_State *state;
    int kernel;  // a reference in the registry
    uint64_t result;
};

// Makes of a kernel a function of its length, which leaves the result, a number or a 64-bit integer, in memory.
static const char wrapper[] =
    "local kernel, memory, result = ...\n"
    "local ffi = require 'ffi'\n"
    "memory = ffi.cast('uint8_t *', memory)\n"
    "result = ffi.cast('uint64_t *', result)\n"
    "return function(length) result[0] = kernel(memory, length) end\n";

static bool prepare(peer_lua *lua, const char *source, size_t size, uint8_t *memory) {
    const struct functions *f = &lua->f;
    if (f->loadbuffer(lua->state, wrapper, sizeof wrapper - 1, "wrapper")
        || f->loadbuffer(lua->state, source, size, "kernel") || f->pcall(lua->state, 0, 1, 0)) {
        return false;
    }
    f->pushlightuserdata(lua->state, memory);
    f->pushlightuserdata(lua->state, &lua->result);
    if (f->pcall(lua->state, 3, 1, 0)) return false;
    lua->kernel = f->ref(lua->state, REGISTRY);
    return true;
}

peer_lua *peer_lua_open(const char *library, const char *source, size_t size, uint8_t *memory) {
    peer_lua *lua = calloc(1, sizeof *lua);
    if (!lua || !load_symbols(library, names, (void **)&lua->f, sizeof names / sizeof *names)) {
        free(lua);
        return NULL;
    }
    lua->state = lua->f.newstate();
    lua->f.openlibs(lua->state);
    if (prepare(lua, source, size, memory)) return lua;
    const char *message = lua->f.tolstring(lua->state, -1, NULL);
    fail("LuaJIT: %s", message ? message : "failed");
    peer_lua_close(lua);
    return NULL;
}

bool peer_lua_call(peer_lua *lua, uint64_t length, uint64_t count, uint64_t *result) {
    while (count-- > 0) {
        lua->f.rawgeti(lua->state, REGISTRY, lua->kernel);
        lua->f.pushinteger(lua->state, (ptrdiff_t)length);
        // Not protected, which would cost more: kernels raise no errors.
        lua->f.call(lua->state, 1, 0);
    }
    *result = lua->result;
    return true;
}

void peer_lua_close(peer_lua *lua) {
    lua->f.close(lua->state);
    free(lua);
}
