/// An answer with its whole body. A value.
public struct HTTPResponse: Sendable {
    /// The status code, such as 200.
    public var status: Int
    /// Header fields of the last answer (after redirects) in the order they came.
    public var headers: [(name: String, value: String)]
    /// The body as it came over the wire; a `Content-Encoding` is not undone.
    public var body: [UInt8]

    /// An answer.
    public init(status: Int, headers: [(name: String, value: String)] = [], body: [UInt8] = []) {
        self.status = status
        self.headers = headers
        self.body = body
    }

    /// The value of the first header field called `name`, whatever the case of its letters.
    public subscript(header: String) -> String? {
        headers.first { field in
            field.name.utf8.count == header.utf8.count
                && zip(field.name.utf8, header.utf8).allSatisfy { Self.lowercased($0) == Self.lowercased($1) }
        }?.value
    }

    private static func lowercased(_ byte: UInt8) -> UInt8 {
        byte >= 0x41 && byte <= 0x5a ? byte | 0x20 : byte
    }
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
