internal import Glibc
internal import Runtime

/// A socket for datagrams to one receiver, over UDP or a Unix socket. Belongs to one thread. Obeys the
/// ``OutgoingPolicy``.
public final class DatagramSocket {
    private let descriptor: Int32

    /// A socket for UDP. The name is resolved, which may block.
    public init(host: String, port: Int) throws(HTTPFailure) {
        var hints = unsafe addrinfo()
        unsafe hints.ai_socktype = Int32(SOCK_DGRAM.rawValue)
        unsafe hints.ai_flags = Int32(AI_NUMERICSERV)
        var list: UnsafeMutablePointer<addrinfo>?
        let code = unsafe getaddrinfo(host, "\(port)", &hints, &list)
        guard code == 0 else {
            throw HTTPFailure(.resolve, "\(host): \(unsafe String(cString: gai_strerror(code)))")
        }
        defer { unsafe freeaddrinfo(list) }
        var last = HTTPFailure(.resolve, "\(host) has no address")
        var next = unsafe list
        while let address = unsafe next {
            unsafe next = unsafe address.pointee.ai_next
            if let refused = unsafe Self.refusal(of: address.pointee) {
                last = refused
                continue
            }
            let descriptor = unsafe socket(
                address.pointee.ai_family, Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
            if descriptor >= 0,
                unsafe connect(descriptor, address.pointee.ai_addr, address.pointee.ai_addrlen) == 0
            {
                self.descriptor = descriptor
                return
            }
            last = HTTPFailure(.connect, "cannot send to \(host):\(port): \(SystemError.current)")
            if descriptor >= 0 { close(descriptor) }
        }
        throw last
    }

    /// A socket for the Unix socket at `path`; `nil` if that one is for streams.
    public init?(path: String) throws(HTTPFailure) {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        guard path.utf8.count < MemoryLayout.size(ofValue: address.sun_path) else {
            throw HTTPFailure(.badURL, "the path of the socket is too long: \(path)")
        }
        unsafe withUnsafeMutableBytes(of: &address.sun_path) { unsafe $0.copyBytes(from: path.utf8) }
        let descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { throw HTTPFailure(.connect, "cannot open a socket: \(SystemError.current)") }
        let code = unsafe withUnsafePointer(to: &address) {
            unsafe $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        guard code == 0 else {
            let fault = errno
            close(descriptor)
            if fault == EPROTOTYPE { return nil }
            throw HTTPFailure(.connect, "cannot send to \(path): \(SystemError.text(fault))")
        }
        self.descriptor = descriptor
    }

    deinit {
        close(descriptor)
    }

    /// Sends one datagram. Waits up to `milliseconds` for room in the queue of a Unix socket.
    ///
    /// - Returns: false if the datagram is too long for the transport.
    public func send(_ bytes: [UInt8], milliseconds: Int64) throws(HTTPFailure) -> Bool {
        let deadline = SystemClock.monotonicNanoseconds() + milliseconds * 1_000_000
        while true {
            let count = unsafe bytes.withUnsafeBytes {
                unsafe Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT))
            }
            if count >= 0 { return true }
            switch errno {
            case EINTR: continue
            case EMSGSIZE: return false
            case EAGAIN, ENOBUFS:
                let left = (deadline - SystemClock.monotonicNanoseconds()) / 1_000_000
                var request = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
                guard left > 0, unsafe poll(&request, 1, Int32(clamping: left)) > 0 else {
                    throw HTTPFailure(.timeout, "the receiver does not read")
                }
            default: throw HTTPFailure(.connect, "cannot send: \(SystemError.current)")
            }
        }
    }

    /// Why the policy forbids the address.
    private static func refusal(of address: addrinfo) -> HTTPFailure? {
        var text = [CChar](repeating: 0, count: 64)
        unsafe getnameinfo(
            address.ai_addr, address.ai_addrlen, &text, socklen_t(text.count), nil, 0, Int32(NI_NUMERICHOST))
        let name = String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        return OutgoingPolicy.ofProcess.refusal(
            of: OutgoingPolicy.Connection(address: name, isEncrypted: false, redirectedFrom: nil)
        ).map { HTTPFailure(.refused, $0) }
    }
}
