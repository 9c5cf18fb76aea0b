import TestSupport
import Testing
import WebServer

/// Raw requests and the status each gets. Whatever two servers could understand differently is refused.
@Suite struct RequestShapeTests {
    static let shapes: [(name: String, bytes: String, status: Int)] = [
        // Line ends and the request line
        ("plain", "GET / HTTP/1.1\r\nHost: x\r\n\r\n", 200),
        ("one empty line before", "\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n", 200),
        ("two empty lines before", "\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        ("bare LF everywhere", "GET / HTTP/1.1\nHost: x\n\n", 400),
        ("bare LF after the request line", "GET / HTTP/1.1\nHost: x\r\n\r\n", 400),
        ("bare LF after a header", "GET / HTTP/1.1\r\nHost: x\n\r\n", 400),
        ("bare LF at the end", "GET / HTTP/1.1\r\nHost: x\r\n\n", 400),
        ("bare CR in a value", "GET / HTTP/1.1\r\nHost: x\r\nA: b\rc\r\n\r\n", 400),
        ("CR CR LF", "GET / HTTP/1.1\r\r\nHost: x\r\n\r\n", 400),
        ("two blanks", "GET  / HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        ("tab instead of blank", "GET\t/ HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        ("blank before the method", " GET / HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        ("blank after the version", "GET / HTTP/1.1 \r\nHost: x\r\n\r\n", 400),
        ("no version", "GET /\r\nHost: x\r\n\r\n", 400),
        ("no target", "GET HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        ("lower-case version", "GET / http/1.1\r\nHost: x\r\n\r\n", 400),
        ("HTTP/2.0", "GET / HTTP/2.0\r\nHost: x\r\n\r\n", 505),
        ("HTTP/1.2", "GET / HTTP/1.2\r\nHost: x\r\n\r\n", 505),
        ("HTTP/0.9", "GET / HTTP/0.9\r\nHost: x\r\n\r\n", 505),
        ("HTTP/1.10", "GET / HTTP/1.10\r\nHost: x\r\n\r\n", 400),
        ("HTTP/11", "GET / HTTP/11\r\nHost: x\r\n\r\n", 400),
        // Methods: the handler refuses those that a resource has not.
        ("lower-case method", "get / HTTP/1.1\r\nHost: x\r\n\r\n", 200),
        ("unknown method", "BREW / HTTP/1.1\r\nHost: x\r\n\r\n", 200),
        ("CONNECT", "CONNECT x:80 HTTP/1.1\r\nHost: x\r\n\r\n", 501),
        ("CONNECT", "CONNECT / HTTP/1.1\r\nHost: x\r\n\r\n", 501),
        ("HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
        ("method with a colon", "GE:T / HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        ("zero in the method", "G\0ET / HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        // Targets
        ("absolute target", "GET http://x/a HTTP/1.1\r\nHost: x\r\n\r\n", 200),
        ("absolute target of another host", "GET http://y/a HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        ("absolute target with user", "GET http://u@x/a HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        ("absolute target without host", "GET http:///a HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        ("target of another scheme", "GET ftp://x/a HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        ("relative target", "GET a HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        ("asterisk for OPTIONS", "OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", 200),
        ("asterisk for GET", "GET * HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        ("fragment", "GET /#a HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        ("control character in the target", "GET /\u{1} HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        ("byte beyond ASCII in the target", "GET /ä HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        ("malformed escape", "GET /%zz HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        ("escape cut off", "GET /%2 HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        ("long target", "GET /\(String(repeating: "a", count: 9000)) HTTP/1.1\r\nHost: x\r\n\r\n", 414),
        ("endless target", "GET /\(String(repeating: "a", count: 20000))", 414),
        // Hosts
        ("no Host", "GET / HTTP/1.1\r\n\r\n", 400),
        ("no Host in HTTP/1.0", "GET / HTTP/1.0\r\n\r\n", 200),
        ("two Hosts", "GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", 400),
        ("the same Host twice", "GET / HTTP/1.1\r\nHost: x\r\nhost: x\r\n\r\n", 400),
        ("empty Host", "GET / HTTP/1.1\r\nHost:\r\n\r\n", 200),
        ("Host with port", "GET / HTTP/1.1\r\nHost: x:9090\r\n\r\n", 200),
        ("IPv6 Host", "GET / HTTP/1.1\r\nHost: [::1]:9090\r\n\r\n", 200),
        ("Host with blank", "GET / HTTP/1.1\r\nHost: x y\r\n\r\n", 400),
        ("Host with path", "GET / HTTP/1.1\r\nHost: x/y\r\n\r\n", 400),
        ("Host with user", "GET / HTTP/1.1\r\nHost: u@x\r\n\r\n", 400),
        ("Host with a wrong port", "GET / HTTP/1.1\r\nHost: x:80a\r\n\r\n", 400),
        ("Host with an open bracket", "GET / HTTP/1.1\r\nHost: [::1\r\n\r\n", 400),
        // Headers
        ("blank before the colon", "GET / HTTP/1.1\r\nHost: x\r\nA : b\r\n\r\n", 400),
        ("tab before the colon", "GET / HTTP/1.1\r\nHost: x\r\nA\t: b\r\n\r\n", 400),
        ("folded header", "GET / HTTP/1.1\r\nHost: x\r\nA: b\r\n c\r\n\r\n", 400),
        ("folded first header", "GET / HTTP/1.1\r\n Host: x\r\n\r\n", 400),
        ("no colon", "GET / HTTP/1.1\r\nHost: x\r\nA\r\n\r\n", 400),
        ("no name", "GET / HTTP/1.1\r\nHost: x\r\n: b\r\n\r\n", 400),
        ("zero in a value", "GET / HTTP/1.1\r\nHost: x\r\nA: b\0c\r\n\r\n", 400),
        ("control character in a value", "GET / HTTP/1.1\r\nHost: x\r\nA: b\u{1}\r\n\r\n", 400),
        ("parenthesis in a name", "GET / HTTP/1.1\r\nHost: x\r\nA(: b\r\n\r\n", 400),
        ("byte beyond ASCII in a value", "GET / HTTP/1.1\r\nHost: x\r\nA: ä\r\n\r\n", 200),
        ("byte beyond ASCII in a name", "GET / HTTP/1.1\r\nHost: x\r\nÄ: b\r\n\r\n", 400),
        ("many headers", "GET / HTTP/1.1\r\nHost: x\r\n\(String(repeating: "A: b\r\n", count: 100))\r\n", 431),
        ("long headers", "GET / HTTP/1.1\r\nHost: x\r\nA: \(String(repeating: "b", count: 9000))\r\n\r\n", 431),
        ("endless headers", "GET / HTTP/1.1\r\nHost: x\r\n\(String(repeating: "A: b\r\n", count: 4000))", 431),
        ("unknown expectation", "POST / HTTP/1.1\r\nHost: x\r\nExpect: cake\r\nContent-Length: 1\r\n\r\na", 417),
        // Lengths
        ("length", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc", 200),
        ("two lengths", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd", 400),
        (
            "the same length twice", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc",
            400
        ),
        ("a list of lengths", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3, 3\r\n\r\nabc", 400),
        ("length with sign", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: +3\r\n\r\nabc", 400),
        ("negative length", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -3\r\n\r\nabc", 400),
        ("hexadecimal length", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0x3\r\n\r\nabc", 400),
        ("empty length", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length:\r\n\r\n", 400),
        ("length beyond 64 bits", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\n", 400),
        ("length beyond the limit", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1001\r\n\r\n", 413),
        // Transfer codings
        ("chunks", "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", 200),
        ("chunks in capitals", "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: CHUNKED\r\n\r\n0\r\n\r\n", 200),
        (
            "length and chunks",
            "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400
        ),
        (
            "chunks and length",
            "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n", 400
        ),
        (
            "two codings",
            "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            400
        ),
        ("chunked twice", "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n", 400),
        ("chunked not last", "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n", 400),
        ("another coding", "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501),
        ("identity", "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: identity\r\n\r\n", 501),
        ("empty coding", "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding:\r\n\r\n", 400),
        (
            "coding with vertical tab",
            "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: \u{b}chunked\r\n\r\n0\r\n\r\n", 400
        ),
        ("coding in HTTP/1.0", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        ("chunk size without digits", "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n\r\n\r\n", 400),
        (
            "chunk size with blank",
            "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3 \r\nabc\r\n0\r\n\r\n", 400
        ),
        (
            "chunk size with 0x",
            "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0x3\r\nabc\r\n0\r\n\r\n", 400
        ),
        (
            "negative chunk size",
            "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n-3\r\nabc\r\n0\r\n\r\n", 400
        ),
        (
            "huge chunk size", "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n",
            413
        ),
        (
            "chunk with bare LF", "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\nabc\r\n0\r\n\r\n",
            400
        ),
        (
            "chunk longer than its size",
            "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n0\r\n\r\n", 400
        ),
        (
            "chunk extension",
            "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3;a=b\r\nabc\r\n0\r\n\r\n", 200
        ),
        (
            "LF in a chunk extension",
            "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3;a\nabc\r\n0\r\n\r\n", 400
        ),
        (
            "endless chunk extension",
            "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3;\(String(repeating: "a", count: 20000))",
            431
        ),
        ("trailer", "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nA: b\r\n\r\n", 200),
        ("malformed trailer", "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nA b\r\n\r\n", 400),
        (
            "chunks beyond the limit",
            "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3e9\r\n\(String(repeating: "a", count: 1001))\r\n0\r\n\r\n",
            413
        ),
    ]

    private func server() throws -> HTTPServer {
        var configuration = HTTPServerConfiguration()
        configuration.maximumBodyBytes = 1000
        configuration.maximumHeaderBytes = 8192
        return try HTTPServer(configuration) { .text("\($0.body.count)") }
    }

    @Test func everyShapeGetsItsStatus() throws {
        let server = try server()
        for shape in Self.shapes {
            let client = RawHTTPClient(port: server.port)
            client.send(shape.bytes)
            let answer = client.answer()
            #expect(answer?.status == shape.status, "\(shape.name): \(answer?.text ?? "no response")")
            guard shape.status != 200 else { continue }
            // Nothing after it is treated as a request.
            #expect(answer?.header("Connection") == "close", "\(shape.name)")
            #expect(client.isClosed(), "\(shape.name)")
        }
        server.stop()
    }

    @Test func piecesOfAnySizeMakeNoDifference() throws {
        let server = try server()
        for shape in Self.shapes where shape.bytes.utf8.count < 200 {
            let client = RawHTTPClient(port: server.port)
            for character in shape.bytes.unicodeScalars { client.send(String(character)) }
            #expect(client.answer()?.status == shape.status, "\(shape.name)")
        }
        server.stop()
    }

    @Test func whatIsUnderstoodDoesNotDependOnThePieces() {
        let all = Self.shapes.map { Array($0.bytes.utf8) }
        // Also behind a request on the same connection, and with the next request behind.
        let get = Array("GET /next HTTP/1.1\r\nHost: x\r\n\r\n".utf8)
        for bytes in all + all.map({ get + $0 + get }) {
            let whole = RequestTrace.lines(of: [bytes[...]])
            for size in [1, 2, 3, 7, 64, 1000] {
                let pieces = stride(from: 0, to: bytes.count, by: size).map { bytes[$0..<min($0 + size, bytes.count)] }
                #expect(
                    RequestTrace.lines(of: pieces) == whole, "\(String(decoding: bytes.prefix(200), as: UTF8.self))")
            }
        }
    }

    @Test func aBodyIsNotTakenForARequest() throws {
        let server = try server()
        let client = RawHTTPClient(port: server.port)
        let inner = "GET /inner HTTP/1.1\r\nHost: x\r\n\r\n"
        client.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: \(inner.utf8.count)\r\n\r\n\(inner)")
        #expect(client.answer()?.text == "\(inner.utf8.count)")
        client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        #expect(client.answer()?.text == "0")
        server.stop()
    }

    @Test func clientsThatWaitAreToldToContinue() throws {
        let server = try server()
        let client = RawHTTPClient(port: server.port)
        client.send("POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n")
        #expect(client.answer(toHead: true)?.status == 100)
        client.send("abc")
        #expect(client.answer()?.text == "3")
        client.send("POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 3000\r\n\r\n")
        #expect(client.answer()?.status == 413)
        server.stop()
    }

    @Test func clientsOfHTTP10GetNoChunksAndMayKeepTheConnection() throws {
        let server = try server()
        let client = RawHTTPClient(port: server.port)
        client.send("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
        #expect(client.answer()?.header("Connection") == "keep-alive")
        client.send("GET / HTTP/1.0\r\n\r\n")
        #expect(client.answer()?.header("Connection") == "close")
        #expect(client.isClosed())
        server.stop()
    }
}
