internal import CHTTPParser
internal import Glibc
internal import Runtime

/// A connection to an HTTP server with neither TLS nor a proxy in between, and the exchange that goes on there: bytes
/// are read from the socket into the body's own memory, and http_parser says what they are. Belongs to its
/// multiplexer's thread.
@safe final class PlainConnection {
    /// The result of an event.
    enum Progress {
        /// More is to come, or room to write the rest of the request.
        case waiting(isWriting: Bool)
        /// ``takeAnswer()`` has it.
        case done
        case failed(HTTPFailure)
        /// The peer had closed the connection before the request came: it can be sent again elsewhere.
        case wasClosed
        /// The answer sends the request elsewhere, and libcurl is to follow.
        case redirected
    }

    /// A request that waits for its answer.
    struct Exchange {
        let request: PreparedRequest
        let token: Int
        let expectedBodyBytes: Int
        /// Monotonic nanoseconds.
        let began: Int64
        /// The same; `Int64.max` for never.
        let deadline: Int64

        /// 0 for no limit.
        var millisecondsLeft: Int64 {
            deadline == .max ? 0 : max(1, (deadline - SystemClock.monotonicNanoseconds() + 999_999) / 1_000_000)
        }
    }

    private enum Limit {
        static let bodyBytes = 64 << 10
        /// Reads before other connections have their turn.
        static let reads = 32
        /// What may have come before the loop is told, at most.
        static let mark = 512 << 10
    }

    let socket: Int32
    let origin: String
    private let reader: OpaquePointer
    private(set) var exchange: Exchange?
    /// Counts the exchanges: who waits for one that is over is not told about the next.
    private(set) var number = 0
    private var body: ReceivedBody
    private var sentBytes = 0
    private var hasHead = false
    /// Whether any byte of the answer has come.
    private var hasBegun = false
    /// How many bytes must arrive before the loop is woken (`SO_RCVLOWAT`).
    private var mark = 1
    /// Whether the loop is not woken for every piece of the response; only time depends on it.
    private(set) var isPatient = false
    /// Whether the connection can carry a further exchange.
    private(set) var isReusable = true
    /// Whether the loop waits for room to write.
    var isWriting = false
    /// When the last exchange ended, in monotonic nanoseconds.
    var idleSince: Int64 = 0

    /// Owns the socket from now on. `nil` where there is no memory; the socket is closed then.
    init?(socket: Int32, origin: String, _ buffers: BodyBuffers) {
        guard let reader = unsafe chttp_reader_make(Transfer.Limit.headerBytes) else {
            close(socket)
            return nil
        }
        self.socket = socket
        self.origin = origin
        unsafe self.reader = unsafe reader
        body = ReceivedBody(buffers)
    }

    deinit {
        close(socket)
        unsafe chttp_reader_free(reader)
    }

    /// Sends a request.
    func begin(_ next: Exchange) -> Progress {
        number += 1
        exchange = next
        (sentBytes, hasHead, hasBegun) = (0, false, false)
        unsafe chttp_reader_reset(reader)
        body.begin(limit: next.request.request.maximumBodyBytes, expected: next.expectedBodyBytes)
        isPatient = next.expectedBodyBytes > 0
        waitForRest(next)
        return send(next)
    }

    /// Wakes the loop for every piece of the response from now on.
    func losePatience() {
        isPatient = false
        tell(from: 1)
    }

    /// Ends the exchange without an answer.
    func abandon() {
        body.abandon()
        exchange = nil
        isReusable = false
    }

    /// Goes on with what the socket is ready for.
    func ready(_ scratch: UnsafeMutableRawBufferPointer) -> Progress? {
        guard let exchange else { return nil }
        do throws(HTTPFailure) {
            var progress = unsafe try receive(exchange, scratch)
            if case .waiting = progress, sentBytes < exchange.request.plain?.bytes.count ?? 0 {
                progress = send(exchange)
            }
            switch progress {
            case .waiting: waitForRest(exchange)
            case .done:
                self.exchange = nil
                // While it is idle, every byte is one too many.
                tell(from: 1)
            case .failed, .wasClosed, .redirected: abandon()
            }
            return progress
        } catch {
            abandon()
            return .failed(error)
        }
    }

