internal import Glibc

/// Reads the head of a request strictly according to RFC 9112: anything that two servers could interpret differently is
/// rejected.
///
/// `@safe`: reads only inside `bytes`, which outlives the parser. Every loop over characters ends at a line end at the
/// latest, and the bytes end with an empty line.
@safe struct RequestHeadParser {
    private let bytes: UnsafeRawBufferPointer
    private var position = 0
    private var hosts: [String] = []
    private var lengths: [String] = []
    private var codings: [String] = []
    private var connection: [String] = []

    static let maximumHeaders = 100
    /// Asks for a tunnel. Every other method is that of a resource, which answers 405 to those it has not.
    static let tunnelMethod = "CONNECT"

    /// - Parameter bytes: the head, including the empty line.
    static func parse(_ bytes: UnsafeRawBufferPointer) throws(HTTPFault) -> RequestHead {
        var parser = unsafe RequestHeadParser(bytes: bytes)
        return try parser.head()
    }

    private init(bytes: UnsafeRawBufferPointer) {
        unsafe self.bytes = unsafe bytes
    }

    private mutating func head() throws(HTTPFault) -> RequestHead {
        var head = try requestLine()
        while let (name, value) = try field() {
            guard head.headers.count < Self.maximumHeaders else { throw .headTooLarge }
            note(name, value)
            head.headers.append((name, value))
        }
        try check(&head)
        return head
    }

    // MARK: Request line

    private mutating func requestLine() throws(HTTPFault) -> RequestHead {
        let method = try token(endingWith: 0x20, "method")
        let start = position
        while unsafe position < bytes.count, unsafe bytes[position] > 0x20, unsafe bytes[position] < 0x7f {
            position += 1
        }
        guard position > start, unsafe bytes[position] == 0x20 else { throw .badRequest("malformed request target") }
        let target = unsafe bytes[start..<position]
        position += 1
        let version = try version()
        guard method != Self.tunnelMethod else { throw HTTPFault(status: 501, reason: "method not implemented") }
        guard unsafe !target.contains(UInt8(ascii: "#")) else { throw .badRequest("fragment in request target") }
        return RequestHead(method: method, target: try unsafe origin(of: target, method), version: version)
    }

    /// The origin form of a target. The authority of an absolute URL is removed and must agree with `Host`.
    private mutating func origin(
        of target: Slice<UnsafeRawBufferPointer>, _ method: String
    ) throws(HTTPFault) -> [UInt8] {
        if unsafe target.first == UInt8(ascii: "/") { return unsafe Array(target) }
        if unsafe target.elementsEqual("*".utf8), method == "OPTIONS" { return Array("*".utf8) }
        let text = unsafe String(decoding: target, as: UTF8.self)
        for scheme in ["http://", "https://"] where ASCIIText.equal(text.prefix(scheme.count), scheme) {
            let rest = text.dropFirst(scheme.count)
            let authority = rest.prefix { $0 != "/" && $0 != "?" }
            guard !authority.isEmpty else { throw .badRequest("request target without host") }
            hosts.append(String(authority))
            let origin = rest.dropFirst(authority.count)
            return Array((origin.first == "/" ? "" : "/").utf8) + Array(origin.utf8)
        }
        throw .badRequest("malformed request target")
    }

    private mutating func version() throws(HTTPFault) -> RequestHead.Version {
        let start = position
        while unsafe position < bytes.count, unsafe bytes[position] != 0x0d { position += 1 }
        let text = unsafe String(decoding: bytes[start..<position], as: UTF8.self)
        try lineEnd()
        switch text {
        case "HTTP/1.1": return .http11
        case "HTTP/1.0": return .http10
        default:
            let digits = Array(text.utf8.dropFirst(5))
            let isWellFormed =
                text.hasPrefix("HTTP/") && digits.count == 3 && digits[1] == UInt8(ascii: ".")
                && Self.isDigit(digits[0]) && Self.isDigit(digits[2])
            throw isWellFormed
                ? HTTPFault(status: 505, reason: "HTTP version not supported") : .badRequest("malformed HTTP version")
        }
    }

    // MARK: Fields

