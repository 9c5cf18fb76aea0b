internal import CNghttp2

/// HTTP/2 on one connection, read and written by nghttp2: many concurrent requests, each on its own stream.
@safe final class HTTP2Session: ProtocolSession {
    private let context: SessionContext
    private var session: OpaquePointer?
    private var streams: [Int32: HTTP2Stream] = [:]
    private var ready: [SessionRequest] = []
    private var hasFailed = false
    private var isStopping = false
    let needsDraining = false

    private static let maximumStreams: UInt32 = 100
    private static let streamWindow: UInt32 = 256 << 10
    private static let connectionWindow: Int32 = 1 << 20
    /// The maximum number of bytes prepared for the socket at once.
    private static let outputBytes = 64 << 10

    /// `nil` without memory.
    init?(_ context: SessionContext) {
        self.context = context
        var callbacks: OpaquePointer?
        guard unsafe nghttp2_session_callbacks_new(&callbacks) == 0 else { return nil }
        defer { unsafe nghttp2_session_callbacks_del(callbacks) }
        unsafe HTTP2Callbacks.set(on: callbacks)
        let own = unsafe Unmanaged.passUnretained(self).toOpaque()
        guard unsafe nghttp2_session_server_new(&session, callbacks, own) == 0 else { return nil }
        let settings = [
            nghttp2_settings_entry(
                settings_id: Int32(NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS.rawValue), value: Self.maximumStreams),
            nghttp2_settings_entry(
                settings_id: Int32(NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE.rawValue), value: Self.streamWindow),
            nghttp2_settings_entry(
                settings_id: Int32(NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE.rawValue),
                value: UInt32(clamping: context.limits.headBytes)),
        ]
        unsafe nghttp2_submit_settings(session, 0, settings, settings.count)
        unsafe nghttp2_session_set_local_window_size(session, 0, 0, Self.connectionWindow)
    }

    deinit {
        unsafe nghttp2_session_del(session)
    }

    // MARK: State

    var phase: ConnectionPhase {
        var phase = ConnectionPhase.idle
        for stream in streams.values {
            switch stream.state {
            case .working: return .working
            case .responding where !stream.isWaiting: phase = .writing
            case .responding: if phase != .writing { phase = .live }
            case .receiving: if phase == .idle { phase = .body }
            }
        }
        return phase
    }

    var wantsInput: Bool { unsafe !hasFailed && nghttp2_session_want_read(session) != 0 }

    var isFinished: Bool {
        unsafe hasFailed || nghttp2_session_want_read(session) == 0 && nghttp2_session_want_write(session) == 0
    }

    var oldestUnfinished: Int32 { streams.lazy.filter { $0.value.state == .receiving }.map(\.key).min() ?? 0 }

    var retainedBytes: Int { streams.values.reduce(0) { $0 + $1.retainedBytes } }

    // MARK: Input

    func receive(_ bytes: UnsafeRawBufferPointer) {
        guard !hasFailed else { return }
        let start = unsafe bytes.baseAddress?.assumingMemoryBound(to: UInt8.self)
        // nghttp2 responds to a protocol error with GOAWAY. Other errors end the connection.
        if unsafe nghttp2_session_mem_recv(session, start, bytes.count) < 0 { hasFailed = true }
    }

    func inputEnded() {
        hasFailed = true
        for stream in streams.values { stream.abandonment.set() }
        streams = [:]
    }

    func nextRequest() -> SessionRequest? {
        ready.isEmpty ? nil : ready.removeFirst()
    }

    // MARK: Events of nghttp2

    func streamOpened(_ id: Int32) {
        streams[id] = HTTP2Stream(body: RequestBody(limit: context.limits.bodyBytes, budget: context.limits.budget))
    }

    func fieldArrived(_ id: Int32, name: String, value: String) {
        guard let stream = streams[id], stream.state == .receiving, stream.fault == nil else { return }
        stream.headerBytes += name.utf8.count + value.utf8.count + 32
        guard stream.headerBytes <= context.limits.headBytes, stream.headers.count < RequestHeadParser.maximumHeaders
        else {
            stream.fault = .headTooLarge
            return
        }
        guard stream.countHead(within: context.limits) else {
            stream.fault = .noMemoryForBody
            return
        }
        // nghttp2 has checked the grammar, and that no pseudo header is repeated.
        switch name {
        case ":method": stream.method = value
        case ":path": stream.target = Array(value.utf8)
        case ":scheme": break
        case ":authority", "host":
            if let host = stream.headers.first(where: { $0.name == "Host" }) {
                if !ASCIIText.equal(host.value, value) { stream.fault = .badRequest("contradicting hosts") }
            } else {
                stream.headers.append(("Host", value))
            }
        default: stream.headers.append((name, value))
        }
    }

