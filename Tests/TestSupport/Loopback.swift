import Glibc
import Runtime

/// Things tests need to run real servers on loopback.
public enum Loopback {
    /// A TCP port of 127.0.0.1 that was free a moment ago.
    public static func freePort() -> Int {
        let socket = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(socket) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        return withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
                guard bind(socket, generic, length) == 0, getsockname(socket, generic, &length) == 0 else { return 0 }
                return pointer.withMemoryRebound(to: sockaddr_in.self, capacity: 1) {
                    Int(UInt16(bigEndian: $0.pointee.sin_port))
                }
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
    public static func eventually(within seconds: Int64 = 10, _ condition: () throws -> Bool) rethrows -> Bool {
        let deadline = SystemClock.monotonicNanoseconds() + seconds * 1_000_000_000
        while SystemClock.monotonicNanoseconds() < deadline {
            if try condition() { return true }
            usleep(5000)
        }
        return try condition()
    }
}
