internal import CWebServer
internal import Glibc

/// An epoll instance on which several threads wait. Every descriptor is reported once and must then be armed again, so
/// that one thread at a time handles it.
struct Poller: Equatable, Sendable {
    /// The events that a connection waits for.
    struct Events: OptionSet, Sendable {
        var rawValue: UInt32

        static let readable = Events(rawValue: cweb_readable)
        static let writable = Events(rawValue: cweb_writable)
        static let peerClosed = Events(rawValue: cweb_peer_closed)
        static let hungUp = Events(rawValue: cweb_hung_up)
        static let failed = Events(rawValue: cweb_failed)
    }

    enum Event: Sendable {
        /// A connection or a listener.
        case descriptor(Int32, Events)
        case wake
        case tick
        case stop
    }

    private static let wakeToken: UInt64 = 1 << 32
    private static let tickToken: UInt64 = 2 << 32
    private static let stopToken: UInt64 = 3 << 32

    private let poller: Int32
    private let wakeEvent: Int32
    private let stopEvent: Int32
    private let timer: Int32

    /// - Parameter tickMilliseconds: the interval of ``Event/tick``.
    /// - Returns: `nil`, with errno, if the system has no descriptors left.
    init?(tickMilliseconds: Int32) {
        poller = cweb_poller()
        wakeEvent = cweb_event()
        stopEvent = cweb_event()
        timer = cweb_timer(tickMilliseconds)
        let added = [
            cweb_poller_add(poller, wakeEvent, cweb_readable | cweb_edge_triggered, Self.wakeToken),
            // Stays readable, so that every thread sees it.
            cweb_poller_add(poller, stopEvent, cweb_readable, Self.stopToken),
            cweb_poller_add(poller, timer, cweb_readable | cweb_edge_triggered, Self.tickToken),
        ]
        guard added.allSatisfy({ $0 == 0 }) else {
            let reason = errno
            close()
            errno = reason
            return nil
        }
    }

    func close() {
        for descriptor in [timer, stopEvent, wakeEvent, poller] where descriptor >= 0 { Glibc.close(descriptor) }
    }

    func add(_ descriptor: Int32, _ events: Events) -> Bool {
        cweb_poller_add(poller, descriptor, events.rawValue | cweb_one_shot, UInt64(descriptor)) == 0
    }

    func arm(_ descriptor: Int32, _ events: Events) {
        // Fails only for a closed descriptor, which its owner excludes.
        _ = cweb_poller_modify(poller, descriptor, events.rawValue | cweb_one_shot, UInt64(descriptor))
    }

    func remove(_ descriptor: Int32) {
        cweb_poller_remove(poller, descriptor)
    }

    /// Sends ``Event/wake`` to one waiting thread.
    func wake() {
        cweb_event_signal(wakeEvent)
    }

    /// Sends ``Event/stop`` to every thread, now and later.
    func stop() {
        cweb_event_signal(stopEvent)
    }

    /// Waits for the next event.
    func next() -> Event {
        var events: UInt32 = 0
        var token: UInt64 = 0
        guard unsafe cweb_poller_wait(poller, &events, &token) == 1 else { return .stop }
        switch token {
        case Self.wakeToken: return .wake
        case Self.tickToken:
            cweb_timer_read(timer)
            return .tick
        case Self.stopToken: return .stop
        default: return .descriptor(Int32(truncatingIfNeeded: token), Events(rawValue: events))
        }
    }
}
