internal import Glibc

/// Locks of whole files (`flock`), which keep other processes away.
public enum FileLock {
    /// Takes the lock of an open file; `false` if another process has it, or locking is not possible.
    public static func take(_ descriptor: Int32) -> Bool {
        flock(descriptor, LOCK_EX | LOCK_NB) == 0
    }

    /// Gives the lock back and closes the file. Closing alone would leave it locked for as long as a child that is just
    /// being started has a copy of the descriptor.
    public static func close(_ descriptor: Int32) {
        flock(descriptor, LOCK_UN)
        Glibc.close(descriptor)
    }
}
