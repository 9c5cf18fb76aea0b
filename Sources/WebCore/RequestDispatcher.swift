public import Identity
public import Instrumentation
internal import Runtime
public import WebServer

/// Handles HTTP requests according to the ``EndpointTable``. Any number of threads may use it at once.
///
/// Does no IO: requests and responses are values. ``WebRunner`` connects it to a server.
public final class RequestDispatcher: Sendable {
    /// The parts that the dispatcher needs besides the table.
    public struct Context: Sendable {
        /// The address and the origins of the server.
        public var settings: WebSettings
        /// The access policy.
        public var accessControl: AccessControl
        /// Whether the store is open.
        public var isReady: @Sendable () -> Bool

        /// A context with these parts.
        public init(
            settings: WebSettings = WebSettings(), accessControl: AccessControl = AccessControl(),
            isReady: @escaping @Sendable () -> Bool = { true }
        ) {
            self.settings = settings
            self.accessControl = accessControl
            self.isReady = isReady
        }
    }

    /// The endpoints.
    public let table: EndpointTable
    private let context: Context
    private let requests: RequestInstruments
    let registry: Registry

    /// A dispatcher for `table`, which counts requests in `registry`.
    public init(_ table: EndpointTable, _ context: Context, registry: Registry) {
        self.table = table
        self.context = context
        self.registry = registry
        requests = RequestInstruments(registry: registry)
    }

    /// The response to `request`. May block for the duration of a query.
    public func response(to request: HTTPServerRequest) -> HTTPServerResponse {
        let began = SystemClock.monotonicNanoseconds()
        guard let (resource, pathParameters) = find(request.path) else {
            context.accessControl.askedForUnknown(request)
            count("unknown", status: 404, since: began)
            return notFound(request)
        }
        return response(to: request, resource, pathParameters, since: began)
    }

    /// The response to `request` if it is a probe, else `nil`. It takes microseconds and waits for nothing: the polling
    /// thread, which all connections share, calls this, so that probes are answered while all workers are busy.
    public func probeResponse(to request: HTTPServerRequest) -> HTTPServerResponse? {
        let began = SystemClock.monotonicNanoseconds()
        guard let (resource, pathParameters) = find(request.path),
            let endpoint = resource.endpoint(for: request.method), endpoint.permission == .probe, !endpoint.isSlow
        else { return nil }
        return response(to: request, resource, pathParameters, since: began)
    }

    private func response(
        to request: HTTPServerRequest, _ resource: EndpointTable.Resource, _ pathParameters: [String],
        since began: Int64
    ) -> HTTPServerResponse {
        let response: HTTPServerResponse
        do {
            response = try respond(to: request, resource, pathParameters)
        } catch {
            response = .error(error)
        }
        return finished(response, request, resource, since: began)
    }

    private func find(_ path: String) -> (resource: EndpointTable.Resource, pathParameters: [String])? {
        guard let path = withoutPrefix(path) else { return nil }
        return table.find(path)
    }

    private func respond(
        to request: HTTPServerRequest, _ resource: EndpointTable.Resource, _ pathParameters: [String]
    ) throws(APIError) -> HTTPServerResponse {
        if request.method == "OPTIONS", resource.path.description.hasPrefix("/api/") {
            return HTTPServerResponse(status: 204)
        }
        guard let endpoint = resource.endpoint(for: request.method) else { return methodNotAllowed(resource) }
        let principal: Principal
        do throws(Refusal) {
            principal = try context.accessControl.admit(request, endpoint.permission)
        } catch {
            if error.kind == .credentialsMissing, let login = loginPage(for: request) { return login }
            return endpoint.response(to: error)
        }
        do throws(APIError) { try endpoint.checkLabels(principal) } catch { return endpoint.errorResponse(error) }
        guard request.body.count <= endpoint.body.limit else { return endpoint.bodyTooLong }
        if endpoint.needsStore, !context.isReady() { return .notReady }
        let call = APIRequest(request, pathParameters: pathParameters, principal: principal)
        try endpoint.checkParameters(call)
        let response: HTTPServerResponse
        do throws(APIError) {
            response = try endpoint.response(to: call)
        } catch {
            record(call, endpoint, status: error.kind.status)
            throw error
        }
        record(call, endpoint, status: response.status)
        return response
    }

