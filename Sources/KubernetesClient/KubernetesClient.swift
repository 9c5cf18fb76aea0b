public import CurlHTTP
public import JSON
internal import Runtime

/// Sends requests to one API server. Every call blocks until the response has arrived or its deadline has passed. May
/// be used from any thread.
public struct KubernetesClient: Sendable {
    /// Adds authentication and other settings to a request; may read files.
    public typealias Preparation = @Sendable (inout HTTPRequest) throws(HTTPFailure) -> Void

    private let server: KubernetesServer
    private let client: HTTPClient
    private let prepare: Preparation?

    /// The maximum length of a response.
    private static let bodyLimit = 4 << 20
    private static let tokenLimit = 64 << 10

    /// A client of `server` that uses the connections of `client`.
    ///
    /// - Parameter prepare: applied to each request after the settings of `server`.
    public init(_ server: KubernetesServer, client: HTTPClient, prepare: Preparation? = nil) {
        self.server = server
        self.client = client
        self.prepare = prepare
    }

    /// Reads the object at `path`, such as `/api/v1/namespaces/shop/services/cart`.
    ///
    /// - Parameter deadline: in nanoseconds of the monotonic clock.
    public func object(at path: String, by deadline: Int64) throws(KubernetesError) -> JSON {
        let answer = try send("GET", path, by: deadline)
        try Self.check(answer, "GET", path)
        do throws(JSONError) { return try JSON(parsing: answer.body) } catch {
            throw KubernetesError("GET \(path) answered \(error)")
        }
    }

    /// Sends a request with the server's token and certificate authorities. Returns a response of any status.
    ///
    /// - Parameters:
    ///   - deadline: in nanoseconds of the monotonic clock.
    ///   - type: the media type of `body`.
    public func send(
        _ method: String, _ path: String, by deadline: Int64, type: String? = nil, _ body: JSON? = nil
    ) throws(KubernetesError) -> HTTPResponse {
        let left = (deadline - SystemClock.monotonicNanoseconds()) / 1_000_000
        guard left > 0 else { throw KubernetesError("\(method) \(path): no response in time") }
        var request = try request(method, path, milliseconds: left)
        request.maximumBodyBytes = Self.bodyLimit
        if let type { request.headers.append(("Content-Type", type)) }
        if let body { request.body = Array(body.encoded.utf8) }
        return try perform(method, path) { client throws(HTTPFailure) in try client.send(request) }
    }

    /// A request with the credentials and authorities of the server.
    func request(_ method: String, _ path: String, milliseconds: Int64) throws(KubernetesError) -> HTTPRequest {
        var request = HTTPRequest(method: method, url: server.url + path, timeoutMilliseconds: milliseconds)
        request.headers = [("Accept", "application/json")]
        request.tls = server.tls
        request.proxy = server.proxy
        if let basic = server.basic { request.authorize(user: basic.user, password: basic.password) }
        if let token = server.token { request.authorize(credentials: token) }
        if let file = server.tokenFile { request.authorize(credentials: try token(file)) }
        if let file = server.authorityFile { request.tls.authorities = .file(file) }
        if let prepare {
            do throws(HTTPFailure) { try prepare(&request) } catch {
                throw KubernetesError("\(method) \(path): \(error.message)")
            }
        }
        return request
    }

    /// Runs `exchange` and adds the request to its error.
    func perform(
        _ method: String, _ path: String, _ exchange: (HTTPClient) throws(HTTPFailure) -> HTTPResponse
    ) throws(KubernetesError) -> HTTPResponse {
        do throws(HTTPFailure) { return try exchange(client) } catch {
            throw KubernetesError("\(method) \(path): \(error.message)")
        }
    }

    /// Throws unless `answer` is a success, with the meaning of its status and the API server's message.
    public static func check(_ answer: HTTPResponse, _ method: String, _ path: String) throws(KubernetesError) {
        guard answer.status != 200 else { return }
        let meaning =
            switch answer.status {
            case 401: " (the token is missing, wrong or expired)"
            case 403: " (the account may not do this)"
            case 404: " (there is no such object, or its kind is not installed)"
            case 409: " (changed by another writer)"
            case 415: " (this kind of patch is not accepted)"
            case 429: " (too many requests)"
            default: ""
            }
        // A response that is not JSON is shown unchanged.
        let message = (try? JSON(parsing: answer.body))?["message"]?.text
        let words = message ?? String(decoding: answer.body.prefix(200), as: UTF8.self)
        throw KubernetesError("\(method) \(path) answered \(answer.status)\(meaning): \(words)")
    }

    private func token(_ file: String) throws(KubernetesError) -> String {
        let bytes: [UInt8]
        do throws(FileText.ReadError) { bytes = try FileText.bytes(file, limit: Self.tokenLimit) } catch {
            throw KubernetesError("the token cannot be read: \(error)")
        }
        let words = bytes.split { $0 <= 0x20 }
        guard words.count == 1 else { throw KubernetesError("the token file \(file) must contain exactly one token") }
        return String(decoding: words[0], as: UTF8.self)
    }
}

/// Why a request to the API server failed.
public struct KubernetesError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The error, with the API server's message if there is one. Contains no token.
    public var description: String

    /// An error.
    public init(_ description: String) {
        self.description = description
    }
}