    /// The timeout of the exchange has passed.
    func timedOut(now: Int64) -> HTTPFailure {
        let milliseconds = ((now - (exchange?.began ?? now)) + 500_000) / 1_000_000
        let failure = HTTPFailure(
            .timeout, "Operation timed out after \(milliseconds) milliseconds with \(body.bytes.count) bytes received")
        abandon()
        return failure
    }

    private func send(_ exchange: Exchange) -> Progress {
        guard let bytes = exchange.request.plain?.bytes else { return .wasClosed }
        while sentBytes < bytes.count {
            let count = unsafe bytes.withUnsafeBytes { buffer in
                let rest = unsafe UnsafeRawBufferPointer(rebasing: buffer[sentBytes...])
                return unsafe Glibc.send(socket, rest.baseAddress, rest.count, Int32(MSG_NOSIGNAL))
            }
            if count >= 0 {
                sentBytes += count
            } else if errno == EAGAIN {
                return .waiting(isWriting: true)
            } else if errno != EINTR {
                return broken(errno)
            }
        }
        return .waiting(isWriting: false)
    }

    /// One wake-up for what is still to come, where it is known, or likely because the last body was as long.
    private func waitForRest(_ exchange: Exchange) {
        guard isPatient else { return }
        let remaining = hasHead ? unsafe chttp_reader_remaining(reader) : -1
        let likely = exchange.expectedBodyBytes - exchange.expectedBodyBytes / 8 - body.bytes.count
        tell(from: remaining < 0 ? likely : Int(clamping: remaining))
    }

    private func tell(from count: Int) {
        let wanted = max(1, min(count, Limit.mark))
        guard wanted != mark else { return }
        mark = wanted
        var value = Int32(wanted)
        // If it fails the loop is woken too often.
        _ = unsafe setsockopt(socket, SOL_SOCKET, SO_RCVLOWAT, &value, socklen_t(MemoryLayout<Int32>.size))
    }

    private func broken(_ code: Int32) -> Progress {
        if !hasBegun, number > 1 { return .wasClosed }
        return .failed(.system(code))
    }

    /// A read that does not fill its room has emptied the socket: what comes later wakes the loop again.
    private func receive(
        _ exchange: Exchange, _ scratch: UnsafeMutableRawBufferPointer
    ) throws(HTTPFailure) -> Progress {
        for _ in 0..<Limit.reads {
            let read = hasHead ? try receiveBody() : unsafe try receiveHead(exchange, scratch)
            switch read.progress {
            case CHTTP_DONE: return finished()
            case CHTTP_FAILED: return .failed(HTTPFailure(.other, problem))
            case CHTTP_HEAD:
                if isRedirect(exchange) { return .redirected }
            default: break
            }
            if read.count == 0 { return closed() }
            if read.count < 0 {
                if read.error == EAGAIN { break }
                if read.error != EINTR { return broken(read.error) }
            } else if read.count < read.room {
                break
            }
        }
        return .waiting(isWriting: false)
    }

    /// What one read gave: how many bytes (0 at the end, -1 for an error), for how many there was room, and what they
    /// meant.
    private struct Read {
        var count = 0
        var error: Int32 = 0
        var room = 0
        var progress = CHTTP_MORE

        /// Whether there are bytes.
        mutating func receive(_ socket: Int32, _ buffer: UnsafeMutableRawBufferPointer) -> Bool {
            room = buffer.count
            unsafe count = recv(socket, buffer.baseAddress, buffer.count, 0)
            if count < 0 { error = errno }
            return count > 0
        }
    }

