/// The route table: every endpoint by method and path. A value, made once at the start.
public struct EndpointTable: Sendable {
    /// A path with the endpoints that answer its methods.
    struct Resource: Sendable {
        /// The path; a label of the request metrics.
        let path: PathTemplate
        private(set) var endpoints: [Endpoint]

        init(_ endpoint: Endpoint) {
            path = endpoint.path
            endpoints = [endpoint]
        }

        /// The endpoint for `method`; `HEAD` is handled as `GET`.
        func endpoint(for method: String) -> Endpoint? {
            let method = method == "HEAD" ? "GET" : method
            return endpoints.first { $0.methods.contains { $0.rawValue == method } }
        }

        var allowedMethods: [String] { endpoints.flatMap(\.methods).map(\.rawValue).sorted() }

        mutating func add(_ endpoint: Endpoint) {
            endpoints.append(endpoint)
        }
    }

    /// Every endpoint in its original order.
    public let endpoints: [Endpoint]
    private var exact: [String: Resource] = [:]
    private var templates: [(segments: [Substring], resource: Resource)] = []

    /// The table of `endpoints`. Two of them must not have the same method and path, and each path parameter must be
    /// declared: both are programming errors, found when the process starts.
    public init(_ endpoints: [Endpoint]) {
        self.endpoints = endpoints
        for endpoint in endpoints {
            let declared = endpoint.parameters.filter { $0.location == .path }.map(\.name)
            precondition(
                declared == endpoint.path.parameterNames, "\(endpoint.path): path parameters are not declared")
            add(endpoint)
        }
        templates.sort { Self.precedes($0.segments, $1.segments) }
    }

    /// Whether paths are compared with `left` first: a segment with a name is preferred to a parameter, whatever the
    /// order of the endpoints.
    private static func precedes(_ left: [Substring], _ right: [Substring]) -> Bool {
        // Without this, paths of other lengths would stand between two that have to be compared.
        if left.count != right.count { return left.count < right.count }
        for (one, other) in zip(left, right) {
            let (isParameter, isOtherParameter) = (one.first == "{", other.first == "{")
            if isParameter != isOtherParameter { return isOtherParameter }
        }
        return false
    }

    private mutating func add(_ endpoint: Endpoint) {
        let path = endpoint.path.description
        func merged(_ resource: Resource?) -> Resource {
            guard var resource else { return Resource(endpoint) }
            precondition(
                endpoint.methods.allSatisfy { resource.endpoint(for: $0.rawValue) == nil },
                "\(path): two endpoints have the same method")
            resource.add(endpoint)
            return resource
        }
        if endpoint.path.parameterNames.isEmpty {
            exact[path] = merged(exact[path])
        } else if let index = templates.firstIndex(where: { $0.resource.path == endpoint.path }) {
            templates[index].resource = merged(templates[index].resource)
        } else {
            templates.append((PathTemplate.segments(of: path), merged(nil)))
        }
    }

    /// The resource at `path` and the values of its path parameters.
    func find(_ path: String) -> (resource: Resource, pathParameters: [String])? {
        if let resource = exact[path] { return (resource, []) }
        let segments = PathTemplate.segments(of: path)
        for template in templates where template.segments.count == segments.count {
            let pairs = zip(template.segments, segments)
            guard pairs.allSatisfy({ $0.first == "{" ? !$1.isEmpty : $0 == $1 }) else { continue }
            return (template.resource, pairs.filter { $0.0.first == "{" }.map { String($0.1) })
        }
        return nil
    }
}
