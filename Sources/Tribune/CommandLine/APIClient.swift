internal import CurlHTTP
internal import JSON
internal import WebServer

/// Calls of Prometheus's HTTP API and of Tribune's own.
struct APIClient {
    /// The bearer token; `nil` for none.
    var token: String?
    private let server: String
    private let client = HTTPClient()

    /// A client of the server at `server`, a URL.
    init(_ server: String) {
        self.server = server.hasSuffix("/") ? String(server.dropLast()) : server
    }

    /// The answer to a form posted to `/api/v1/` + `path`. An error of the server is thrown with its text.
    func post(_ path: String, _ fields: [(String, String)]) throws(CommandFailure) -> JSON {
        var request = HTTPRequest(url: "\(server)/api/v1/\(path)")
        request.method = "POST"
        request.headers = [("Content-Type", "application/x-www-form-urlencoded")]
        let form = fields.map { "\(URLEncoding.escape($0.0))=\(URLEncoding.escape($0.1))" }.joined(separator: "&")
        request.body = Array(form.utf8)
        return try send(request)
    }

    /// The answer to JSON posted to `/api/v1/` + `path`.
    func post(_ path: String, json: [UInt8]) throws(CommandFailure) -> JSON {
        var request = HTTPRequest(url: "\(server)/api/v1/\(path)")
        request.method = "POST"
        request.headers = [("Content-Type", "application/json")]
        request.body = json
        return try send(request)
    }

    /// The answer to a GET of `/api/v1/` + `path`.
    func get(_ path: String) throws(CommandFailure) -> JSON {
        try send(HTTPRequest(url: "\(server)/api/v1/\(path)"))
    }

    private func send(_ request: HTTPRequest) throws(CommandFailure) -> JSON {
        var request = request
        if let token { request.authorize(credentials: token) }
        let response: HTTPResponse
        do throws(HTTPFailure) {
            response = try client.send(request)
        } catch {
            throw CommandFailure("\(request.url): \(error.message)")
        }
        let answer: JSON
        do throws(JSONError) {
            answer = try JSON(parsing: response.body)
        } catch {
            throw CommandFailure(
                "\(request.url) answered \(response.status), which is not Prometheus's API: \(error.description)")
        }
        guard answer["status"]?.text == "success" else {
            throw CommandFailure(
                "\(answer["errorType"]?.text ?? "error"): \(answer["error"]?.text ?? "\(response.status)")")
        }
        return answer
    }
}
