internal import Glibc

/// A lock for many readers or one writer. A waiting writer goes before new readers, so that queries cannot starve new
/// series.
///
/// The state is behind a pointer, so that readers borrow it in place. A variable of the class would be copied for each
/// reader, with a reference count for each of its arrays.
/// `@unchecked`: `state` is accessed only under `lock`.
@safe final class Guarded<State>: @unchecked Sendable {
    private let state: UnsafeMutablePointer<State>
    private let lock: UnsafeMutablePointer<pthread_rwlock_t>

    init(_ state: State) {
        unsafe self.state = .allocate(capacity: 1)
        unsafe self.state.initialize(to: state)
        unsafe lock = .allocate(capacity: 1)
        var attributes = pthread_rwlockattr_t()
        unsafe pthread_rwlockattr_init(&attributes)
        let writersFirst = Int32(PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP)
        unsafe pthread_rwlockattr_setkind_np(&attributes, writersFirst)
        unsafe pthread_rwlock_init(lock, &attributes)
        unsafe pthread_rwlockattr_destroy(&attributes)
    }

    deinit {
        unsafe pthread_rwlock_destroy(lock)
        unsafe lock.deallocate()
        unsafe state.deinitialize(count: 1)
        unsafe state.deallocate()
    }

    /// Runs `body` concurrently with other readers.
    func read<Result, Failure: Error>(_ body: (borrowing State) throws(Failure) -> Result) throws(Failure) -> Result {
        unsafe pthread_rwlock_rdlock(lock)
        defer { unsafe pthread_rwlock_unlock(lock) }
        return try unsafe body(state.pointee)
    }

    /// Runs `body` exclusively.
    func write<Result, Failure: Error>(_ body: (inout State) throws(Failure) -> Result) throws(Failure) -> Result {
        unsafe pthread_rwlock_wrlock(lock)
        defer { unsafe pthread_rwlock_unlock(lock) }
        return try unsafe body(&state.pointee)
    }

    /// Runs `body` exclusively; returns `nil` instead of waiting.
    func writeIfFree<Result, Failure: Error>(
        _ body: (inout State) throws(Failure) -> Result
    ) throws(Failure) -> Result? {
        guard unsafe pthread_rwlock_trywrlock(lock) == 0 else { return nil }
        defer { unsafe pthread_rwlock_unlock(lock) }
        return try unsafe body(&state.pointee)
    }
}
