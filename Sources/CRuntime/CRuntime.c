#define _GNU_SOURCE
#include "CRuntime.h"

#include <malloc.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>

void cruntime_name_thread(const char *name) { prctl(PR_SET_NAME, name, 0, 0, 0); }

// On Linux, process 0 is the calling thread.
void cruntime_yield_thread(int niceness) { setpriority(PRIO_PROCESS, 0, niceness); }

int cruntime_memory_file(void) { return memfd_create("tribune", MFD_CLOEXEC); }

size_t cruntime_idle_heap(void) { return mallinfo2().fordblks; }

void cruntime_trim_heap(void) { malloc_trim(0); }
