import CurlHTTP
import Foundation
import JSON
import Runtime
import TestSupport
import Testing

/// The HTTP API of a running service against the OpenAPI document that describes it.
@Suite(.serialized) struct HTTPAPITests {
    private struct Operation {
        var method: String
        var path: String
        var json: JSON

        var parameters: [JSON] { json["parameters"]?.elements ?? [] }

        /// Whether the response does not end.
        var isStream: Bool { json["responses"]?["200"]?["content"]?["text/event-stream"] != nil }

        /// The required parameters of the URL.
        var required: [JSON] { parameters.filter { $0["in"] == "query" && $0["required"] == true } }

        /// The path with sample values for its parameters.
        var samplePath: String {
            parameters.filter { $0["in"] == "path" }.reduce(path) { path, parameter in
                let name = parameter["name"]?.text ?? ""
                let id = "0b4e1f2a-1111-4222-8333-444455556666"
                let value = name == "id" ? id : parameter["schema"]?["enum"]?.elements?.first?.text ?? "up"
                return path.replacing("{\(name)}", with: value)
            }
        }

        /// The path with sample values for required parameters, but for those in `omitted`.
        func target(without omitted: JSON? = nil) -> String {
            let query = required.filter { $0 != omitted }.map { parameter in
                "\(parameter["name"]?.text ?? "")=\(Self.sample(parameter["schema"] ?? nil))"
            }
            return samplePath + (query.isEmpty ? "" : "?" + query.joined(separator: "&"))
        }

        private static func sample(_ schema: JSON) -> String {
            let format = schema["items"]?["format"]?.text ?? schema["format"]?.text
            return switch format {
            case "promql", "selector": "up"
            case "duration": "5"
            default: "10"
            }
        }

        /// The media types of responses with `status`.
        func contentTypes(_ status: Int) -> [String] {
            let responses = json["responses"]
            let success = ["\(status)", status < 300 ? "2XX" : ""].lazy.compactMap { responses?[$0] }.first
            return (success ?? responses?["default"])?["content"]?.members?.map(\.name) ?? []
        }
    }

    private static func operations(_ document: JSON) -> [Operation] {
        (document["paths"]?.members ?? []).flatMap { path in
            (path.value.members ?? []).map {
                Operation(method: $0.name.uppercased(), path: path.name, json: $0.value)
            }
        }
    }

    private func send(_ method: String, _ target: String, to server: RunningTribune) throws -> HTTPResponse {
        var request = HTTPRequest(url: "http://127.0.0.1:\(server.port)\(target)")
        request.method = method
        return try HTTPClient().send(request)
    }

    private func text(_ response: HTTPResponse) -> String { String(decoding: response.body, as: UTF8.self) }

    @Test func everyEndpointAnswersAsItsDocumentSays() throws {
        let server = try RunningTribune(
            ["prometheus.yml": "global: {}\n"], config: "prometheus.yml", flags: ["--web.enable-admin-api"])
        let served = try server.get("/api/v1/openapi.json")
        let document = try JSON(parsing: served.body)
        let operations = Self.operations(document)
        #expect(operations.count > 60)
        for operation in operations where !operation.isStream {
            let name = "\(operation.method) \(operation.path)"
            let response = try send(operation.method, operation.target(), to: server)
            #expect(text(response) != "404 page not found\n", "\(name)")
            #expect(response.status != 405 && response.status != 500, "\(name)")
            if !response.body.isEmpty {
                let type = String(response["Content-Type"]?.prefix { $0 != ";" } ?? "")
                #expect(operation.contentTypes(response.status).contains(type), "\(name): \(response.status) \(type)")
            }
            // A request with every required parameter is understood; one without any of them is not.
            if operation.method == "GET" {
                #expect(response.status != 400, "\(name): \(text(response))")
                for parameter in operation.required {
                    let status = try send("GET", operation.target(without: parameter), to: server).status
                    // The permission is checked before the parameters.
                    let expected = response.status == 401 ? 401 : 400
                    #expect(status == expected, "\(name) without \(parameter["name"]?.text ?? "")")
                }
            }
        }
    }

    @Test func nothingElseAnswers() throws {
        let server = try RunningTribune(["prometheus.yml": "global: {}\n"], config: "prometheus.yml")
        let operations = Self.operations(try JSON(parsing: try server.get("/api/v1/openapi.json").body))
        let methods = Dictionary(grouping: operations, by: \.path).mapValues { Set($0.map(\.method)) }
        for operation in operations {
            for method in ["GET", "POST", "PUT", "DELETE", "PATCH", "TRACE", "QUERY", "get"]
            where methods[operation.path]?.contains(method) == false {
                let response = try send(method, operation.samplePath, to: server)
                #expect(response.status == 405, "\(method) \(operation.path): \(response.status)")
                let allowed = Set((response["Allow"] ?? "").split(separator: ", ").map(String.init))
                #expect(allowed == methods[operation.path]?.union(["OPTIONS"]), "\(operation.path)")
            }
            if !operation.path.contains("{") {
                #expect(try send("GET", operation.path + "-x", to: server).status == 404, "\(operation.path)-x")
            }
        }
    }

    @Test func theCommandPrintsWhatTheServerServes() throws {
        let server = try RunningTribune(["prometheus.yml": "global: {}\n"], config: "prometheus.yml")
        let printed = try TribuneProgram.run(["openapi"])
        #expect(printed.exit == .code(0))
        #expect(try JSON(parsing: Array(printed.output.utf8)) == JSON(parsing: server.get("/api/v1/openapi.json").body))
    }

    @Test func theReferenceIsMadeOfTheTable() throws {
        let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        let page = try String(contentsOf: root.appending(path: "docs/api/http-api.md"), encoding: .utf8)
        let printed = try TribuneProgram.run(["openapi", "--markdown"]).output
        #expect(page == printed, "write it anew with: tribune openapi --markdown > docs/api/http-api.md")
    }
}
