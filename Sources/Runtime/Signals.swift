internal import Glibc

/// Signals as messages: blocked in every thread, and waited for by one thread.
public enum Signals {
    /// Blocks `numbers` in the calling thread and all threads that it starts later, and ignores SIGPIPE. Call it before
    /// anything else.
    public static func block(_ numbers: [Int32]) {
        // A client that disconnects must not end the process; every write returns an error for it.
        signal(SIGPIPE, SIG_IGN)
        var set = Self.set(numbers)
        unsafe pthread_sigmask(SIG_BLOCK, &set, nil)
    }

    /// Waits until one of the blocked `numbers` arrives, at most `milliseconds` if given. `nil` if none arrived.
    public static func wait(for numbers: [Int32], milliseconds: Int64? = nil) -> Int32? {
        var set = Self.set(numbers)
        while true {
            let result: Int32
            if let milliseconds {
                var limit = timespec(
                    tv_sec: Int(milliseconds / 1000), tv_nsec: Int(milliseconds % 1000) * 1_000_000)
                result = unsafe sigtimedwait(&set, nil, &limit)
            } else {
                result = unsafe sigwaitinfo(&set, nil)
            }
            if result > 0 { return result }
            if errno != EINTR { return nil }
        }
    }

    private static func set(_ numbers: [Int32]) -> sigset_t {
        var set = sigset_t()
        unsafe sigemptyset(&set)
        for number in numbers { unsafe sigaddset(&set, number) }
        return set
    }
}
