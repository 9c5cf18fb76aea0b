internal import Glibc

/// Opens the TCP socket on which a server listens, with precise errors.
enum ListeningSocket {
    /// A bound, listening, non-blocking socket and its port.
    static func open(address: String, port: Int) throws(HTTPServerError) -> (descriptor: Int32, port: Int) {
        if !address.isEmpty { return try open(host: address, port: port, dualStack: false) }
        do {
            return try open(host: "::", port: port, dualStack: true)
        } catch {
            // A machine without IPv6 still has IPv4.
            guard error.code == .badAddress || error.code == .system else { throw error }
            return try open(host: "0.0.0.0", port: port, dualStack: false)
        }
    }

    private static func open(
        host: String, port: Int, dualStack: Bool
    ) throws(HTTPServerError) -> (descriptor: Int32, port: Int) {
        let wanted = host.utf8.contains(UInt8(ascii: ":")) ? "[\(host)]:\(port)" : "\(host):\(port)"
        guard (0...65535).contains(port) else {
            throw HTTPServerError(code: .badAddress, listenAddress: wanted, reason: "port out of range")
        }
        var hints = unsafe addrinfo()
        unsafe hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV
        unsafe hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var list: UnsafeMutablePointer<addrinfo>?
        let code = unsafe getaddrinfo(host, "\(port)", &hints, &list)
        guard code == 0, let first = unsafe list else {
            throw HTTPServerError(
                code: .badAddress, listenAddress: wanted, reason: unsafe String(cString: gai_strerror(code)))
        }
        defer { unsafe freeaddrinfo(list) }
        let type = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
        let descriptor = unsafe socket(first.pointee.ai_family, type, 0)
        guard descriptor >= 0 else { throw failure(wanted) }
        set(SO_REUSEADDR, SOL_SOCKET, to: 1, on: descriptor)
        if unsafe first.pointee.ai_family == AF_INET6 {
            set(IPV6_V6ONLY, Int32(IPPROTO_IPV6), to: dualStack ? 0 : 1, on: descriptor)
        }
        guard unsafe bind(descriptor, first.pointee.ai_addr, first.pointee.ai_addrlen) == 0,
            listen(descriptor, SOMAXCONN) == 0
        else {
            let failure = failure(wanted)
            close(descriptor)
            throw failure
        }
        return (descriptor, boundPort(of: descriptor))
    }

    private static func set(_ option: Int32, _ level: Int32, to value: Int32, on descriptor: Int32) {
        var value = value
        // If the option fails, the socket still works, or bind reports the error.
        _ = unsafe setsockopt(descriptor, level, option, &value, socklen_t(MemoryLayout<Int32>.size))
    }

    /// The port of a TCP socket; 0 for another kind.
    static func boundPort(of descriptor: Int32) -> Int {
        var storage = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        return unsafe withUnsafeMutablePointer(to: &storage) { storage in
            unsafe storage.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                _ = unsafe getsockname(descriptor, $0, &length)
            }
            guard unsafe storage.pointee.ss_family != AF_UNIX else { return 0 }
            // Both address families have the port at the same offset.
            return unsafe storage.withMemoryRebound(to: sockaddr_in.self, capacity: 1) {
                unsafe Int(UInt16(bigEndian: $0.pointee.sin_port))
            }
        }
    }

    /// The error in errno about listening on `wanted`.
    static func failure(_ wanted: String) -> HTTPServerError {
        let number = errno
        let code: HTTPServerError.Code =
            switch number {
            case EADDRINUSE: .addressInUse
            case EACCES, EPERM: .permissionDenied
            case EADDRNOTAVAIL, EAFNOSUPPORT: .badAddress
            default: .system
            }
        return HTTPServerError(code: code, listenAddress: wanted, reason: unsafe String(cString: strerror(number)))
    }
}