    /// A browser without a session is led to the login where there is one.
    private func loginPage(for request: HTTPServerRequest) -> HTTPServerResponse? {
        guard request.method == "GET", request[header: "Accept"]?.contains("text/html") == true,
            !context.accessControl.loginIssuers.isEmpty
        else { return nil }
        return HTTPServerResponse(status: 302, headers: [("Location", context.settings.externalURL.path + "/login")])
    }

    /// Puts requests that change something into the record.
    private func record(_ call: APIRequest, _ endpoint: Endpoint, status: Int) {
        if (400..<499).contains(status), status != endpoint.refusalStatus {
            context.accessControl.failed(call.request, call.principal, status: status)
        }
        guard endpoint.permission.isRecorded, call.request.method != "GET", call.request.method != "HEAD" else {
            return
        }
        context.accessControl.performed(call.principal, endpoint.permission, call.request, status: status)
    }

    /// The path without the configured prefix, or `nil` outside it.
    private func withoutPrefix(_ path: String) -> String? {
        let prefix = context.settings.routePrefix
        if prefix.isEmpty { return path }
        guard path.hasPrefix(prefix) else { return nil }
        let rest = path.dropFirst(prefix.count)
        return rest.isEmpty ? "/" : rest.first == "/" ? String(rest) : nil
    }

    /// As in Prometheus, the root redirects to the prefix.
    private func notFound(_ request: HTTPServerRequest) -> HTTPServerResponse {
        let settings = context.settings
        guard !settings.routePrefix.isEmpty, request.path == "/", request.method == "GET" else {
            return .text("404 page not found\n", status: 404)
        }
        return HTTPServerResponse(status: 302, headers: [("Location", settings.externalURL.path + "/")])
    }

    private func methodNotAllowed(_ resource: EndpointTable.Resource) -> HTTPServerResponse {
        let message = resource.endpoints.first?.methodMessage ?? "Method Not Allowed\n"
        var response = HTTPServerResponse.text(message, status: 405)
        response.headers.append(("Allow", (resource.allowedMethods + ["OPTIONS"]).joined(separator: ", ")))
        return response
    }

    private func finished(
        _ response: HTTPServerResponse, _ request: HTTPServerRequest, _ resource: EndpointTable.Resource,
        since began: Int64
    ) -> HTTPServerResponse {
        var response = response
        addOriginHeaders(to: &response, request)
        count(resource.path.description, status: response.status, since: began)
        return response
    }

    /// Headers that a browser needs to let a page of another site read the response.
    private func addOriginHeaders(to response: inout HTTPServerResponse, _ request: HTTPServerRequest) {
        let settings = context.settings
        response.headers.append(("Vary", "Origin"))
        guard request.path.hasPrefix(settings.routePrefix + "/api/"), let origin = request[header: "Origin"] else {
            return
        }
        let allowed: String
        if let allows = settings.allowsOrigin {
            guard allows(origin) else { return }
            allowed = origin
        } else {
            allowed = "*"
        }
        response.headers += [
            ("Access-Control-Allow-Origin", allowed),
            ("Access-Control-Allow-Headers", "Accept, Authorization, Content-Type, Origin"),
            ("Access-Control-Allow-Methods", "GET, POST, OPTIONS"), ("Access-Control-Expose-Headers", "Date"),
        ]
    }

    private func count(_ handler: String, status: Int, since began: Int64) {
        let seconds = Double(SystemClock.monotonicNanoseconds() - began) / 1e9
        requests.answered(handler: handler, status: status, seconds: seconds)
    }
}

extension Endpoint {
    fileprivate func response(to call: APIRequest) throws(APIError) -> HTTPServerResponse {
        switch handler {
        case .data(let handler): try HTTPServerResponse.enveloped(call, handler)
        case .response(let handler): handler(call)
        }
    }

    fileprivate func response(to refusal: Refusal) -> HTTPServerResponse {
        let kind: APIError.Kind =
            switch refusal.kind {
            case .credentialsMissing, .credentialsWrong: .unauthorized
            case .forbidden, .foreignPage, .foreignHost: .forbidden
            case .tooManyRequests, .lockedOut, .blocked: .tooManyRequests
            }
        var response = errorResponse(APIError(kind, refusal.message))
        if let seconds = refusal.retryAfterSeconds { response.headers.append(("Retry-After", "\(seconds)")) }
        return response
    }

    fileprivate var bodyTooLong: HTTPServerResponse {
        errorResponse(APIError(.bodyTooLong, "the request body is longer than \(body.limit) bytes"))
    }
}
