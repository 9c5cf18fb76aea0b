/// The head of an HTTP/1 request, checked against RFC 9112.
struct RequestHead: Sendable {
    enum Version: Sendable {
        case http10
        case http11
    }

    /// How the length of the body is determined.
    enum Framing: Equatable, Sendable {
        case none
        case length(Int)
        case chunked
    }

    var method: String
    /// Path and query as sent, in origin form.
    var target: [UInt8]
    var version: Version
    var headers: [(name: String, value: String)] = []
    var framing = Framing.none
    /// Whether the client requested that the connection stay open.
    var keepsAlive = true
    /// Whether the client waits for `100 Continue` before it sends the body.
    var expectsContinue = false
}

/// Finds the end of a head in bytes that arrive in pieces, and rejects line ends other than CRLF.
struct HeadScanner {
    /// The number of bytes that were scanned.
    private var scanned = 0
    /// The start of the current line.
    private var line = 0
    /// The length of the request line; `nil` until it is complete.
    private(set) var requestLine: Int?

    /// The length of the head, including the empty line at its end; `nil` if it is not complete.
    ///
    /// `bytes` must start at the same place in every call, and grow.
    mutating func end(in bytes: UnsafeRawBufferPointer) throws(HTTPFault) -> Int? {
        while scanned < bytes.count {
            guard unsafe bytes[scanned] == 0x0a else {
                scanned += 1
                continue
            }
            guard scanned > line, unsafe bytes[scanned - 1] == 0x0d else { throw .badRequest("line without CRLF") }
            let isEmpty = scanned == line + 1
            scanned += 1
            line = scanned
            if requestLine == nil { requestLine = scanned }
            if isEmpty { return scanned }
        }
        return nil
    }
}
