import Synchronization
import TestSupport
import Testing
import WebServer
import Zlib

@Suite struct BodySourceTests {
    /// Gives the numbers below `count`, each on a long line, in pieces of growing length up to 40 kB.
    private final class Numbers: HTTPBodySource, @unchecked Sendable {
        private let count: Int
        private var next = 0
        private let gone: @Sendable () -> Void

        init(below count: Int, gone: @escaping @Sendable () -> Void = {}) {
            self.count = count
            self.gone = gone
        }

        deinit {
            gone()
        }

        func appendPiece(to piece: inout [UInt8]) -> Bool {
            let end = min(count, next + 1 + min(next / 3, 40))
            for number in next..<end {
                piece += Array("\(number) ".utf8)
                piece += Self.filling
            }
            next = end
            return next < count
        }

        private static let filling = Array((String(repeating: "-", count: 999) + "\n").utf8)

        static func text(below count: Int) -> String {
            (0..<count).map { "\($0) " + String(decoding: filling, as: UTF8.self) }.joined()
        }
    }

    private func server(
        workers: Int = 2, compresses: Bool = false, stopSeconds: Double = 3,
        _ source: @escaping @Sendable (Int) -> Numbers = { Numbers(below: $0) }
    ) throws -> HTTPServer {
        var configuration = HTTPServerConfiguration()
        configuration.workers = workers
        configuration.compressesResponses = compresses
        configuration.timeouts.stopSeconds = stopSeconds
        return try HTTPServer(configuration) { request in
            guard let count = Int(request.path.dropFirst()) else { return .text("here") }
            return HTTPServerResponse(status: 200, body: Array("first\n".utf8), rest: source(count))
        }
    }

    @Test func bodiesMadePieceByPieceArriveWhole() throws {
        let server = try server()
        let client = RawHTTPClient(port: server.port)
        for count in [0, 1, 2, 100, 1000, 3] {
            client.send("GET /\(count) HTTP/1.1\r\nHost: x\r\n\r\n")
            let answer = try #require(client.answer())
            #expect(answer.header("Content-Length") == nil)
            #expect(answer.text == "first\n" + Numbers.text(below: count))
        }
        client.send("HEAD /100 HTTP/1.1\r\nHost: x\r\n\r\n")
        let head = try #require(client.answer(toHead: true))
        #expect(head.status == 200)
        #expect(head.header("Transfer-Encoding") == "chunked")
        #expect(head.header("Connection") == nil)
        server.stop()
    }

    @Test(arguments: ["gzip", "deflate"], [0, 1, 300])
    func theyAreCompressedOnTheWay(encoding: String, count: Int) throws {
        let server = try server(compresses: true)
        let answer = try #require(
            RawHTTPClient.get(server.port, "/\(count)", headers: "Accept-Encoding: \(encoding)\r\n"))
        #expect(answer.header("Content-Encoding") == encoding)
        #expect(answer.header("Vary") == "Accept-Encoding")
        let text = "first\n" + Numbers.text(below: count)
        #expect(try decompress(answer.body, limit: text.utf8.count) == Array(text.utf8))
        if count > 100 { #expect(answer.body.count < text.utf8.count / 2) }
        server.stop()
    }

    @Test func aClientThatDoesNotReadHoldsNoWorker() throws {
        let server = try server(workers: 1)
        let lazy = (0..<3).map { _ in RawHTTPClient(port: server.port) }
        // More than the sockets between the two can hold.
        for client in lazy { client.send("GET /20000 HTTP/1.1\r\nHost: x\r\n\r\n") }
        for _ in 0..<5 { #expect(RawHTTPClient.get(server.port, "/x")?.text == "here") }
        server.stop()
    }

    @Test func aSourceIsLetGoWhenTheClientLeaves() throws {
        final class Gone: Sendable { let count = Atomic<Int>(0) }
        let gone = Gone()
        let server = try server { Numbers(below: $0) { gone.count.wrappingAdd(1, ordering: .relaxed) } }
        let client = RawHTTPClient(port: server.port)
        client.send("GET /100000 HTTP/1.1\r\nHost: x\r\n\r\n")
        #expect(RawHTTPClient.get(server.port, "/x")?.text == "here")
        let before = gone.count.load(ordering: .relaxed)
        #expect(before == 0)
        client.hangUp()
        #expect(Loopback.eventually { gone.count.load(ordering: .relaxed) == 1 })
        server.stop()
    }

    @Test func aStopBreaksAnswersOff() throws {
        let server = try server(stopSeconds: 0.1)
        let client = RawHTTPClient(port: server.port)
        client.send("GET /100000 HTTP/1.1\r\nHost: x\r\n\r\n")
        #expect(RawHTTPClient.get(server.port, "/x")?.text == "here")
        server.stop()
        #expect(client.answer() == nil)
    }
}
