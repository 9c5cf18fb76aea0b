internal import Runtime

/// Reads consecutive HTTP/1 requests from bytes that arrive in pieces of any size. No IO; owned by one connection.
struct RequestReader {
    struct Limits {
        var headBytes: Int
        var bodyBytes: Int
        var budget: ByteBudget
    }

    enum Progress {
        /// All bytes were read, and the request is not complete.
        case needsMore
        /// The client waits for `100 Continue`.
        case expectsContinue
        /// ``take()`` returns the request.
        case complete
        case failed(HTTPFault)
    }

    private enum State {
        case head
        case body(remaining: Int)
        case chunked(ChunkedDecoder)
        case complete
    }

    private let limits: Limits
    private var state = State.head
    private var scanner = HeadScanner()
    private var current: RequestHead?
    private var body: RequestBody
    /// Whether an empty line before the request line was skipped.
    private var hasSkippedLine = false

    init(limits: Limits) {
        self.limits = limits
        body = RequestBody(limit: limits.bodyBytes, budget: limits.budget)
    }

    /// Whether the head of a request was read and its body is arriving.
    var isReadingBody: Bool { current != nil }

    /// Reads `bytes` from `position` on, and advances `position`. A head is read when it is complete: until then
    /// `position` does not move, and the next call must pass the same bytes with more after them.
    mutating func read(_ bytes: UnsafeRawBufferPointer, from position: inout Int) -> Progress {
        do throws(HTTPFault) {
            return try unsafe step(bytes, from: &position)
        } catch {
            return .failed(error)
        }
    }

    private mutating func step(
        _ bytes: UnsafeRawBufferPointer, from position: inout Int
    ) throws(HTTPFault) -> Progress {
        if case .head = state {
            guard try unsafe readHead(bytes, from: &position) else { return .needsMore }
            if current?.expectsContinue == true, position == bytes.count { return .expectsContinue }
        }
        switch state {
        case .head, .complete: break
        case .body(let remaining):
            let end = position + min(remaining, bytes.count - position)
            try unsafe body.append(UnsafeRawBufferPointer(rebasing: bytes[position..<end]))
            let left = remaining - (end - position)
            position = end
            state = left == 0 ? .complete : .body(remaining: left)
        case .chunked(var decoder):
            try unsafe decoder.decode(bytes, from: &position) { (piece) throws(HTTPFault) in
                try unsafe body.append(piece)
            }
            state = decoder.isDone ? .complete : .chunked(decoder)
        }
        if case .complete = state { return .complete }
        return .needsMore
    }

    private mutating func readHead(
        _ bytes: UnsafeRawBufferPointer, from position: inout Int
    ) throws(HTTPFault) -> Bool {
        if !hasSkippedLine, bytes.count > position, unsafe bytes[position] == 0x0d {
            // The scanner must not see the line that is skipped.
            guard bytes.count >= position + 2 else { return false }
            guard unsafe bytes[position + 1] == 0x0a else { throw .badRequest("malformed method") }
            position += 2
            hasSkippedLine = true
        }
        let available = bytes.count - position
        let rest = unsafe UnsafeRawBufferPointer(
            rebasing: bytes[position..<position + min(available, limits.headBytes)])
        guard let end = try unsafe scanner.end(in: rest) else {
            guard available <= limits.headBytes else {
                throw scanner.requestLine == nil ? .targetTooLong : .headTooLarge
            }
            return false
        }
        let head = try unsafe RequestHeadParser.parse(UnsafeRawBufferPointer(rebasing: rest[..<end]))
        position += end
        current = head
        switch head.framing {
        case .none: state = .complete
        case .length(let length):
            try body.announced(length)
            state = .body(remaining: length)
        case .chunked: state = .chunked(ChunkedDecoder())
        }
        return true
    }

    /// Removes and returns the complete request. Reading continues with the next.
    mutating func take() -> (head: RequestHead, body: RequestBody)? {
        guard case .complete = state, let head = current else { return nil }
        let body = self.body
        self = RequestReader(limits: limits)
        return (head, body)
    }
}
