import CurlHTTP
import Runtime
import Synchronization
import TestSupport
import Testing

@Suite struct HTTPClientTests {
    @Test func answerCarriesStatusHeadersAndBody() throws {
        let server = LoopbackServer { _ in
            .ok("hello", status: "418 Teapot", headers: "X-Constitutional-Hash: \t abc \r\n")
        }
        defer { server.stop() }
        let response = try HTTPClient().send(HTTPRequest(url: server.url))
        #expect(response.status == 418)
        #expect(response["x-constitutional-hash"] == "abc")
        #expect(response["absent"] == nil)
        #expect(response.body == Array("hello".utf8))
    }

    @Test func requestsInARowUseOneConnection() throws {
        let server = LoopbackServer { _ in .ok("") }
        defer { server.stop() }
        let client = HTTPClient()
        for _ in 0..<5 { _ = try client.send(HTTPRequest(url: server.url)) }
        #expect(server.connectionCount == 1)
    }

    @Test(arguments: ["POST", "PUT", "PATCH", "DELETE"]) func bodyIsSentWithEveryMethod(method: String) throws {
        let server = LoopbackServer { request in
            .ok(
                Array(
                    "\(request.line)|\(request.headers["expect"] ?? "-")|\(request.headers["content-type"] ?? "-")|"
                        .utf8) + request.body)
        }
        defer { server.stop() }
        let body = [UInt8](repeating: 0x61, count: 3000)
        let response = try HTTPClient().send(HTTPRequest(method: method, url: server.url + "/x?y=z", body: body))
        #expect(response.body == Array("\(method) /x?y=z HTTP/1.1|-|-|".utf8) + body)
    }

    @Test func emptyPostHasLengthZero() throws {
        let server = LoopbackServer { .ok("\($0.line) \($0.headers["content-length"] ?? "none")") }
        defer { server.stop() }
        let response = try HTTPClient().send(HTTPRequest(method: "POST", url: server.url))
        #expect(String(decoding: response.body, as: UTF8.self) == "POST / HTTP/1.1 0")
    }

