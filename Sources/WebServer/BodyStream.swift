internal import CMicroHTTP
internal import Synchronization

/// A body on its way to a client, of which one piece is in memory at a time.
///
/// libmicrohttpd asks for bytes on its polling thread. Where the piece is used up the connection is suspended, a worker makes
/// the next piece, and the connection goes on.
///
/// `@unchecked`: between `MHD_suspend_connection` and `MHD_resume_connection` only the worker touches a stream, otherwise only
/// the polling thread. Handing over (mailbox) and handing back both go through a mutex.
@safe final class BodyStream: @unchecked Sendable {
    private enum State {
        /// There may be more after `piece`.
        case open
        /// `piece` is the last one.
        case last
        /// Nobody makes pieces any more.
        case broken
    }

    private let connection: OpaquePointer
    private let source: any HTTPBodySource
    private let requests: RequestQueue
    private var piece: [UInt8]
    private var sent = 0
    private var state = State.open

    init(connection: OpaquePointer, beginning: [UInt8], source: any HTTPBodySource, requests: RequestQueue) {
        unsafe self.connection = unsafe connection
        piece = beginning
        self.source = source
        self.requests = requests
    }

    /// Makes the next piece. On a worker.
    func makePiece() {
        piece.removeAll(keepingCapacity: true)
        sent = 0
        if !source.appendPiece(to: &piece) { state = .last }
        unsafe MHD_resume_connection(connection)
    }

    /// Fills `buffer`. On the polling thread.
    ///
    /// - Returns: How many bytes were put there; 0 where the connection has been suspended; or one of libmicrohttpd's codes.
    private func read(into buffer: UnsafeMutableRawBufferPointer) -> Int {
        if sent == piece.count {
            switch state {
            case .last: return Self.end
            case .broken: return Self.failure
            case .open:
                unsafe MHD_suspend_connection(connection)
                if !requests.makePiece(of: self) {
                    // The server is stopping. The connection must not stay suspended; it breaks when it asks again.
                    state = .broken
                    unsafe MHD_resume_connection(connection)
                }
                return 0
            }
        }
        let count = min(buffer.count, piece.count - sent)
        unsafe piece.withUnsafeBytes { bytes in
            unsafe buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[sent..<sent + count]))
        }
        sent += count
        return count
    }

    private static let end = -1
    private static let failure = -2

    /// A response of unknown length that reads this stream and keeps it until it is sent or the client has left.
    func response() -> OpaquePointer? {
        let owner = unsafe Unmanaged.passRetained(self).toOpaque()
        let read: MHD_ContentReaderCallback = { owner, _, buffer, room in
            guard let owner = unsafe owner, let buffer = unsafe buffer else { return BodyStream.failure }
            let stream = unsafe Unmanaged<BodyStream>.fromOpaque(owner).takeUnretainedValue()
            return unsafe stream.read(into: UnsafeMutableRawBufferPointer(start: buffer, count: room))
        }
        let release: MHD_ContentReaderFreeCallback = { owner in
            if let owner = unsafe owner { unsafe Unmanaged<BodyStream>.fromOpaque(owner).release() }
        }
        let response = unsafe MHD_create_response_from_callback(
            UInt64.max, Self.bufferSize, read, owner, release)
        if unsafe response == nil { unsafe Unmanaged<BodyStream>.fromOpaque(owner).release() }
        return unsafe response
    }

    private static let bufferSize = 1 << 16
}
