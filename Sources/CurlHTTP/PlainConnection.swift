internal import CHTTPParser
internal import Glibc
internal import Runtime

/// A connection to an HTTP server without TLS or a proxy, and its current exchange: bytes are read from the socket into
/// the body's own memory, and http_parser parses them. Belongs to its multiplexer's thread.
@safe final class PlainConnection {
    /// The result of an event.
    enum Progress {
        /// Waiting for more data, or for space to write the rest of the request.
        case waiting(isWriting: Bool)
        /// ``takeAnswer()`` returns the response.
        case done
        case failed(HTTPFailure)
        /// The peer closed the connection before the request arrived. The request can be sent again over another one.
        case wasClosed
        /// The response is a redirect, which libcurl must follow.
        case redirected
    }

    /// A request that waits for its response.
    struct Exchange {
        let request: PreparedRequest
        let token: Int
        let expectedBodyBytes: Int
        /// In nanoseconds of the monotonic clock.
        let began: Int64
        /// In nanoseconds of the monotonic clock; `Int64.max` for never.
        let deadline: Int64

        /// 0 for no limit.
        var millisecondsLeft: Int64 {
            deadline == .max ? 0 : max(1, (deadline - SystemClock.monotonicNanoseconds() + 999_999) / 1_000_000)
        }
    }

    private enum Limit {
        static let bodyBytes = 64 << 10
        /// The maximum number of reads before other connections are handled.
        static let reads = 32
        /// The maximum number of bytes that may arrive before the loop is woken.
        static let mark = 512 << 10
    }

    let socket: Int32
    let origin: String
    private let reader: OpaquePointer
    private(set) var exchange: Exchange?
    /// The number of exchanges. A timer of an earlier exchange does not affect the next one.
    private(set) var number = 0
    private var body: ReceivedBody
    private var sentBytes = 0
    private var hasHead = false
    /// Whether any byte of the response has arrived.
    private var hasBegun = false
    /// How many bytes must arrive before the loop is woken (`SO_RCVLOWAT`).
    private var mark = 1
    /// Whether the loop is not woken for every piece of the response; only time depends on it.
    private(set) var isPatient = false
    /// Whether the connection can carry a further exchange.
    private(set) var isReusable = true
    /// Whether the loop waits for space to write.
    var isWriting = false
    /// When the last exchange ended, in monotonic nanoseconds.
    var idleSince: Int64 = 0

    /// Takes ownership of the socket. `nil` without memory; the socket is then closed.
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
        wake(from: 1)
    }

    /// Ends the exchange without a response.
    func abandon() {
        body.abandon()
        exchange = nil
        isReusable = false
    }

    /// Continues when the socket is ready.
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
                // While it is idle, any byte is unexpected.
                wake(from: 1)
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

    /// Waits for the rest with one wake-up, if its length is known, or likely because the last body had the same
    /// length.
    private func waitForRest(_ exchange: Exchange) {
        guard isPatient else { return }
        let remaining = hasHead ? unsafe chttp_reader_remaining(reader) : -1
        let likely = exchange.expectedBodyBytes - exchange.expectedBodyBytes / 8 - body.bytes.count
        wake(from: remaining < 0 ? likely : Int(clamping: remaining))
    }

    /// Has the loop woken when `count` bytes have arrived.
    private func wake(from count: Int) {
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

    /// A read that does not fill the buffer has emptied the socket. Later bytes wake the loop again.
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

    /// The result of one read: the number of bytes (0 at the end, -1 for an error), the size of the buffer, and the
    /// parser's result.
    private struct Read {
        var count = 0
        var error: Int32 = 0
        var room = 0
        var progress = CHTTP_MORE

        /// Returns whether bytes were read.
        mutating func receive(_ socket: Int32, _ buffer: UnsafeMutableRawBufferPointer) -> Bool {
            room = buffer.count
            unsafe count = recv(socket, buffer.baseAddress, buffer.count, 0)
            if count < 0 { error = errno }
            return count > 0
        }
    }

    /// The head is read into `scratch`, together with the first part of the body.
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

    /// Only the chunked coding is supported. A body in another coding would be read as text.
    private func checkCoding() throws(HTTPFailure) {
        guard unsafe chttp_reader_is_coded(reader) else { return }
        let codings = head.fields.filter { $0.name.lowercased() == "transfer-encoding" }.map(\.value)
        guard codings.count == 1, codings[0].lowercased() == "chunked" else {
            throw HTTPFailure(.other, "unsupported Transfer-Encoding \"\(codings.joined(separator: ", "))\"")
        }
    }

    /// Reads into the body's memory. If the body is chunked, the chunk headers are removed there.
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

    /// Not the full announced length: memory is allocated only for received data.
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
        "not an HTTP response: " + (unsafe String(cString: chttp_reader_problem(reader)))
    }

    private func closed() -> Progress {
        isReusable = false
        if !hasBegun {
            return number > 1
                ? .wasClosed : .failed(HTTPFailure(.connect, "the server closed the connection without a response"))
        }
        let remaining = hasHead ? unsafe chttp_reader_remaining(reader) : -1
        guard unsafe chttp_read_end(reader) == CHTTP_DONE else {
            let missing = remaining > 0 ? "with \(remaining) bytes missing" : "during the response"
            return .failed(HTTPFailure(.connect, "the server closed the connection \(missing)"))
        }
        return finished()
    }

    private func finished() -> Progress {
        if !(unsafe chttp_reader_keeps_alive(reader)) { isReusable = false }
        return .done
    }

    /// The complete response.
    func takeAnswer() -> HTTPResponse {
        let (bytes, budgeted) = body.take()
        var response = HTTPResponse(status: Int(unsafe chttp_reader_status(reader)), head: head, body: bytes)
        response.budgeted = budgeted
        return response
    }
}
