internal import Glibc

/// The machine's clocks.
public enum SystemClock {
    /// Milliseconds since the Unix epoch.
    public static func wallMilliseconds() -> Int64 {
        let now = time(CLOCK_REALTIME)
        return Int64(now.tv_sec) * 1000 + Int64(now.tv_nsec) / 1_000_000
    }

    /// Nanoseconds since the Unix epoch.
    public static func wallNanoseconds() -> Int64 {
        let now = time(CLOCK_REALTIME)
        return Int64(now.tv_sec) * 1_000_000_000 + Int64(now.tv_nsec)
    }

    /// Nanoseconds since an arbitrary time. Never jumps.
    public static func monotonicNanoseconds() -> Int64 {
        let now = time(CLOCK_MONOTONIC)
        return Int64(now.tv_sec) * 1_000_000_000 + Int64(now.tv_nsec)
    }

    /// Nanoseconds of processor time of the calling thread. A system call.
    public static func threadNanoseconds() -> Int64 {
        let used = time(CLOCK_THREAD_CPUTIME_ID)
        return Int64(used.tv_sec) * 1_000_000_000 + Int64(used.tv_nsec)
    }

    /// Nanoseconds since an arbitrary time. Never jumps, and continues while the machine is suspended.
    public static func bootNanoseconds() -> Int64 {
        let now = time(CLOCK_BOOTTIME)
        return Int64(now.tv_sec) * 1_000_000_000 + Int64(now.tv_nsec)
    }

    /// The monotonic clock, in nanoseconds, after `milliseconds` from now. Saturates at 64 bits.
    public static func monotonicNanoseconds(in milliseconds: Int64) -> Int64 {
        let (span, isTooLong) = milliseconds.multipliedReportingOverflow(by: 1_000_000)
        let (moment, isTooLate) = monotonicNanoseconds().addingReportingOverflow(span)
        return isTooLong || isTooLate ? (milliseconds < 0 ? .min : .max) : moment
    }

    private static func time(_ clock: clockid_t) -> timespec {
        var now = timespec()
        unsafe clock_gettime(clock, &now)
        return now
    }
}
