internal import Glibc
internal import Synchronization

/// Signals threads to end, including those that wait for a descriptor. May be shared between threads.
///
/// `@unchecked`: the descriptors never change after `init`; a pipe may be used by several threads.
public final class StopSignal: @unchecked Sendable {
    /// Why a wait ended.
    public enum Wake: Sendable {
        case stopped
        /// The other descriptor is readable.
        case readable
        case timedOut
    }

    private let raised = Atomic(false)
    private let reader: Int32
    private let writer: Int32

    /// A signal that is not raised. If no descriptors are free, waits detect it within a second.
    public init() {
        var ends: [Int32] = [-1, -1]
        if unsafe pipe(&ends) == 0 {
            for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        }
        (reader, writer) = (ends[0], ends[1])
    }

    deinit {
        for end in [reader, writer] where end >= 0 { close(end) }
    }

    /// Whether ``raise()`` was called.
    public var isRaised: Bool { raised.load(ordering: .acquiring) }

    /// Ends all present and future waits.
    public func raise() {
        guard !raised.exchange(true, ordering: .acquiringAndReleasing), writer >= 0 else { return }
        var byte: UInt8 = 1
        _ = unsafe write(writer, &byte, 1)
    }

    /// Waits until the signal is raised, `descriptor` is readable, or `milliseconds` have passed.
    public func wait(milliseconds: Int64, reading descriptor: Int32 = -1) -> Wake {
        let step = reader < 0 ? min(milliseconds, 1000) : milliseconds
        var waited: [pollfd] = [
            pollfd(fd: reader, events: Int16(POLLIN), revents: 0),
            pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0),
        ]
        _ = unsafe poll(&waited, 2, Int32(clamping: max(0, step)))
        if isRaised { return .stopped }
        return waited[1].revents != 0 ? .readable : .timedOut
    }
}