    /// The head is complete.
    func headArrived(_ id: Int32) {
        guard let stream = streams[id], stream.state == .receiving else { return }
        if let fault = stream.fault ?? check(stream) { return refuse(id, fault) }
        let expects = stream.headers.contains { $0.name == "expect" && ASCIIText.equal($0.value, "100-continue") }
        if expects { unsafe HTTP2Response.submitContinue(session, id) }
    }

    private func check(_ stream: HTTP2Stream) -> HTTPFault? {
        let hosts = stream.headers.filter { $0.name == "Host" }
        guard hosts.count == 1, HTTPGrammar.isHost(hosts[0].value) else {
            return .badRequest("missing or malformed host")
        }
        guard stream.method != RequestHeadParser.tunnelMethod else {
            return HTTPFault(status: 501, reason: "method not implemented")
        }
        let isPath = stream.target.first == UInt8(ascii: "/") || stream.target == Array("*".utf8)
        guard isPath, stream.target.allSatisfy({ $0 > 0x20 && $0 < 0x7f && $0 != UInt8(ascii: "#") }) else {
            return .badRequest("malformed request target")
        }
        return nil
    }

    func bodyArrived(_ id: Int32, _ bytes: UnsafeRawBufferPointer) {
        guard let stream = streams[id], stream.state == .receiving, stream.fault == nil else { return }
        do throws(HTTPFault) {
            try unsafe stream.body.append(bytes)
        } catch {
            refuse(id, error)
        }
    }

    /// The client has sent the whole request.
    func requestArrived(_ id: Int32) {
        guard let stream = streams[id] else { return }
        stream.hasEnded = true
        guard stream.state == .receiving, stream.fault == nil else { return }
        let (bytes, charges) = stream.body.finish()
        guard let request = context.request(stream.method, stream.target, stream.headers, bytes) else {
            return refuse(id, .badRequest("malformed request target"))
        }
        if let fault = context.formFault(request) { return refuse(id, fault) }
        stream.state = .working
        ready.append(
            SessionRequest(
                stream: id, request: request, charges: charges + stream.headCharges,
                abandonment: stream.abandonment))
        stream.body = RequestBody(limit: 0, budget: context.limits.budget)
    }

    /// The response was sent, or one side has reset the stream.
    func streamClosed(_ id: Int32) {
        streams[id]?.abandonment.set()
        streams[id] = nil
    }

    /// The end of a response was sent. The rest of the request is not read.
    func responseSent(_ id: Int32) {
        guard let stream = streams[id], !stream.hasEnded else { return }
        unsafe nghttp2_submit_rst_stream(session, 0, id, NGHTTP2_NO_ERROR.rawValue)
    }

    // MARK: Responses

    private func refuse(_ id: Int32, _ fault: HTTPFault) {
        guard let stream = streams[id] else { return }
        stream.fault = fault
        stream.body = RequestBody(limit: 0, budget: context.limits.budget)
        stream.headers = []
        stream.headCharges = []
        send(context.onRefusal(fault), on: stream, id)
    }

    func respond(_ response: HTTPServerResponse, to id: Int32) {
        guard !hasFailed, let stream = streams[id], stream.state == .working else { return }
        (response.rest as? any HTTPLiveBodySource)?.whenReady(context.wake)
        send(response, on: stream, id)
    }

    private func send(_ response: HTTPServerResponse, on stream: HTTP2Stream, _ id: Int32) {
        context.hasServed = true
        let isBodiless = stream.method == "HEAD" || response.status == 204 || response.status == 304
        stream.begin(isBodiless ? HTTPServerResponse(status: response.status) : response)
        unsafe HTTP2Response.submit(session, id, response, hasBody: !isBodiless)
    }

    /// The next part of a body. nghttp2 requests it when the client's windows allow it.
    func bodyPiece(_ id: Int32, into buffer: UnsafeMutableRawBufferPointer) -> HTTP2Stream.Piece? {
        guard let stream = streams[id] else { return nil }
        return unsafe stream.read(into: buffer)
    }

    func fill(_ output: inout Output) {
        guard !hasFailed else { return }
        for (id, stream) in streams where stream.isWaiting { unsafe nghttp2_session_resume_data(session, id) }
        while output.count < Self.outputBytes {
            var bytes: UnsafePointer<UInt8>?
            let count = unsafe nghttp2_session_mem_send(session, &bytes)
            guard count > 0, let start = unsafe bytes else {
                if count < 0 { hasFailed = true }
                return
            }
            output.append { unsafe $0.append(contentsOf: UnsafeBufferPointer(start: start, count: count)) }
        }
    }

    func stop() {
        guard !isStopping, !hasFailed else { return }
        isStopping = true
        for stream in streams.values { stream.endLiveBody() }
        let last = unsafe nghttp2_session_get_last_proc_stream_id(session)
        unsafe nghttp2_submit_goaway(session, 0, last, NGHTTP2_NO_ERROR.rawValue, nil, 0)
    }
}
