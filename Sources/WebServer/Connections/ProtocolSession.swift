/// The event that a connection waits for. Determines its deadlines and the order of eviction.
enum ConnectionPhase: UInt8, Sendable {
    /// The head of a request: from the connect or handshake to its last byte.
    case head
    /// The next request.
    case idle
    /// The rest of a request body.
    case body
    /// A running or queued handler.
    case working
    /// The client, which must receive data.
    case writing
    /// An open response without data to send at the moment.
    case live
    /// The last response was sent. Input is read and discarded, so that the client receives the response.
    case draining
}

/// The protocol of one connection, without IO: bytes in and requests out, responses in and bytes out. Used by one
/// thread at a time, under the connection's lock.
protocol ProtocolSession: AnyObject {
    var phase: ConnectionPhase { get }
    /// Whether more input can be accepted.
    var wantsInput: Bool { get }
    /// Whether the connection must be closed when the output was sent.
    var isFinished: Bool { get }
    /// Whether the client may still be sending data that is not read, so that an immediate close could lose the
    /// response.
    var needsDraining: Bool { get }

    /// The stream of the oldest request that has begun and not arrived completely; 0 for none, and where ``phase`` says
    /// it.
    var oldestUnfinished: Int32 { get }

    /// The size of responses in memory besides the output, in bytes.
    var retainedBytes: Int { get }

    func receive(_ bytes: UnsafeRawBufferPointer)
    /// The client will send no more data.
    func inputEnded()
    /// The next complete request.
    func nextRequest() -> SessionRequest?
    func respond(_ response: HTTPServerResponse, to stream: Int32)
    /// Appends bytes to an empty output, if there are any.
    func fill(_ output: inout Output)
    /// The server is stopping: responses that wait for events end, and no more requests are accepted.
    func stop()
}

/// A complete request and the stream of its connection for the response; 0 with HTTP/1.
struct SessionRequest: Sendable {
    var stream: Int32
    var request: HTTPServerRequest
    /// Its body's share of the budget.
    var charges: [ByteCharge]
    /// Set when the client no longer waits, for protocols in which a stream can end without its connection.
    var abandonment: Abandonment?
}
