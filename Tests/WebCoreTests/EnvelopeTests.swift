import JSON
import Testing
import WebServer

@testable import WebCore

@Suite struct EnvelopeTests {
    private func response(_ result: APIResult) throws -> JSON {
        let response = try HTTPServerResponse.enveloped(APIRequest(HTTPServerRequest(path: "/"))) {
            (_, writer) throws(APIError) in
            writer.integer(7)
            return result
        }
        return try JSON(parsing: response.body)
    }

    @Test func dataIsPutIntoTheEnvelope() throws {
        #expect(try response(APIResult()).encoded == #"{"status":"success","data":7}"#)
        #expect(
            try response(APIResult(warnings: ["w"], infos: ["i"])).encoded
                == #"{"status":"success","data":7,"warnings":["w"],"infos":["i"]}"#)
    }

    @Test func annotationsAreLimitedToTen() throws {
        let many = try response(APIResult(infos: (0..<12).map { "\($0)" }))["infos"]?.elements
        #expect(many?.count == 11)
        #expect(many?.last == "2 more info annotations omitted")
    }
}
