internal import CWebServer
internal import Glibc
internal import TLS

/// The result of reading or writing.
enum TransportResult {
    case bytes(Int)
    /// The socket is not ready. With TLS, reading may have to wait for writing.
    case blocked(writing: Bool)
    /// The peer will send no more data.
    case ended
    case failed
}

/// Bytes to and from a socket.
enum Transport {
    case plain(Int32)
    case tls(Int32, TLSConnection)

    /// Continues the TLS handshake. `.bytes` if there is none or it is done.
    func handshake() -> TransportResult {
        switch self {
        case .plain: return .bytes(0)
        case .tls(let descriptor, let connection):
            let progress = connection.handshake()
            if progress == .failed(.plainHTTP) { Self.refusePlainHTTP(descriptor) }
            return Self.result(progress)
        }
    }

    func read(into buffer: UnsafeMutableRawBufferPointer) -> TransportResult {
        switch self {
        case .plain(let descriptor):
            let count = unsafe cweb_receive(descriptor, buffer.baseAddress, buffer.count)
            if count > 0 { return .bytes(count) }
            if count == 0 { return .ended }
            return errno == EAGAIN ? .blocked(writing: false) : .failed
        case .tls(_, let connection): return Self.result(unsafe connection.read(into: buffer))
        }
    }

    func write(_ output: Output) -> TransportResult {
        switch self {
        case .plain(let descriptor):
            let count = unsafe output.withUnsent { first, second in
                unsafe cweb_send(descriptor, first.baseAddress, first.count, second.baseAddress, second.count)
            }
            if count >= 0 { return .bytes(count) }
            return errno == EAGAIN ? .blocked(writing: true) : .failed
        case .tls(_, let connection):
            return unsafe output.withUnsent { first, second in
                Self.result(unsafe connection.write(first.isEmpty ? second : first))
            }
        }
    }

    /// Whether there are buffered bytes to read, for which the socket does not become readable.
    var hasBuffered: Bool {
        switch self {
        case .plain: false
        case .tls(_, let connection): connection.hasBuffered
        }
    }

    /// Notifies the peer that no more data follow.
    func finishWriting() {
        switch self {
        case .plain(let descriptor): shutdown(descriptor, Int32(SHUT_WR))
        case .tls(let descriptor, let connection):
            connection.close()
            shutdown(descriptor, Int32(SHUT_WR))
        }
    }

    private static func result(_ progress: TLSConnection.Progress) -> TransportResult {
        switch progress {
        case .bytes(let count): .bytes(count)
        case .needsReading: .blocked(writing: false)
        case .needsWriting: .blocked(writing: true)
        case .ended: .ended
        case .failed: .failed
        }
    }

    private static func refusePlainHTTP(_ descriptor: Int32) {
        let text = Array(
            "HTTP/1.0 400 Bad Request\r\nConnection: close\r\n\r\nClient sent an HTTP request to an HTTPS server.\n"
                .utf8)
        _ = unsafe cweb_send(descriptor, text, text.count, nil, 0)
    }
}
