#define _GNU_SOURCE
#include "CRuntime.h"

#include <sys/mman.h>
#include <sys/prctl.h>

void cruntime_name_thread(const char *name) { prctl(PR_SET_NAME, name, 0, 0, 0); }

int cruntime_memory_file(void) { return memfd_create("tribune", MFD_CLOEXEC); }