    @Test func ownHeadersAreSentAndDefaultsStayOut() throws {
        let server = LoopbackServer { request in
            .ok(
                request.headers.filter { $0.key != "host" }.map { "\($0.key)=\($0.value)" }.sorted().joined(
                    separator: "\n"))
        }
        defer { server.stop() }
        var request = HTTPRequest(url: server.url, headers: [("X-Empty", ""), ("Content-Type", "a/b")])
        request.authorize(user: "Aladdin", password: "open sesame")
        let response = try HTTPClient().send(request)
        #expect(
            String(decoding: response.body, as: UTF8.self) == """
                accept=*/*
                authorization=Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==
                content-type=a/b
                user-agent=Tribune
                x-empty=
                """)
    }

    @Test(arguments: [
        ("", "", "Og=="), ("f", "o", "Zjpv"), ("fo", "o", "Zm86bw=="), ("a", "bc", "YTpiYw=="),
        ("aa", "bb", "YWE6YmI="),
    ])
    func basicCredentialsAreBase64(user: String, password: String, encoded: String) {
        var request = HTTPRequest(url: "")
        request.authorize(user: user, password: password)
        #expect(request.headers.map(\.value) == ["Basic \(encoded)"])
    }

    @Test func redirectsAreFollowedOnlyAsFarAsAllowed() throws {
        let server = LoopbackServer { request in
            let step = Int(request.target.dropFirst()) ?? 0
            if step == 3 { return .ok("there") }
            return .ok("", status: "302 Found", headers: "Location: /\(step + 1)\r\nX-Step: \(step)\r\n")
        }
        defer { server.stop() }
        let client = HTTPClient()
        var request = HTTPRequest(url: server.url + "/0")
        #expect(try client.send(request).status == 302)
        request.maximumRedirects = 3
        let response = try client.send(request)
        #expect(response.body == Array("there".utf8))
        #expect(response["X-Step"] == nil)
        request.maximumRedirects = 2
        #expect(throws: HTTPFailure.self) { try client.send(request) }
    }

    @Test func credentialsStayWithTheirHostOnARedirect() throws {
        let other = LoopbackServer { .ok($0.headers["authorization"] ?? "none") }
        defer { other.stop() }
        let server = LoopbackServer { _ in .ok("", status: "302 Found", headers: "Location: \(other.url)/\r\n") }
        defer { server.stop() }
        var request = HTTPRequest(url: server.url)
        request.maximumRedirects = 1
        request.authorize(credentials: "secret")
        #expect(try HTTPClient().send(request).body == Array("none".utf8))
    }

    @Test func failuresAreTold() {
        let hanging = LoopbackServer { _ in .hang }
        defer { hanging.stop() }
        let large = LoopbackServer { _ in .ok(String(repeating: "x", count: 1001)) }
        defer { large.stop() }
        let torn = LoopbackServer { _ in .bytesThenClose(Array("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc".utf8))
        }
        defer { torn.stop() }
        let closed = LoopbackServer { _ in .hang }
        closed.stop()
        func code(_ url: String, timeout: Int64 = 5000, method: String = "GET", header: String = "x") -> HTTPFailure
            .Code?
        {
            var request = HTTPRequest(
                method: method, url: url, headers: [("X-Test", header)], timeoutMilliseconds: timeout)
            request.maximumBodyBytes = 1000
            do throws(HTTPFailure) {
                _ = try HTTPClient().send(request)
                return nil
            } catch {
                return error.code
            }
        }
        #expect(code(hanging.url, timeout: 50) == .timeout)
        #expect(code(large.url) == .bodyTooLarge)
        #expect(code(torn.url) == .connect)
        #expect(code(closed.url) == .connect)
        #expect(code("http://no-such-host.invalid/") == .resolve)
        #expect(code("not a url") == .badURL)
        #expect(code("ftp://127.0.0.1/") == .badURL)
        #expect(code("file:///etc/passwd") == .badURL)
        #expect(code("http://127.0.0.1/\r\nX: y") == .badURL)
        #expect(code(large.url, method: "GET /") == .badRequest)
        #expect(code(large.url, header: "a\r\nb: c") == .badRequest)
    }

    @Test func refusedConnectionSaysWhy() {
        let closed = LoopbackServer { _ in .hang }
        closed.stop()
        do throws(HTTPFailure) {
            _ = try HTTPClient().send(HTTPRequest(url: closed.url))
            Issue.record("connected")
        } catch {
            #expect(error.message.contains("Connection refused"))
        }
    }

    /// libcurl keeps the buffer of a transfer that ends before there is a connection, and then refuses to set the
    /// size of the buffer.
    @Test func aFailedRequestDoesNotSpoilTheNext() throws {
        let server = LoopbackServer { .ok($0.line) }
        defer { server.stop() }
        let client = HTTPClient()
        for url in ["http://127.0.0.1:1/", "http://no-such-host.invalid/", "https://127.0.0.1:1/"] {
            #expect(throws: HTTPFailure.self) { try client.send(HTTPRequest(url: url, timeoutMilliseconds: 2000)) }
            let next = HTTPRequest(method: "POST", url: server.url, body: [1])
            #expect(try client.send(next).status == 200)
        }
        let multiplexer = try HTTPMultiplexer()
        var failing = HTTPRequest(url: "http://127.0.0.1:1/", timeoutMilliseconds: 2000)
        failing.maximumRedirects = 3
        for token in 0..<4 {
            let request = token % 2 == 0 ? failing : HTTPRequest(url: server.url)
            multiplexer.start(try PreparedRequest(request), token: token)
            var outcome: Result<HTTPResponse, HTTPFailure>?
            let deadline = SystemClock.monotonicNanoseconds() + 20_000_000_000
            while outcome == nil, SystemClock.monotonicNanoseconds() < deadline {
                multiplexer.run(until: deadline) { outcome = $1 }
            }
            if token % 2 == 0 {
                guard case .failure(let failure)? = outcome else { return #expect(Bool(false), "\(token)") }
                #expect(failure.code == .connect, "\(failure)")
            } else {
                #expect(throws: Never.self) { try outcome?.get() }
            }
        }
    }

    @Test func endlessHeaderIsCutOff() {
        let server = LoopbackServer { _ in
            .endless(
                head: Array("HTTP/1.1 200 OK\r\n".utf8),
                chunk: Array("X-Header: \(String(repeating: "y", count: 1000))\r\n".utf8))
        }
        defer { server.stop() }
        do throws(HTTPFailure) {
            _ = try HTTPClient().send(HTTPRequest(url: server.url))
            Issue.record("accepted")
        } catch {
            #expect(error.code == .other)
        }
    }
}
