#pragma once
#include <stddef.h>

/// Sets the name of the calling thread (at most 15 bytes are used), which `ps -L` and debuggers show.
void cruntime_name_thread(const char *name);

/// Opens a file that exists only in memory, closed on exec; -1 with `errno` on failure.
int cruntime_memory_file(void);

/// Free bytes in the allocator.
size_t cruntime_idle_heap(void);

/// Returns idle pages of the heap to the system.
void cruntime_trim_heap(void);
