internal import TLS

/// A request for a handler. A value; may be passed to other threads.
public struct HTTPServerRequest: Sendable {
    /// The method in upper case: `GET`.
    public var method: String
    /// The path without query, percent-decoded: `/api/v1/query`.
    public var path: String
    /// The decoded parameters of the URL, in order.
    public var query: [(name: String, value: String)]
    /// The headers in order, with names as sent.
    public var headers: [(name: String, value: String)]
    /// The body, within the server's limit.
    public var body: [UInt8]
    /// The sender.
    public var client: HTTPPeer
    /// The client's name from the authenticator; `nil` without authentication.
    public var identity: String?
    /// The connection, while a handler works on the request.
    var connection: ClientConnection?

    /// A request for a test.
    public init(
        method: String = "GET", path: String, query: [(name: String, value: String)] = [],
        headers: [(name: String, value: String)] = [], body: [UInt8] = [], peer: String = ""
    ) {
        self.init(
            method: method, path: path, query: query, headers: headers, body: body, client: HTTPPeer(address: peer))
    }

    init(
        method: String, path: String, query: [(name: String, value: String)],
        headers: [(name: String, value: String)], body: [UInt8], client: HTTPPeer
    ) {
        self.method = method
        self.path = path
        self.query = query
        self.headers = headers
        self.body = body
        self.client = client
    }

    /// The client's numeric address, without port; empty for a Unix socket.
    public var peer: String { client.address }

    /// The value of the first header named `name`, ignoring case.
    public subscript(header name: String) -> String? {
        headers.first { ASCIIText.equal($0.name, name) }?.value
    }

    /// User and password of basic authentication; `nil` where the header `Authorization` holds nothing of the kind.
    public var basicCredentials: (user: String, password: String)? {
        guard let value = self[header: "Authorization"], ASCIIText.equal(value.prefix(6), "Basic "),
            let bytes = Base64.bytes(value.dropFirst(6).drop { $0 == " " })
        else { return nil }
        let text = String(decoding: bytes, as: UTF8.self)
        guard let colon = text.firstIndex(of: ":") else { return nil }
        return (String(text[..<colon]), String(text[text.index(after: colon)...]))
    }

    /// The fields of an `application/x-www-form-urlencoded` body; empty for other bodies.
    public var form: [(name: String, value: String)] {
        hasForm ? URLEncoding.fields(of: body[...]) : []
    }

    /// Whether the body is a form.
    var hasForm: Bool {
        guard let type = self[header: "Content-Type"] else { return false }
        return ASCIIText.equal(ASCIIText.trimmed(type.prefix { $0 != ";" }), "application/x-www-form-urlencoded")
    }

    /// Whether the response is no longer needed: the client has closed the connection, or the server is stopping.
    ///
    /// A system call. Call it every few milliseconds, not in an inner loop.
    public var isClientGone: Bool { connection?.isGone ?? false }
}

/// ASCII rules of HTTP's grammar.
enum ASCIIText {
    static func lowercased(_ byte: UInt8) -> UInt8 {
        byte >= 0x41 && byte <= 0x5a ? byte | 0x20 : byte
    }

    static func equal(_ left: some StringProtocol, _ right: some StringProtocol) -> Bool {
        left.utf8.elementsEqual(right.utf8) { lowercased($0) == lowercased($1) }
    }

    static func trimmed(_ text: some StringProtocol) -> String {
        let isBlank: (UInt8) -> Bool = { $0 == 0x20 || $0 == 0x09 }
        let front = text.utf8.drop(while: isBlank)
        let back = front.reversed().drop(while: isBlank)
        return String(decoding: Array(back.reversed()), as: UTF8.self)
    }
}
