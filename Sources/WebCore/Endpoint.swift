public import Identity
public import JSON
public import WebServer

/// One operation of the HTTP API: methods, path, permission, parameters and handler. A value.
public struct Endpoint: Sendable {
    /// Methods of clients. `HEAD` is handled as `GET`, `OPTIONS` by the dispatcher.
    public enum Method: String, Sendable, CaseIterable {
        case get = "GET"
        case post = "POST"
        case put = "PUT"
        case delete = "DELETE"
    }

    /// Writes the `data` of Prometheus's envelope.
    public typealias DataHandler = @Sendable (APIRequest, inout JSONWriter) throws(APIError) -> APIResult
    /// Returns a complete response.
    public typealias ResponseHandler = @Sendable (APIRequest) -> HTTPServerResponse

    /// The handler of a request.
    public enum Handler: Sendable {
        case data(DataHandler)
        case response(ResponseHandler)
    }

    /// The content of the request body.
    public enum RequestBody: Sendable, Equatable {
        case none
        /// The parameters, as `application/x-www-form-urlencoded`, in place of the URL.
        case form
        case json
        /// Snappy-compressed protobuf of the remote write protocol.
        case remoteWrite
        /// Protobuf or JSON of OpenTelemetry's protocol OTLP, also compressed by gzip.
        case telemetry

        /// The longest body that is read, in bytes.
        var limit: Int {
            switch self {
            case .none: 64 << 10
            case .form: 10 << 20
            case .json: 16 << 20
            case .remoteWrite, .telemetry: 64 << 20
            }
        }
    }

    /// The content of a successful response.
    public enum ResponseKind: Sendable, Equatable {
        /// Prometheus's envelope: `{"status":"success","data":…}`.
        case data
        /// JSON without an envelope.
        case json
        case text
        /// Metrics in the text format or as OpenMetrics, as the client accepts.
        case metrics
        /// Status 200 or 204 without a body.
        case empty
        case redirect
        case eventStream
        /// Protobuf or JSON of OpenTelemetry's protocol OTLP, as the request.
        case telemetry
        case file(contentType: String)
    }

    /// How errors are written.
    public enum ErrorFormat: Sendable {
        /// Prometheus's envelope: `{"status":"error","errorType":…,"error":…}`.
        case envelope
        /// A JSON string, as Alertmanager does.
        case jsonString
        case text
        /// A page for a person, made by the handler; errors before the handler are plain text.
        case page
    }

    /// The methods of this endpoint.
    public let methods: [Method]
    /// The path.
    public let path: PathTemplate
    /// The permission that a client needs.
    public let permission: Permission
    /// One sentence for the reference.
    public let summary: String
    /// The parameters in the path, the URL and the form body.
    public let parameters: [Parameter]
    /// The content of the request body, for methods that have one.
    public let body: RequestBody
    /// The content of a successful response.
    public let response: ResponseKind
    /// How errors are written.
    public let errors: ErrorFormat
    /// Whether requests are refused with 503 until the store is open.
    public let needsStore: Bool
    /// Whether a request with a parameter that is not declared is refused with 400. Prometheus's own endpoints ignore
    /// such parameters.
    public let refusesUnknownParameters: Bool
    /// The text of a 405 response.
    public let methodMessage: String?
    /// Whether the handler may wait. Other endpoints with the permission `probe` are handled by the polling thread.
    public let isSlow: Bool
    /// Handles requests.
    public let handler: Handler
    /// Whether an identity that is limited to labels may use it: it returns nothing of other series.
    public private(set) var respectsLabels = false

    /// The status with which the handler says no. It is an answer, and no error of the client.
    public private(set) var refusalStatus: Int?

    /// This endpoint, whose handler says no with `status`.
    public func refusing(with status: Int) -> Endpoint {
        var endpoint = self
        endpoint.refusalStatus = status
        return endpoint
    }

    /// This endpoint, for identities that are limited to labels too.
    public func respectingLabels() -> Endpoint {
        var endpoint = self
        endpoint.respectsLabels = true
        return endpoint
    }

    /// An endpoint with Prometheus's envelope.
    public static func data(
        _ methods: [Method] = [.get], _ path: PathTemplate, _ summary: String, permission: Permission = .read,
        parameters: [Parameter] = [], body: RequestBody? = nil, needsStore: Bool = true,
        refusesUnknownParameters: Bool = false, _ handler: @escaping DataHandler
    ) -> Endpoint {
        Endpoint(
            methods: methods, path: path, permission: permission, summary: summary, parameters: parameters,
            body: body ?? (methods.contains(.post) ? .form : .none), response: .data, errors: .envelope,
            needsStore: needsStore, refusesUnknownParameters: refusesUnknownParameters,
            methodMessage: nil, isSlow: false, handler: .data(handler))
    }

    /// An endpoint that returns complete responses.
    public static func response(
        _ methods: [Method] = [.get], _ path: PathTemplate, _ summary: String, permission: Permission = .read,
        parameters: [Parameter] = [], body: RequestBody = .none, response: ResponseKind, errors: ErrorFormat = .text,
        needsStore: Bool = false, methodMessage: String? = nil, isSlow: Bool = false,
        _ handler: @escaping ResponseHandler
    ) -> Endpoint {
        Endpoint(
            methods: methods, path: path, permission: permission, summary: summary, parameters: parameters,
            body: body, response: response, errors: errors, needsStore: needsStore,
            refusesUnknownParameters: false, methodMessage: methodMessage, isSlow: isSlow,
            handler: .response(handler))
    }
}

extension Endpoint {
    /// Fails if `principal` is limited to labels, and this endpoint does not respect them.
    func checkLabels(_ principal: Principal) throws(APIError) {
        guard !principal.scope.labels.isEmpty, !respectsLabels, permission != .probe, permission != .session else {
            return
        }
        let names = principal.scope.labels.map(\.name).joined(separator: ", ")
        throw APIError(
            .forbidden,
            "\(principal.displayName) is limited to some series by \(names), which this request does not respect")
    }

    /// Fails if `call` has an unknown parameter.
    func checkParameters(_ call: APIRequest) throws(APIError) {
        guard refusesUnknownParameters else { return }
        let known = parameters.filter { $0.location == .query }.map(\.name)
        guard let unknown = call.parameters.first(where: { !known.contains($0.name) }) else { return }
        let list = known.isEmpty ? "it takes none" : "it takes \(known.joined(separator: ", "))"
        throw .invalid(unknown.name, "this request has no such parameter; \(list)")
    }
}

/// A path with path parameters in braces: `/api/v1/label/{name}/values`. A parameter takes one segment, which is not
/// empty.
public struct PathTemplate: Sendable, Hashable, ExpressibleByStringLiteral, CustomStringConvertible {
    /// The template as written.
    public let description: String
    /// The names of the path parameters in their order.
    public let parameterNames: [String]

    /// The template `text`.
    public init(_ text: String) {
        description = text
        parameterNames = Self.segments(of: text).compactMap {
            $0.first == "{" ? String($0.dropFirst().dropLast()) : nil
        }
    }

    /// The template `text`.
    public init(stringLiteral text: String) {
        self.init(text)
    }

    static func segments(of path: String) -> [Substring] {
        path.split(separator: "/", omittingEmptySubsequences: false)
    }
}
