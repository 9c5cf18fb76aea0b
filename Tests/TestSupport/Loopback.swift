import Glibc
import Runtime
import Synchronization

/// Things tests need to run real servers on loopback.
public enum Loopback {
    /// The next port to try. Runs of the tests that overlap begin at different places.
    private static let candidate = Atomic<Int>(Int(getpid()) &* 61)

    /// An unused TCP port of 127.0.0.1, returned only once.
    ///
    /// It lies below the range from which the system takes ports for connections and for `bind(0)`, so that no other
    /// test takes it before the server that it is meant for has bound it, or while that server is restarted.
    public static func freePort() -> Int {
        for _ in 0..<15_000 {
            let port = 15_000 + candidate.wrappingAdd(1, ordering: .relaxed).newValue % 15_000
            if canBind(port: port) { return port }
        }
        return 0
    }

    private static func canBind(port: Int) -> Bool {
        let socket = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(socket) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(UInt16(port)).bigEndian
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        return withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(socket, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        }
    }

    /// Whether something accepts connections on `port` of 127.0.0.1.
    public static func accepts(port: Int) -> Bool {
        let socket = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(socket) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(UInt16(port)).bigEndian
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        return withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(socket, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        }
    }

    /// Asks `condition` every few milliseconds until it holds or `seconds` have passed. Returns whether it held.
    /// The limit is for a machine with many times more work than cores: a test that passes never waits for it.
    public static func eventually(within seconds: Int64 = 90, _ condition: () throws -> Bool) rethrows -> Bool {
        let deadline = SystemClock.monotonicNanoseconds() + seconds * 1_000_000_000
        while SystemClock.monotonicNanoseconds() < deadline {
            if try condition() { return true }
            usleep(5000)
        }
        return try condition()
    }
}
