#include "internal.h"

#include <stdlib.h>

typedef struct ubpf_vm ubpf_vm;

// The functions of the library that are used, in the order of `names`.
struct peer_ubpf {
    ubpf_vm *(*create)(void);
    void (*destroy)(ubpf_vm *);
    int (*load)(ubpf_vm *, const void *code, uint32_t size, char **error);
    peer_kernel (*compile)(ubpf_vm *, char **error);
    int (*translate)(ubpf_vm *, uint8_t *buffer, size_t *size, char **error);
};

static const char *const names[] = {
    "ubpf_create", "ubpf_destroy", "ubpf_load", "ubpf_compile", "ubpf_translate",
};

peer_ubpf *peer_ubpf_open(const char *library) {
    peer_ubpf *ubpf = calloc(1, sizeof *ubpf);
    if (ubpf && load_symbols(library, names, (void **)ubpf, sizeof names / sizeof *names)) return ubpf;
    free(ubpf);
    return NULL;
}

void *peer_ubpf_load(const peer_ubpf *ubpf, const void *code, size_t size, peer_kernel *kernel) {
    char *error = NULL;
    ubpf_vm *machine = ubpf->create();
    if (machine && ubpf->load(machine, code, (uint32_t)size, &error) == 0) {
        *kernel = ubpf->compile(machine, &error);
        if (*kernel) return machine;
    }
    fail("uBPF: %s", error ? error : "no machine");
    free(error);
    if (machine) ubpf->destroy(machine);
    return NULL;
}

size_t peer_ubpf_size(const peer_ubpf *ubpf, void *machine) {
    size_t size = 1 << 20;
    uint8_t *buffer = malloc(size);
    char *error = NULL;
    if (!buffer || ubpf->translate(machine, buffer, &size, &error) != 0) size = 0;
    free(error);
    free(buffer);
    return size;
}

void peer_ubpf_unload(const peer_ubpf *ubpf, void *machine) { ubpf->destroy(machine); }
