internal import CWebServer
internal import Glibc

/// What came of reading or writing.
enum TransportResult {
    case bytes(Int)
    /// Nothing can be read or written at the moment.
    case blocked
    /// The peer will send nothing more.
    case ended
    case failed
}

/// Bytes to and from a socket.
enum Transport {
    case plain(Int32)

    func read(into buffer: UnsafeMutableRawBufferPointer) -> TransportResult {
        switch self {
        case .plain(let descriptor):
            let count = unsafe cweb_receive(descriptor, buffer.baseAddress, buffer.count)
            if count > 0 { return .bytes(count) }
            if count == 0 { return .ended }
            return errno == EAGAIN ? .blocked : .failed
        }
    }

    func write(_ output: Output) -> TransportResult {
        switch self {
        case .plain(let descriptor):
            let count = unsafe output.withUnsent { first, second in
                unsafe cweb_send(descriptor, first.baseAddress, first.count, second.baseAddress, second.count)
            }
            if count >= 0 { return .bytes(count) }
            return errno == EAGAIN ? .blocked : .failed
        }
    }

    /// Whether bytes were received that reading gives without the socket becoming readable.
    var hasBuffered: Bool { false }

    /// Says to the peer that nothing more is sent.
    func finishWriting() {
        switch self {
        case .plain(let descriptor): shutdown(descriptor, Int32(SHUT_WR))
        }
    }
}
