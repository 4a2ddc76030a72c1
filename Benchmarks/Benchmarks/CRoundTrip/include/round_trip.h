// A scheduler in a process of its own, which is asked for each decision: what downloading code avoids.
#ifndef ROUND_TRIP_H
#define ROUND_TRIP_H

#include <stdint.h>

// How the two processes talk: two pipes, or a shared word and futex(2).
enum peer_kind { PEER_PIPE, PEER_FUTEX };

typedef struct peer peer;

// Starts the other process, on whatever processor the system likes, or on the caller's own when `same_processor` is not
// 0. It takes turns among `environments` environments. NULL when the system has no process, pipe or memory for it.
peer *peer_start(enum peer_kind kind, uint64_t environments, int same_processor);

// Asks for a decision. Returns the environment that was chosen; 0: the other process has gone.
uint64_t peer_decide(peer *peer);

// Ends the other process.
void peer_stop(peer *peer);

// Resident memory of this process in bytes; 0: not known.
uint64_t resident_memory(void);

// How much of a mapping of so many KiB is resident, in bytes; 0: there is no such mapping.
uint64_t resident_pages(uint64_t kibibytes);

// A function that nobody can inline, to compare calls with: the sum of two words.
typedef uint64_t (*two_words)(uint64_t, uint64_t);
two_words native_function(void);

#endif
