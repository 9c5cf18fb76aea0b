internal import Glibc
public import Runtime

/// A response with its whole body. A value.
public struct HTTPResponse: Sendable {
    /// The status code, such as 200.
    public var status: Int
    /// Header fields of the last response, after redirects.
    public var head: HTTPHead
    /// The body as received. A `Content-Encoding` is not decoded.
    public var body: [UInt8]
    /// The bytes that the body takes from the multiplexer's budget. They must be returned with the body.
    public internal(set) var budgeted = 0

    init(status: Int, head: HTTPHead, body: [UInt8]) {
        self.status = status
        self.head = head
        self.body = body
    }

    /// A response.
    public init(status: Int, headers: [(name: String, value: String)] = [], body: [UInt8] = []) {
        var head = HTTPHead()
        for field in headers { head.append(field.name, field.value) }
        self.init(status: status, head: head, body: body)
    }

    /// The body. The caller becomes its only owner, and can change it without a copy.
    public mutating func takeBody() -> [UInt8] {
        let taken = body
        body = []
        return taken
    }

    /// Header fields in order.
    public var headers: [(name: String, value: String)] { head.fields }

    /// The value of the first header field named `name`, ignoring case.
    public subscript(header: String) -> String? { head[header] }
}

/// Why there is no response.
public struct HTTPFailure: Error, Equatable, Sendable, CustomStringConvertible {
    /// The kind of failure.
    public enum Code: String, Equatable, Sendable {
        /// The host name cannot be resolved.
        case resolve
        /// No connection, or it was closed before the response was complete.
        case connect
        case timeout
        /// The peer's certificate, the client's certificate, or the handshake.
        case tls
        case bodyTooLarge
        /// The memory for all bodies is used up.
        case budgetExceeded
        case badURL
        /// A method, header or path that cannot be sent.
        case badRequest
        /// The ``OutgoingPolicy`` does not allow the connection.
        case refused
        /// The client was stopped.
        case cancelled
        case other
    }

    /// The kind of failure.
    public var code: Code
    /// The message, one line.
    public var message: String

    /// A failure.
    public init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    /// The message.
    public var description: String { message }
}

extension HTTPFailure {
    /// The system reports an error on a connection.
    static func system(_ code: Int32) -> HTTPFailure {
        HTTPFailure(.connect, "connection lost: " + (unsafe String(cString: strerror(code))))
    }

    /// The memory for all bodies in progress is used up.
    public static func budgetExceeded(_ budget: ByteBudget) -> HTTPFailure {
        HTTPFailure(.budgetExceeded, "the bodies in progress exceed the limit of \(budget.limit) bytes in total")
    }
}