    /// The next field, or `nil` at the empty line.
    private mutating func field() throws(HTTPFault) -> (name: String, value: String)? {
        if unsafe bytes[position] == 0x0d {
            try lineEnd()
            return nil
        }
        let name = try token(endingWith: UInt8(ascii: ":"), "header name")
        while Self.isBlank(unsafe bytes[position]) { position += 1 }
        let start = position
        while HTTPGrammar.isFieldContent(unsafe bytes[position]) { position += 1 }
        var end = position
        try lineEnd()
        while end > start, Self.isBlank(unsafe bytes[end - 1]) { end -= 1 }
        return (name, unsafe String(decoding: bytes[start..<end], as: UTF8.self))
    }

    private mutating func token(endingWith end: UInt8, _ what: String) throws(HTTPFault) -> String {
        let start = position
        while HTTPGrammar.isToken(unsafe bytes[position]) { position += 1 }
        guard position > start, unsafe bytes[position] == end else { throw .badRequest("malformed \(what)") }
        defer { position += 1 }
        return unsafe String(decoding: bytes[start..<position], as: UTF8.self)
    }

    /// Reads CRLF. The head ends with one, so that no loop over other characters passes the end of `bytes`.
    private mutating func lineEnd() throws(HTTPFault) {
        guard unsafe position + 1 < bytes.count, unsafe bytes[position] == 0x0d, unsafe bytes[position + 1] == 0x0a
        else {
            throw .badRequest("invalid character in the request head")
        }
        position += 2
    }

    /// Keeps the values of fields that determine how the message is read.
    private mutating func note(_ name: String, _ value: String) {
        switch name.utf8.count {
        case 4 where ASCIIText.equal(name, "Host"): hosts.append(value)
        case 14 where ASCIIText.equal(name, "Content-Length"): lengths.append(value)
        case 17 where ASCIIText.equal(name, "Transfer-Encoding"): codings.append(value)
        case 10 where ASCIIText.equal(name, "Connection"): connection.append(value)
        default: break
        }
    }

    // MARK: Checks across fields

    private func check(_ head: inout RequestHead) throws(HTTPFault) {
        try checkHost(&head)
        head.framing = try framing(head.version)
        let options = connection.flatMap { $0.split(separator: ",") }.map { ASCIIText.trimmed($0) }
        let closes = options.contains { ASCIIText.equal($0, "close") }
        let keeps = options.contains { ASCIIText.equal($0, "keep-alive") }
        head.keepsAlive = !closes && (head.version == .http11 || keeps)
        let expectations = head.headers.filter { ASCIIText.equal($0.name, "Expect") }
        guard expectations.allSatisfy({ ASCIIText.equal($0.value, "100-continue") }) else {
            throw HTTPFault(status: 417, reason: "expectation not supported")
        }
        head.expectsContinue = !expectations.isEmpty && head.version == .http11 && head.framing != .none
    }

    private func checkHost(_ head: inout RequestHead) throws(HTTPFault) {
        let sent = head.headers.count { ASCIIText.equal($0.name, "Host") }
        guard sent <= 1 else { throw .badRequest("duplicate Host header") }
        guard sent == 1 || head.version == .http10 else { throw .badRequest("missing Host header") }
        guard hosts.allSatisfy({ HTTPGrammar.isHost($0) }) else { throw .badRequest("malformed Host header") }
        guard hosts.allSatisfy({ ASCIIText.equal($0, hosts[0]) }) else {
            throw .badRequest("Host header and request target differ")
        }
    }

    private func framing(_ version: RequestHead.Version) throws(HTTPFault) -> RequestHead.Framing {
        guard codings.isEmpty else {
            guard version == .http11 else { throw .badRequest("Transfer-Encoding in HTTP/1.0") }
            guard lengths.isEmpty else { throw .badRequest("Content-Length with Transfer-Encoding") }
            guard codings.count == 1 else { throw .badRequest("duplicate Transfer-Encoding header") }
            if ASCIIText.equal(codings[0], "chunked") { return .chunked }
            guard HTTPGrammar.isCodingList(codings[0]) else { throw .badRequest("malformed Transfer-Encoding header") }
            throw HTTPFault(status: 501, reason: "transfer coding not implemented")
        }
        guard let text = lengths.first else { return .none }
        guard lengths.count == 1 else { throw .badRequest("duplicate Content-Length header") }
        guard !text.isEmpty, text.utf8.allSatisfy(Self.isDigit), text.utf8.count <= 18, let length = Int(text) else {
            throw .badRequest("malformed Content-Length header")
        }
        return length == 0 ? .none : .length(length)
    }

    private static func isDigit(_ byte: UInt8) -> Bool { byte >= 0x30 && byte <= 0x39 }
    private static func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 }
}
