internal import CMicroHTTP
internal import Glibc

/// One request and its answer, from the first byte of the request line until the answer is sent.
///
/// `@unchecked`: while `phase` is not `.working` only the polling thread touches an exchange; while it is, only the one
/// worker that took it. Handing over (mailbox) and handing back (`MHD_resume_connection`) both go through a mutex.
@safe final class Exchange: @unchecked Sendable {
    enum Phase {
        /// The request line is there.
        case begun
        /// Headers are there, the body is arriving.
        case receiving
        /// Suspended; a worker makes `response`.
        case working
    }

    let connection: OpaquePointer
    let target: [UInt8]
    var phase = Phase.begun
    var method = ""
    var headers: [(name: String, value: String)] = []
    var body: [UInt8] = []
    /// Bytes of the body that were thrown away because it is too long.
    var excess = 0
    var peer = ""
    var response: HTTPServerResponse?

    init(connection: OpaquePointer, target: [UInt8]) {
        unsafe self.connection = unsafe connection
        self.target = target
    }

    /// Reads method, headers and peer off the connection.
    func headersArrived(method: String) {
        self.method = method
        phase = .receiving
        let collect: MHD_KeyValueIterator = { context, _, name, value in
            guard let context = unsafe context, let name = unsafe name else { return .YES }
            let exchange = unsafe Unmanaged<Exchange>.fromOpaque(context).takeUnretainedValue()
            let text = if let value = unsafe value { unsafe String(cString: value) } else { "" }
            unsafe exchange.headers.append((String(cString: name), text))
            return .YES
        }
        unsafe MHD_get_connection_values(
            connection, .HEADER_KIND, collect, Unmanaged.passUnretained(self).toOpaque())
        peer = unsafe Self.text(of: cmicrohttp_peer(connection))
    }

    /// What the handlers see of it, once the body is there; `nil` where the path cannot be decoded.
    private(set) lazy var request: HTTPServerRequest? = URLEncoding.split(target).map { path, query in
        HTTPServerRequest(method: method, path: path, query: query, headers: headers, body: body, peer: peer)
    }

    /// The length the client has announced.
    var announcedLength: Int? {
        headers.first { ASCIIText.equal($0.name, "Content-Length") }.flatMap { Int($0.value) }
    }

    /// Queues `answer` on the connection. Only from inside the access handler.
    ///
    /// - Parameter requests: Who makes the rest of the body, where it has one.
    func queue(_ answer: HTTPServerResponse, _ requests: RequestQueue) -> MHD_Result {
        guard let response = unsafe response(answer, requests) else { return .NO }
        defer { unsafe MHD_destroy_response(response) }
        for header in answer.headers {
            // A header that cannot be sent (line breaks in its value) is left out rather than the whole answer.
            _ = unsafe MHD_add_response_header(response, header.name, header.value)
        }
        // libmicrohttpd ends a chunked body that HEAD has not got all the same: nothing may follow it.
        if answer.rest != nil, method == "HEAD" { unsafe MHD_add_response_header(response, "Connection", "close") }
        let status = (200...599).contains(answer.status) ? UInt32(answer.status) : 500
        return unsafe MHD_queue_response(connection, status, response)
    }

    private func response(_ answer: HTTPServerResponse, _ requests: RequestQueue) -> OpaquePointer? {
        if let rest = answer.rest {
            return unsafe BodyStream(
                connection: connection, beginning: answer.body, source: rest, requests: requests
            ).response()
        }
        if answer.body.count > Self.longestCopy { return unsafe Self.lending(answer.body) }
        return unsafe answer.body.withUnsafeBytes { body in
            unsafe MHD_create_response_from_buffer(
                body.count, UnsafeMutableRawPointer(mutating: body.baseAddress), .RESPMEM_MUST_COPY)
        }
    }

    /// Longer bodies are handed over in pieces as they are sent, so that they are not in memory twice.
    private static let longestCopy = 1 << 16
    private static let pieceSize = 1 << 17

    /// Keeps a body until libmicrohttpd has sent it.
    private final class LentBody: Sendable {
        let bytes: [UInt8]

        init(_ bytes: [UInt8]) {
            self.bytes = bytes
        }
    }

    private static func lending(_ body: [UInt8]) -> OpaquePointer? {
        let owner = unsafe Unmanaged.passRetained(LentBody(body)).toOpaque()
        let read: MHD_ContentReaderCallback = { owner, position, buffer, room in
            guard let owner = unsafe owner, let buffer = unsafe buffer else { return -1 }
            let body = unsafe Unmanaged<LentBody>.fromOpaque(owner).takeUnretainedValue()
            let start = Int(clamping: position)
            let count = min(room, body.bytes.count - start)
            guard count > 0 else { return -1 }
            unsafe body.bytes.withUnsafeBytes { bytes in
                unsafe UnsafeMutableRawPointer(buffer).copyMemory(
                    from: bytes.baseAddress! + start, byteCount: count)
            }
            return count
        }
        let release: MHD_ContentReaderFreeCallback = { owner in
            if let owner = unsafe owner { unsafe Unmanaged<LentBody>.fromOpaque(owner).release() }
        }
        let response = unsafe MHD_create_response_from_callback(
            UInt64(body.count), pieceSize, read, owner, release)
        if unsafe response == nil { unsafe Unmanaged<LentBody>.fromOpaque(owner).release() }
        return unsafe response
    }

    private static func text(of address: UnsafePointer<sockaddr>?) -> String {
        guard let address = unsafe address else { return "" }
        var text = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
        switch unsafe Int32(address.pointee.sa_family) {
        case AF_INET:
            unsafe address.withMemoryRebound(to: sockaddr_in.self, capacity: 1) {
                var host = unsafe $0.pointee.sin_addr
                _ = unsafe inet_ntop(AF_INET, &host, &text, socklen_t(text.count))
            }
        case AF_INET6:
            unsafe address.withMemoryRebound(to: sockaddr_in6.self, capacity: 1) {
                var host = unsafe $0.pointee.sin6_addr
                _ = unsafe inet_ntop(AF_INET6, &host, &text, socklen_t(text.count))
            }
        default: return ""
        }
        let bytes = text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
        let mapped = Array("::ffff:".utf8)
        return String(decoding: bytes.starts(with: mapped) ? Array(bytes[mapped.count...]) : bytes, as: UTF8.self)
    }
}
