import TestSupport
import Testing
import WebServer

@Suite struct ResponseCompressionTests {
    private static let text = String(repeating: "compressible ", count: 1000)

    private func answer(_ accepted: String?, text: String = Self.text) throws -> RawHTTPClient.Answer? {
        var configuration = HTTPServerConfiguration()
        configuration.compressesResponses = true
        let server = try HTTPServer(configuration) { _ in .text(text) }
        defer { server.stop() }
        return RawHTTPClient.get(server.port, "/", headers: accepted.map { "Accept-Encoding: \($0)\r\n" } ?? "")
    }

    @Test(arguments: [
        ("gzip", "gzip"), ("deflate, gzip", "deflate"), ("br, gzip;q=0.5, deflate", "gzip"),
        ("gzip;q=0, deflate", "deflate"),
    ])
    func firstKnownEncodingIsUsed(accepted: String, used: String) throws {
        let answer = try answer(accepted)
        #expect(answer?.header("Content-Encoding") == used)
        #expect(answer?.header("Vary") == "Accept-Encoding")
        #expect(answer?.body.starts(with: used == "gzip" ? [0x1f, 0x8b] : [0x78]) == true)
        #expect(answer.map { $0.body.count < 500 } == true)
    }

    @Test(arguments: [nil, "br", "identity", "gzip;q=0", "gzip;q=0.000"])
    func nothingIsCompressedForOthers(accepted: String?) throws {
        let answer = try answer(accepted)
        #expect(answer?.header("Content-Encoding") == nil)
        #expect(answer?.text == Self.text)
    }

    @Test func shortBodiesAreLeftAlone() throws {
        #expect(try answer("gzip", text: "short")?.text == "short")
    }
}
