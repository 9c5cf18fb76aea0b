#pragma once
#include <stddef.h>
#include <stdint.h>

/// Sets the name of the calling thread (at most 15 bytes are used), which `ps -L` and debuggers show.
void cruntime_name_thread(const char *name);
/// Makes the calling thread yield to others, as nice(1) does for a process; 1 to 19.
void cruntime_yield_thread(int niceness);

/// Opens a file that exists only in memory, closed on exec; -1 with `errno` on failure.
int cruntime_memory_file(void);

/// Free bytes in the allocator.
size_t cruntime_idle_heap(void);

/// Returns idle pages of the heap to the system.
void cruntime_trim_heap(void);

/// The CRC-32C (polynomial 0x1EDC6F41, reflected) of `count` bytes after bytes whose CRC-32C is `previous`. Uses the
/// processor's instruction where there is one.
uint32_t cruntime_crc32c(uint32_t previous, const uint8_t *bytes, size_t count);

/// The same without the processor's instruction.
uint32_t cruntime_crc32c_portable(uint32_t previous, const uint8_t *bytes, size_t count);
