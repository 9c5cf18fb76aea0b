internal import Glibc

/// Locks of whole files (`flock`) against other processes.
public enum FileLock {
    /// Locks an open file. Returns `false` if another process has the lock, or if locking is not possible.
    public static func take(_ descriptor: Int32) -> Bool {
        flock(descriptor, LOCK_EX | LOCK_NB) == 0
    }

    /// Unlocks and closes the file. Closing alone would leave it locked while a child process that is being started has
    /// a copy of the descriptor.
    public static func close(_ descriptor: Int32) {
        flock(descriptor, LOCK_UN)
        Glibc.close(descriptor)
    }
}
