internal import Synchronization

/// Whether a request's client still waits for the response, if the connection alone does not determine it. May be used
/// from any thread.
final class Abandonment: Sendable {
    private let flag = Atomic<Bool>(false)

    var isSet: Bool { flag.load(ordering: .relaxed) }

    func set() { flag.store(true, ordering: .relaxed) }
}

/// One request and its response on an HTTP/2 connection.
final class HTTP2Stream {
    enum State {
        /// The request is arriving.
        case receiving
        /// A handler works on it, or it is queued.
        case working
        /// The response is being sent.
        case responding
    }

    enum Piece {
        case bytes(Int, isLast: Bool)
        /// The source has no data at the moment.
        case nothing
    }

    let abandonment = Abandonment()
    var state = State.receiving
    var method = ""
    var target: [UInt8] = []
    var headers: [(name: String, value: String)] = []
    var headerBytes = 0
    /// The share of the budget of a long head.
    var headCharges: [ByteCharge] = []
    var body: RequestBody
    /// Why the request is rejected.
    var fault: HTTPFault?
    /// Whether the client has sent the end of the request.
    var hasEnded = false

    /// The bytes of the response to send next.
    private var pending: [UInt8] = []
    private var sent = 0
    private var source: (any HTTPBodySource)?
    /// Whether the source had no data at the last call.
    private(set) var isWaiting = false

    /// A head up to this size is not counted. With HPACK a byte of the client can be a field of kilobytes, and a
    /// connection has many streams.
    private static let uncountedHead = 2 << 10

    init(body: RequestBody) {
        self.body = body
    }

    /// Counts a long head in the budget. False if that is used up.
    func countHead(within limits: RequestReader.Limits) -> Bool {
        guard headerBytes > Self.uncountedHead, headCharges.isEmpty else { return true }
        guard let charge = ByteCharge(limits.headBytes, of: limits.budget) else { return false }
        headCharges = [charge]
        return true
    }

    var retainedBytes: Int { pending.count - sent }

    func begin(_ response: HTTPServerResponse) {
        state = .responding
        pending = response.body
        source = response.rest
    }

    /// Ends the source of a live body after the data sent so far.
    func endLiveBody() {
        if source is any HTTPLiveBodySource { source = nil }
    }

    /// Copies the next bytes of the body into `buffer`.
    func read(into buffer: UnsafeMutableRawBufferPointer) -> Piece {
        if sent == pending.count, let source {
            pending.removeAll(keepingCapacity: true)
            sent = 0
            if !source.nextPiece(into: &pending) { self.source = nil }
            isWaiting = pending.isEmpty && self.source != nil
            if isWaiting { return .nothing }
        }
        let count = min(buffer.count, pending.count - sent)
        unsafe pending.withUnsafeBytes { bytes in
            unsafe buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[sent..<sent + count]))
        }
        sent += count
        return .bytes(count, isLast: sent == pending.count && source == nil)
    }
}
