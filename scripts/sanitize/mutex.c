// Tells ThreadSanitizer what the standard library's Mutex does when it is contended.
//
// Mutex takes and gives back a free lock in code that the compiler puts into the caller, where the sanitizer sees it. A lock that
// another thread holds is waited for, taken and handed on by the kernel, on behalf of `_lockSlow`, `_tryLockSlow` and `_unlockSlow` in
// libswiftSynchronization, which is not instrumented: whatever such a lock guards looks like a race. This library, loaded
// before that one, calls the real functions and says what was acquired or released. Nothing is suppressed: what two threads touch
// without the lock is reported as ever.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdint.h>
#include <stdlib.h>

// Of the sanitizer, in the program; not there in other programs that inherit the environment.
__attribute__((weak)) void __tsan_acquire(void *address);
__attribute__((weak)) void __tsan_release(void *address);

#define LOCK_SLOW "$s15Synchronization12_MutexHandleV9_lockSlowyys6UInt32VF"
#define TRY_LOCK_SLOW "$s15Synchronization12_MutexHandleV12_tryLockSlowSbyF"
#define UNLOCK_SLOW "$s15Synchronization12_MutexHandleV11_unlockSlowyyF"

typedef __attribute__((swiftcall)) void LockSlow(uint32_t state, __attribute__((swift_context)) void *handle);
typedef __attribute__((swiftcall)) _Bool TryLockSlow(__attribute__((swift_context)) void *handle);
typedef __attribute__((swiftcall)) void UnlockSlow(__attribute__((swift_context)) void *handle);

static void *real(const char *name) {
    void *found = dlsym(RTLD_NEXT, name);
    if (!found) abort();
    return found;
}

__attribute__((swiftcall)) void lockSlow(uint32_t state, __attribute__((swift_context)) void *handle)
    __asm__(LOCK_SLOW);
__attribute__((swiftcall)) void lockSlow(uint32_t state, __attribute__((swift_context)) void *handle) {
    static LockSlow *next;
    LockSlow *call = __atomic_load_n(&next, __ATOMIC_RELAXED);
    if (!call) {
        call = (LockSlow *)real(LOCK_SLOW);
        __atomic_store_n(&next, call, __ATOMIC_RELAXED);
    }
    call(state, handle);
    if (__tsan_acquire) __tsan_acquire(handle);
}

__attribute__((swiftcall)) _Bool tryLockSlow(__attribute__((swift_context)) void *handle) __asm__(TRY_LOCK_SLOW);
__attribute__((swiftcall)) _Bool tryLockSlow(__attribute__((swift_context)) void *handle) {
    static TryLockSlow *next;
    TryLockSlow *call = __atomic_load_n(&next, __ATOMIC_RELAXED);
    if (!call) {
        call = (TryLockSlow *)real(TRY_LOCK_SLOW);
        __atomic_store_n(&next, call, __ATOMIC_RELAXED);
    }
    _Bool isTaken = call(handle);
    if (isTaken && __tsan_acquire) __tsan_acquire(handle);
    return isTaken;
}

__attribute__((swiftcall)) void unlockSlow(__attribute__((swift_context)) void *handle) __asm__(UNLOCK_SLOW);
__attribute__((swiftcall)) void unlockSlow(__attribute__((swift_context)) void *handle) {
    static UnlockSlow *next;
    UnlockSlow *call = __atomic_load_n(&next, __ATOMIC_RELAXED);
    if (!call) {
        call = (UnlockSlow *)real(UNLOCK_SLOW);
        __atomic_store_n(&next, call, __ATOMIC_RELAXED);
    }
    if (__tsan_release) __tsan_release(handle);
    call(handle);
}
