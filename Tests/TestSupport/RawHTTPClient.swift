import Glibc

/// A TCP connection that sends given bytes and reads responses, so that tests see the bytes on the wire.
public final class RawHTTPClient {
    /// One answer.
    public struct Answer {
        /// The status code.
        public var status: Int
        /// Status line and headers.
        public var head: String
        /// The body as sent.
        public var body: [UInt8]

        /// The body as text.
        public var text: String { String(decoding: body, as: UTF8.self) }

        /// The value of a header.
        public func header(_ name: String) -> String? {
            head.split(separator: "\r\n").first { $0.lowercased().hasPrefix(name.lowercased() + ":") }.map {
                String($0.dropFirst(name.count + 1).drop { $0 == " " })
            }
        }
    }

    private var descriptor: Int32
    private var buffer: [UInt8] = []

    /// Connects to a port of this machine.
    public init(port: Int) {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = UInt16(port).bigEndian
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        let connected = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        precondition(connected == 0, "cannot connect to port \(port)")
        // A test that would wait for ever fails instead.
        var limit = timeval(tv_sec: 20, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    }

    deinit {
        hangUp()
    }

    /// Closes the connection.
    public func hangUp() {
        if descriptor >= 0 { close(descriptor) }
        descriptor = -1
    }

    /// Sends `text` as it is.
    public func send(_ text: String) {
        let bytes = Array(text.utf8)
        var sent = 0
        while sent < bytes.count {
            let count = bytes.withUnsafeBytes {
                Glibc.send(descriptor, $0.baseAddress! + sent, bytes.count - sent, Int32(MSG_NOSIGNAL))
            }
            if count <= 0 { return }
            sent += count
        }
    }

    /// The next answer, or `nil` when the server closes first. Answers to HEAD have no body.
    public func answer(toHead: Bool = false) -> Answer? {
        let blank = Array("\r\n\r\n".utf8)
        var end: Int?
        while true {
            end = (0..<max(buffer.count - 3, 0)).first { buffer[$0..<$0 + 4].elementsEqual(blank) }
            if end != nil || !fill() { break }
        }
        guard let end else { return nil }
        let head = String(decoding: buffer[..<end], as: UTF8.self)
        buffer.removeFirst(end + 4)
        var answer = Answer(status: Int(head.split(separator: " ")[1]) ?? 0, head: head, body: [])
        if toHead { return answer }
        if answer.header("Transfer-Encoding") == "chunked" {
            guard let body = chunks() else { return nil }
            answer.body = body
            return answer
        }
        let length = Int(answer.header("Content-Length") ?? "") ?? 0
        while buffer.count < length, fill() {}
        answer.body = Array(buffer.prefix(length))
        buffer.removeFirst(min(length, buffer.count))
        return answer
    }

    /// A body in chunks without trailers, or `nil` when it breaks off.
    private func chunks() -> [UInt8]? {
        var body: [UInt8] = []
        while let line = line() {
            guard let size = Int(line, radix: 16) else { return nil }
            while buffer.count < size + 2 { if !fill() { return nil } }
            body += buffer.prefix(size)
            buffer.removeFirst(size + 2)
            if size == 0 { return body }
        }
        return nil
    }

    /// The next chunk of a body, or `nil` at its end.
    public func chunk() -> String? {
        guard let line = line(), let size = Int(line, radix: 16) else { return nil }
        while buffer.count < size + 2 { if !fill() { return nil } }
        defer { buffer.removeFirst(size + 2) }
        return size == 0 ? nil : String(decoding: buffer.prefix(size), as: UTF8.self)
    }

    /// The text before the next line end, which is removed too.
    private func line() -> String? {
        while true {
            if let end = buffer.firstIndex(of: UInt8(ascii: "\n")) {
                let line = String(decoding: buffer[..<end].filter { $0 != UInt8(ascii: "\r") }, as: UTF8.self)
                buffer.removeFirst(end + 1)
                return line
            }
            if !fill() { return nil }
        }
    }

    /// Whether the server has closed the connection.
    public func isClosed() -> Bool {
        var byte: UInt8 = 0
        let count = recv(descriptor, &byte, 1, 0)
        // Silence until the client's limit of time is no end.
        return count == 0 || count < 0 && errno != EAGAIN
    }

    /// Whether something has arrived that was not read.
    public var hasBytes: Bool {
        var byte: UInt8 = 0
        return recv(descriptor, &byte, 1, Int32(MSG_PEEK | MSG_DONTWAIT)) > 0
    }

    /// Whether `text` arrives, for responses that do not end.
    public func received(until text: String) -> Bool {
        let wanted = Array(text.utf8)
        while true {
            if let start = (0..<max(buffer.count - wanted.count + 1, 0)).first(where: {
                buffer[$0..<$0 + wanted.count].elementsEqual(wanted)
            }) {
                buffer.removeFirst(start + wanted.count)
                return true
            }
            if !fill() { return false }
        }
    }

    private func fill() -> Bool {
        var piece = [UInt8](repeating: 0, count: 65536)
        let count = recv(descriptor, &piece, piece.count, 0)
        guard count > 0 else { return false }
        buffer += piece[..<count]
        return true
    }

    /// One request on its own connection.
    public static func get(_ port: Int, _ target: String, headers: String = "") -> Answer? {
        let client = RawHTTPClient(port: port)
        client.send("GET \(target) HTTP/1.1\r\nHost: x\r\n\(headers)\r\n")
        return client.answer()
    }
}
