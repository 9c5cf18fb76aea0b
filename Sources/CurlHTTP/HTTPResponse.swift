internal import Glibc
public import Runtime

/// An answer with its whole body. A value.
public struct HTTPResponse: Sendable {
    /// The status code, such as 200.
    public var status: Int
    /// Header fields of the last answer (after redirects).
    public var head: HTTPHead
    /// The body as it came over the wire; a `Content-Encoding` is not undone.
    public var body: [UInt8]
    /// The bytes that the body takes from the multiplexer's budget; to be returned with the body.
    public internal(set) var budgeted = 0

    init(status: Int, head: HTTPHead, body: [UInt8]) {
        self.status = status
        self.head = head
        self.body = body
    }

    /// An answer.
    public init(status: Int, headers: [(name: String, value: String)] = [], body: [UInt8] = []) {
        var head = HTTPHead()
        for field in headers { head.append(field.name, field.value) }
        self.init(status: status, head: head, body: body)
    }

    /// The body, of which the caller becomes the only owner: it can be changed without being copied.
    public mutating func takeBody() -> [UInt8] {
        let taken = body
        body = []
        return taken
    }

    /// Header fields in the order they came.
    public var headers: [(name: String, value: String)] { head.fields }

    /// The value of the first header field called `name`, whatever the case of its letters.
    public subscript(header: String) -> String? { head[header] }
}

/// Why there is no answer.
public struct HTTPFailure: Error, Equatable, Sendable, CustomStringConvertible {
    /// The kind of failure.
    public enum Code: String, Equatable, Sendable {
        /// The host's name has no address.
        case resolve
        /// No connection, or it broke before the answer was whole.
        case connect
        case timeout
        /// The peer's certificate, our own, or the handshake.
        case tls
        case bodyTooLarge
        /// Other bodies take up all the memory there is for them.
        case budgetExceeded
        case badURL
        /// A method, header or path that cannot be sent.
        case badRequest
        /// The client was stopped.
        case cancelled
        case other
    }

    /// The kind of failure.
    public var code: Code
    /// One line for an operator.
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
    /// The system refuses to go on with a connection.
    static func system(_ code: Int32) -> HTTPFailure {
        HTTPFailure(.connect, "the connection broke: " + (unsafe String(cString: strerror(code))))
    }

    /// The memory for bodies that are under way is used up.
    public static func budgetExceeded(_ budget: ByteBudget) -> HTTPFailure {
        HTTPFailure(.budgetExceeded, "the bodies under way exceed the limit of \(budget.limit) bytes in total")
    }
}
