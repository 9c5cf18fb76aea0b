internal import CMicroHTTP
internal import Runtime
internal import Synchronization

/// What stands between the polling thread and the workers: limits, the queue, and the handler.
final class RequestQueue: Sendable {
    /// Something for a worker to do; the connection is suspended meanwhile.
    private enum Job {
        case answer(Exchange)
        case makePiece(BodyStream)
    }

    private let limit: Int
    private let compresses: Bool
    private let brief: @Sendable (HTTPServerRequest) -> HTTPServerResponse?
    private let handler: @Sendable (HTTPServerRequest) -> HTTPServerResponse
    private let waiting: Mailbox<Job>
    let connections: ConnectionTable
    private let isStopping = Atomic<Bool>(false)
    /// Requests that went to a worker and whose answers are not sent to their end.
    private let underWay = Atomic<Int>(0)

    init(
        _ configuration: HTTPServerConfiguration,
        brief: @escaping @Sendable (HTTPServerRequest) -> HTTPServerResponse?,
        handler: @escaping @Sendable (HTTPServerRequest) -> HTTPServerResponse
    ) {
        limit = max(configuration.maximumBodyBytes, 0)
        compresses = configuration.compressesResponses
        self.brief = brief
        self.handler = handler
        // A connection waits for at most one answer or piece at a time, so that this never overflows.
        waiting = Mailbox(capacity: max(configuration.maximumConnections, 1))
        connections = ConnectionTable(
            capacity: configuration.maximumConnections, onEviction: configuration.onEviction)
    }

    /// Lets the workers finish what waits and refuses what comes after.
    func close() {
        isStopping.store(true, ordering: .sequentiallyConsistent)
        waiting.close()
    }

    /// Waits until what the workers answered has been sent, or until a client has been too slow for that.
    func waitUntilSent(limitNanoseconds: Int64) {
        let deadline = SystemClock.monotonicNanoseconds() + limitNanoseconds
        while underWay.load(ordering: .acquiring) > 0, SystemClock.monotonicNanoseconds() < deadline { usleep(200) }
    }

    // MARK: On the polling thread

    func completed(_ exchange: Exchange) {
        unsafe connections.heard(exchange.connection)
        if exchange.phase == .working { underWay.subtract(1, ordering: .releasing) }
    }

    func headersArrived(_ exchange: Exchange) -> MHD_Result {
        // An answer given here makes libmicrohttpd close the connection, so that only a body that will not be read gets one.
        if let length = exchange.announcedLength, length > limit { return exchange.queue(.bodyTooLarge, self) }
        if let length = exchange.announcedLength { exchange.body.reserveCapacity(min(length, 1 << 16)) }
        return .YES
    }

    func bodyArrived(_ bytes: UnsafeRawBufferPointer, _ exchange: Exchange) -> MHD_Result {
        unsafe connections.heard(exchange.connection)
        guard exchange.excess == 0, exchange.body.count + bytes.count <= limit else {
            // Of unknown length and too long. No answer can be given before its end: read on for a while, then hang up.
            exchange.body = []
            exchange.excess += bytes.count
            return exchange.excess <= limit + 1 << 20 ? .YES : .NO
        }
        unsafe exchange.body.append(contentsOf: bytes)
        return .YES
    }

    func requestArrived(_ exchange: Exchange) -> MHD_Result {
        if exchange.excess > 0 { return exchange.queue(.bodyTooLarge, self) }
        guard let request = exchange.request else { return exchange.queue(.badRequest, self) }
        if let response = brief(request) { return exchange.queue(encoded(response, request), self) }
        exchange.phase = .working
        underWay.add(1, ordering: .relaxed)
        unsafe connections.heard(exchange.connection, isHeld: true)
        unsafe MHD_suspend_connection(exchange.connection)
        if !waiting.send(.answer(exchange)) {
            exchange.response = .text("Service Unavailable", status: 503)
            unsafe MHD_resume_connection(exchange.connection)
        }
        return .YES
    }

    /// Has a worker make the next piece of `stream`, whose connection is suspended. False when the server is stopping.
    func makePiece(of stream: BodyStream) -> Bool {
        waiting.send(.makePiece(stream))
    }

    // MARK: On the workers

    /// Does what waits until `close`.
    func work() {
        while case .message(let job) = waiting.receive() {
            switch job {
            case .answer(let exchange):
                exchange.response = response(to: exchange)
                unsafe MHD_resume_connection(exchange.connection)
            case .makePiece(let stream): stream.makePiece()
            }
        }
    }

    private func response(to exchange: Exchange) -> HTTPServerResponse {
        guard var request = exchange.request else { return .badRequest }
        let connection = ClientConnection(descriptor: unsafe cmicrohttp_socket(exchange.connection)) { [self] in
            isStopping.load(ordering: .relaxed)
        }
        defer { connection.release() }
        request.connection = connection
        return encoded(handler(request), request)
    }

    private func encoded(_ response: HTTPServerResponse, _ request: HTTPServerRequest) -> HTTPServerResponse {
        guard compresses else { return response }
        var response = response
        response.compress(accepted: request[header: "Accept-Encoding"])
        return response
    }
}

extension HTTPServerResponse {
    fileprivate static var badRequest: HTTPServerResponse { .text("Bad Request", status: 400) }
    fileprivate static var bodyTooLarge: HTTPServerResponse { .text("Request Entity Too Large", status: 413) }
}
