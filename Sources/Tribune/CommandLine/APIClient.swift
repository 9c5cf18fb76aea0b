internal import CurlHTTP
internal import Identity
internal import JSON
internal import WebServer

/// A client of Prometheus's and Tribune's HTTP APIs.
struct APIClient {
    /// The bearer token; `nil` to send none.
    var token: String?
    /// The whole header field `Authorization`, such as that of a password; `nil` to send a token or nothing.
    var authorization: String?
    private let server: String
    private let client = HTTPClient()
    /// The socket of a server on this machine; `nil` for none.
    private let socket: String?
    /// The token that a server on this machine has written to a file; `nil` for none.
    private let localToken: String?

    /// A client of the server at `server`, a URL. For a server on this machine it finds socket and token by itself.
    init(_ server: String) {
        self.server = server.hasSuffix("/") ? String(server.dropLast()) : server
        (socket, localToken) = Self.localPort(of: server).map { LocalAccess.find(port: $0) } ?? (nil, nil)
    }

    /// The port of a URL of this machine; `nil` for another one.
    private static func localPort(of url: String) -> Int? {
        guard let scheme = ["http://", "https://"].first(where: url.hasPrefix) else { return nil }
        let authority = url.dropFirst(scheme.count).prefix { $0 != "/" }
        let port = authority.split(separator: ":").last.flatMap { Int($0) }
        let host = authority.drop { $0 == "[" }.prefix { $0 != "]" && (authority.first == "[" || $0 != ":") }
        guard host == "localhost" || host == "::1" || host.hasPrefix("127.") else { return nil }
        return port ?? (url.hasPrefix("https") ? 443 : 80)
    }

    /// The response to a form posted to `/api/v1/` + `path`. An error of the server is thrown with its text.
    func post(_ path: String, _ fields: [(String, String)]) throws(CommandFailure) -> JSON {
        var request = HTTPRequest(url: "\(server)/api/v1/\(path)")
        request.method = "POST"
        request.headers = [("Content-Type", "application/x-www-form-urlencoded")]
        let form = fields.map { "\(URLEncoding.escape($0.0))=\(URLEncoding.escape($0.1))" }.joined(separator: "&")
        request.body = Array(form.utf8)
        return try send(request)
    }

    /// The response to JSON posted to `/api/v1/` + `path`.
    func post(_ path: String, json: [UInt8]) throws(CommandFailure) -> JSON {
        var request = HTTPRequest(url: "\(server)/api/v1/\(path)")
        request.method = "POST"
        request.headers = [("Content-Type", "application/json")]
        request.body = json
        return try send(request)
    }

    /// The response to a GET of `/api/v1/` + `path`.
    func get(_ path: String) throws(CommandFailure) -> JSON {
        try send(HTTPRequest(url: "\(server)/api/v1/\(path)"))
    }

    /// The response to a DELETE of `/api/v1/` + `path`.
    func delete(_ path: String) throws(CommandFailure) -> JSON {
        try send(HTTPRequest(method: "DELETE", url: "\(server)/api/v1/\(path)"))
    }

    private func send(_ request: HTTPRequest) throws(CommandFailure) -> JSON {
        let response: HTTPResponse
        do throws(HTTPFailure) {
            response = try exchange(request)
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

    /// Over the socket where there is one, else with a token. A token that the user gave comes first.
    private func exchange(_ request: HTTPRequest) throws(HTTPFailure) -> HTTPResponse {
        var direct = request
        if let authorization {
            direct.headers.append(("Authorization", authorization))
            return try client.send(direct)
        }
        if let token = token ?? localToken { direct.authorize(credentials: token) }
        guard token == nil, let socket else { return try client.send(direct) }
        var local = request
        local.unixSocket = socket
        // Unix sockets speak no TLS.
        if request.url.hasPrefix("https://") { local.url = "http://" + request.url.dropFirst(8) }
        do throws(HTTPFailure) {
            return try client.send(local)
        } catch {
            // A socket that a dead process left behind refuses every connection.
            guard error.code == .connect else { throw error }
            return try client.send(direct)
        }
    }
}
