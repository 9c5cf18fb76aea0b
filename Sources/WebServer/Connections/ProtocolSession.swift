/// What a connection waits for; its deadlines and its place in the order of eviction follow from it.
enum ConnectionPhase: UInt8, Sendable {
    /// Between connect or handshake and the first request's last byte of the head, or in a later head.
    case head
    /// For the next request.
    case idle
    /// For the rest of a request body.
    case body
    /// A handler works on a request, or one is queued.
    case working
    /// The client has to take bytes.
    case writing
    /// A response is open and has nothing to send at the moment.
    case live
    /// The last response is sent; what the client still sends is read and dropped, so that it sees the response.
    case draining
}

/// The protocol of one connection, without IO: bytes come in and requests go out, responses come in and bytes go out.
/// Used by one thread at a time, which the connection's lock sees to.
protocol ProtocolSession: AnyObject {
    var phase: ConnectionPhase { get }
    /// Whether bytes from the client can be taken now.
    var wantsInput: Bool { get }
    /// Whether the connection is to be closed once the output is sent.
    var isFinished: Bool { get }
    /// Whether the client may still be sending what nobody reads, so that closing at once could lose the response.
    var needsDraining: Bool { get }

    /// Bytes of responses that are in memory besides the output.
    var retainedBytes: Int { get }

    func receive(_ bytes: UnsafeRawBufferPointer)
    /// The client will send nothing more.
    func inputEnded()
    /// The next request that is complete.
    func nextRequest() -> SessionRequest?
    func respond(_ response: HTTPServerResponse, to stream: Int32)
    /// Appends bytes to an empty output where there are any.
    func fill(_ output: inout Output)
    /// The server stops: open responses that wait for events end, and no further request is taken.
    func stop()
}

/// A complete request and the stream of its connection that gets the response; 0 with HTTP/1.
struct SessionRequest: Sendable {
    var stream: Int32
    var request: HTTPServerRequest
    /// What its body holds of the budget.
    var charges: [ByteCharge]
    /// Set when the client no longer waits, where streams end without their connection.
    var abandonment: Abandonment?
}