    /// The head goes through `scratch`, with what of the body comes along.
    private func receiveHead(
        _ exchange: Exchange, _ scratch: UnsafeMutableRawBufferPointer
    ) throws(HTTPFailure) -> Read {
        var read = Read()
        guard unsafe read.receive(socket, scratch) else { return read }
        hasBegun = true
        var consumed = 0
        var bodyCount = 0
        read.progress = unsafe chttp_read(
            reader, scratch.baseAddress, read.count, scratch.baseAddress, &consumed, &bodyCount)
        guard read.progress == CHTTP_HEAD, !isRedirect(exchange) else { return read }
        try checkCoding()
        hasHead = true
        let rest = unsafe UnsafeRawBufferPointer(rebasing: scratch[consumed..<read.count])
        unsafe try body.append(room: max(rest.count, wantedRoom)) { room in
            var used = 0
            var bodyCount = 0
            read.progress = unsafe chttp_read(
                reader, rest.baseAddress, rest.count, room.baseAddress, &used, &bodyCount)
            if used < rest.count { isReusable = false }
            return bodyCount
        }
        return read
    }

    /// Chunks are the only coding that is understood; a body in another one would be taken for text.
    private func checkCoding() throws(HTTPFailure) {
        guard unsafe chttp_reader_is_coded(reader) else { return }
        let codings = head.fields.filter { $0.name.lowercased() == "transfer-encoding" }.map(\.value)
        guard codings.count == 1, codings[0].lowercased() == "chunked" else {
            throw HTTPFailure(.other, "unsupported Transfer-Encoding \"\(codings.joined(separator: ", "))\"")
        }
    }

    /// What comes goes to the body's memory; where it is in chunks, their frames are taken out there.
    private func receiveBody() throws(HTTPFailure) -> Read {
        var read = Read()
        unsafe try body.append(room: wantedRoom) { room in
            guard unsafe read.receive(socket, room) else { return 0 }
            var consumed = 0
            var bodyCount = 0
            read.progress = unsafe chttp_read(
                reader, room.baseAddress, read.count, room.baseAddress, &consumed, &bodyCount)
            if consumed < read.count { isReusable = false }
            return bodyCount
        }
        return read
    }

    /// Never all that the head promises: memory is taken for what has come.
    private var wantedRoom: Int {
        let remaining = unsafe chttp_reader_remaining(reader)
        return remaining < 0 ? Limit.bodyBytes : min(max(1, Int(clamping: remaining)), Limit.bodyBytes)
    }

    private func isRedirect(_ exchange: Exchange) -> Bool {
        guard exchange.request.request.maximumRedirects > 0,
            [301, 302, 303, 307, 308].contains(unsafe chttp_reader_status(reader))
        else { return false }
        return head["Location"] != nil
    }

    private var head: HTTPHead {
        var count = 0
        let bytes = unsafe chttp_reader_head(reader, &count)
        return unsafe HTTPHead(bytes: Array(UnsafeRawBufferPointer(start: bytes, count: count)))
    }

    private var problem: String {
        "not an HTTP answer: " + (unsafe String(cString: chttp_reader_problem(reader)))
    }

    private func closed() -> Progress {
        isReusable = false
        if !hasBegun {
            return number > 1
                ? .wasClosed : .failed(HTTPFailure(.connect, "the server closed the connection without an answer"))
        }
        let remaining = hasHead ? unsafe chttp_reader_remaining(reader) : -1
        guard unsafe chttp_read_end(reader) == CHTTP_DONE else {
            let missing = remaining > 0 ? "with \(remaining) bytes missing" : "within the answer"
            return .failed(HTTPFailure(.connect, "the server closed the connection \(missing)"))
        }
        return finished()
    }

    private func finished() -> Progress {
        if !(unsafe chttp_reader_keeps_alive(reader)) { isReusable = false }
        return .done
    }

    /// The answer that has come whole.
    func takeAnswer() -> HTTPResponse {
        let (bytes, budgeted) = body.take()
        var response = HTTPResponse(status: Int(unsafe chttp_reader_status(reader)), head: head, body: bytes)
        response.budgeted = budgeted
        return response
    }
}
