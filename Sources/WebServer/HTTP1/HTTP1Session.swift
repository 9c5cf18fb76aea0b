/// HTTP/1.0 and 1.1 on one connection: one request at a time, in order.
final class HTTP1Session: ProtocolSession {
    private enum State {
        case reading
        case working(Exchange)
        case responding(Body)
        case finished
    }

    /// The properties of a request that its response needs.
    private struct Exchange {
        var isHead: Bool
        var version: RequestHead.Version
        var keepsAlive: Bool
    }

    /// The rest of a response that is generated while it is sent.
    private struct Body {
        var source: any HTTPBodySource
        var isChunked: Bool
        var keepsAlive: Bool
        /// Whether the source had no data at the last call.
        var isWaiting = false
    }

    private let context: SessionContext
    private var reader: RequestReader
    private var state = State.reading
    /// Received bytes that were not read yet: the start of a head, or further requests.
    private var input: [UInt8] = []
    private var pending: SessionRequest?
    private var control = Output()
    private var hasInputEnded = false
    private var isStopping = false
    private(set) var needsDraining = false

    init(_ context: SessionContext) {
        self.context = context
        reader = RequestReader(limits: context.limits)
    }

    var phase: ConnectionPhase {
        switch state {
        case .reading: reader.isReadingBody ? .body : input.isEmpty && context.hasServed ? .idle : .head
        case .working: .working
        case .responding(let body): body.isWaiting ? .live : .writing
        case .finished: .writing
        }
    }

    var wantsInput: Bool {
        if case .reading = state { return true }
        return false
    }

    var isFinished: Bool {
        if case .finished = state { return true }
        return false
    }

    var retainedBytes: Int { control.count }
    let oldestUnfinished: Int32 = 0

    // MARK: Requests

    func receive(_ bytes: UnsafeRawBufferPointer) {
        if input.isEmpty {
            let read = unsafe parse(bytes)
            if read < bytes.count { unsafe input.append(contentsOf: bytes[read...]) }
        } else {
            unsafe input.append(contentsOf: bytes)
            parseInput()
        }
    }

    private func parseInput() {
        var bytes: [UInt8] = []
        swap(&bytes, &input)
        let read = unsafe bytes.withUnsafeBytes { unsafe parse($0) }
        if read > 0 { bytes.removeFirst(read) }
        swap(&bytes, &input)
    }

    /// Reads as much of `bytes` as possible. Returns the number of bytes read.
    private func parse(_ bytes: UnsafeRawBufferPointer) -> Int {
        var position = 0
        while case .reading = state, position < bytes.count {
            switch unsafe reader.read(bytes, from: &position) {
            case .needsMore: return position
            case .expectsContinue: control.append { $0 += "HTTP/1.1 100 Continue\r\n\r\n".utf8 }
            case .complete: requestArrived()
            case .failed(let fault):
                refuse(fault)
                return bytes.count
            }
        }
        return position
    }

    private func requestArrived() {
        guard let (head, body) = reader.take() else { return }
        let (bytes, charges) = body.finish()
        guard let request = context.request(head.method, head.target, head.headers, bytes) else {
            return refuse(.badRequest("malformed request target"))
        }
        if let fault = context.formFault(request) { return refuse(fault) }
        state = .working(
            Exchange(
                isHead: head.method == "HEAD", version: head.version, keepsAlive: head.keepsAlive && !isStopping))
        pending = SessionRequest(stream: 0, request: request, charges: charges)
    }

    /// Responds to an invalid request. The connection cannot be used after it.
    private func refuse(_ fault: HTTPFault) {
        needsDraining = true
        // The body's memory is needed by others now, not only when the connection is closed.
        reader = RequestReader(limits: context.limits)
        write(context.onRefusal(fault), Exchange(isHead: false, version: .http11, keepsAlive: false))
    }

    func inputEnded() {
        hasInputEnded = true
        if case .reading = state { state = .finished }
    }

    func nextRequest() -> SessionRequest? {
        defer { pending = nil }
        return pending
    }

    // MARK: Responses

    func respond(_ response: HTTPServerResponse, to stream: Int32) {
        guard case .working(var exchange) = state else { return }
        if isStopping || hasInputEnded { exchange.keepsAlive = false }
        write(response, exchange)
        if case .reading = state, !input.isEmpty { parseInput() }
    }

    private func write(_ response: HTTPServerResponse, _ exchange: Exchange) {
        let isBodiless = response.status == 204 || response.status == 304
        let hasChunks = exchange.version == .http11
        let isEndless = response.rest != nil && !hasChunks && !isBodiless
        let keepsAlive = exchange.keepsAlive && (!isEndless || exchange.isHead)
        let framing: ResponseHead.Framing =
            isBodiless
            ? .none : response.rest == nil ? .length(response.body.count) : hasChunks ? .chunked : .untilClose
        control.append { output in
            ResponseHead.append(
                response, framing, keepsAlive: keepsAlive, announcesKeepAlive: exchange.version == .http10,
                date: HTTPDate.now(), to: &output)
        }
        if isBodiless || exchange.isHead { return finish(keepsAlive: keepsAlive) }
        guard let rest = response.rest else {
            control.append(body: response.body)
            return finish(keepsAlive: keepsAlive)
        }
        (rest as? any HTTPLiveBodySource)?.whenReady(context.wake)
        append(response.body, isChunked: hasChunks, to: &control)
        state = .responding(Body(source: rest, isChunked: hasChunks, keepsAlive: keepsAlive))
    }

    private func finish(keepsAlive: Bool) {
        context.hasServed = true
        state = keepsAlive ? .reading : .finished
        // If received bytes are not read, the system resets the connection before the client has the response.
        if !keepsAlive, !input.isEmpty { needsDraining = true }
    }

    func fill(_ output: inout Output) {
        assert(output.isEmpty)
        if !control.isEmpty {
            swap(&output, &control)
            return
        }
        guard case .responding(var body) = state else { return }
        var piece: [UInt8] = []
        let mayFollow = body.source.nextPiece(into: &piece)
        body.isWaiting = piece.isEmpty
        append(piece, isChunked: body.isChunked, isLast: !mayFollow, to: &output)
        if mayFollow {
            state = .responding(body)
        } else {
            finish(keepsAlive: body.keepsAlive && !isStopping)
            if case .reading = state, !input.isEmpty { parseInput() }
        }
    }

    private func append(_ piece: consuming [UInt8], isChunked: Bool, isLast: Bool = false, to output: inout Output) {
        guard isChunked else { return output.append(body: piece) }
        if !piece.isEmpty {
            let size = String(piece.count, radix: 16)
            output.append { output in
                output += size.utf8
                output += "\r\n".utf8
            }
            piece += "\r\n".utf8
        }
        if isLast { piece += "0\r\n\r\n".utf8 }
        output.append(body: piece)
    }

    func stop() {
        isStopping = true
        switch state {
        case .reading:
            // A request whose body is arriving is still served.
            if !reader.isReadingBody { state = .finished }
        case .responding(let body) where body.source is any HTTPLiveBodySource: state = .finished
        case .responding(var body):
            body.keepsAlive = false
            state = .responding(body)
        case .working, .finished: break
        }
    }
}
