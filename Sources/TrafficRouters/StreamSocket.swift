internal import Glibc
internal import Rollback
internal import Runtime

/// A connection to a Unix socket or an IP address, for one text request and its response. Every call ends by the
/// deadline.
struct StreamSocket: ~Copyable {
    private let descriptor: Int32
    private let deadline: Int64

    /// The maximum length of a response.
    private static let answerLimit = 16 << 20

    /// Connects to `/path` or `IP:port`. Host names are not supported, because resolving one can hang.
    init(connectingTo address: String, deadline: Int64) throws(RouterError) {
        self.deadline = deadline
        let isPath = address.hasPrefix("/")
        descriptor = socket(
            isPath ? AF_UNIX : address.hasPrefix("[") ? AF_INET6 : AF_INET,
            Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue), 0)
        guard descriptor >= 0 else { throw Self.systemError("cannot open a socket") }
        let code = isPath ? try connect(path: address) : try connect(endpoint: address)
        if code == 0 { return }
        guard errno == EINPROGRESS || errno == EAGAIN else { throw Self.systemError("cannot connect to \(address)") }
        try wait(for: Int16(POLLOUT))
        var fault: Int32 = 0
        var size = socklen_t(MemoryLayout<Int32>.size)
        guard unsafe getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &fault, &size) == 0, fault == 0 else {
            errno = fault
            throw Self.systemError("cannot connect to \(address)")
        }
    }

    deinit {
        close(descriptor)
    }

    /// Sends `text` and returns everything until the peer closes the connection.
    func exchange(_ text: String) throws(RouterError) -> String {
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            let count = unsafe rest.withUnsafeBytes {
                unsafe send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            if count > 0 {
                rest = rest.dropFirst(count)
            } else if errno == EAGAIN {
                try wait(for: Int16(POLLOUT))
            } else if errno != EINTR {
                throw Self.systemError("cannot send")
            }
        }
        var answer: [UInt8] = []
        var block = [UInt8](repeating: 0, count: 1 << 14)
        while true {
            let count = unsafe block.withUnsafeMutableBytes { unsafe recv(descriptor, $0.baseAddress, $0.count, 0) }
            if count == 0 { return String(decoding: answer, as: UTF8.self) }
            if count > 0 {
                answer += block[..<count]
                if answer.count > Self.answerLimit { throw RouterError("the response is too long") }
            } else if errno == EAGAIN {
                try wait(for: Int16(POLLIN))
            } else if errno != EINTR {
                throw Self.systemError("cannot receive")
            }
        }
    }

    private func connect(path: String) throws(RouterError) -> Int32 {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let capacity = MemoryLayout.size(ofValue: address.sun_path) - 1
        guard path.utf8.count <= capacity else { throw RouterError("the path of the socket is too long: \(path)") }
        unsafe withUnsafeMutableBytes(of: &address.sun_path) { unsafe $0.copyBytes(from: path.utf8) }
        return unsafe withUnsafePointer(to: &address) {
            unsafe $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe Glibc.connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
    }

    private func connect(endpoint: String) throws(RouterError) -> Int32 {
        guard let colon = endpoint.lastIndex(of: ":"), let port = UInt16(endpoint[endpoint.index(after: colon)...])
        else {
            throw RouterError("not an address: \(endpoint)")
        }
        let host = endpoint[..<colon]
        if host.hasPrefix("["), host.hasSuffix("]") {
            var address = sockaddr_in6()
            address.sin6_family = sa_family_t(AF_INET6)
            address.sin6_port = port.bigEndian
            guard unsafe inet_pton(AF_INET6, String(host.dropFirst().dropLast()), &address.sin6_addr) == 1 else {
                throw RouterError("not an IP address: \(host)")
            }
            return unsafe withUnsafePointer(to: &address) {
                unsafe $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    unsafe Glibc.connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in6>.size))
                }
            }
        }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        guard unsafe inet_pton(AF_INET, String(host), &address.sin_addr) == 1 else {
            throw RouterError("not an IP address: \(host)")
        }
        return unsafe withUnsafePointer(to: &address) {
            unsafe $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe Glibc.connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
    }

    private func wait(for events: Int16) throws(RouterError) {
        var request = pollfd(fd: descriptor, events: events, revents: 0)
        while true {
            let left = (deadline - SystemClock.monotonicNanoseconds() + 999_999) / 1_000_000
            guard left > 0 else { throw RouterError("no response in time") }
            let code = unsafe poll(&request, 1, Int32(clamping: left))
            if code > 0 { return }
            if code < 0, errno != EINTR { throw Self.systemError("cannot wait") }
        }
    }

    private static func systemError(_ what: String) -> RouterError {
        RouterError("\(what): \(SystemError.current)")
    }
}
