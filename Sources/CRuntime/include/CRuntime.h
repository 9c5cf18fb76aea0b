#pragma once

/// Gives the calling thread a name (at most 15 bytes are kept) that `ps -L` and debuggers show.
void cruntime_name_thread(const char *name);
