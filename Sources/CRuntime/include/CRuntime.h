#pragma once
#include <stddef.h>

/// Gives the calling thread a name (at most 15 bytes are kept) that `ps -L` and debuggers show.
void cruntime_name_thread(const char *name);

/// Opens a file that exists only in memory, closed on exec; -1 with `errno` where the system refuses.
int cruntime_memory_file(void);

/// Bytes that the allocator holds and nobody uses.
size_t cruntime_idle_heap(void);

/// Gives whole idle pages of the heap back to the system.
void cruntime_trim_heap(void);
