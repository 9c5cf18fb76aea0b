internal import CWebServer
internal import Glibc
internal import TLS

/// What came of reading or writing.
enum TransportResult {
    case bytes(Int)
    /// Nothing can be read or written before the socket is ready; with TLS also reading may have to wait for writing.
    case blocked(writing: Bool)
    /// The peer will send nothing more.
    case ended
    case failed
}

/// Bytes to and from a socket.
enum Transport {
    case plain(Int32)
    case tls(Int32, TLSConnection)

    /// Goes on with the TLS handshake. `.bytes` when there is none or it is done.
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

    /// Whether bytes were received that reading gives without the socket becoming readable.
    var hasBuffered: Bool {
        switch self {
        case .plain: false
        case .tls(_, let connection): connection.hasBuffered
        }
    }

    /// Says to the peer that nothing more is sent.
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
