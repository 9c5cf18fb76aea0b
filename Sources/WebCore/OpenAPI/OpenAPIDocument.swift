internal import Identity
public import JSON
internal import WebServer

/// The OpenAPI 3.1 document of a route table. A value.
public struct OpenAPIDocument: Sendable {
    /// The head of the document.
    public struct Information: Sendable {
        /// The title.
        public var title: String
        /// The version of the program.
        public var version: String
        /// A sentence or two about the API.
        public var description: String

        /// Information about an API.
        public init(title: String, version: String, description: String) {
            self.title = title
            self.version = version
            self.description = description
        }
    }

    private let endpoints: [Endpoint]
    private let information: Information

    /// The document of `endpoints`.
    public init(_ endpoints: [Endpoint], _ information: Information) {
        self.endpoints = endpoints
        self.information = information
    }

    /// `endpoints` with one that serves the document of all, including itself.
    public static func serving(
        _ endpoints: [Endpoint], _ information: Information, at path: PathTemplate = "/api/v1/openapi.json"
    ) -> [Endpoint] {
        func document(_ text: [UInt8]) -> Endpoint {
            .response([.get], path, "Shows this document.", response: .json) { _ in .json(text) }
        }
        let described = OpenAPIDocument(endpoints + [document([])], information).json.encoded
        return endpoints + [document(Array(described.utf8))]
    }

    /// The document.
    public var json: JSON {
        var paths: [JSON.Member] = []
        for endpoint in endpoints {
            let path = endpoint.path.description
            let operations = endpoint.methods.map { JSON.Member($0.rawValue.lowercased(), operation($0, endpoint)) }
            if let index = paths.firstIndex(where: { $0.name == path }) {
                paths[index].value = .object((paths[index].value.members ?? []) + operations)
            } else {
                paths.append(JSON.Member(path, .object(operations)))
            }
        }
        return [
            "openapi": "3.1.0",
            "info": [
                "title": .string(information.title), "version": .string(information.version),
                "description": .string(information.description),
            ],
            "paths": .object(paths),
            "components": [
                "schemas": Self.schemas, "securitySchemes": ["bearer": ["type": "http", "scheme": "bearer"]],
            ],
        ]
    }

    private func operation(_ method: Endpoint.Method, _ endpoint: Endpoint) -> JSON {
        let takesForm = method != .get && endpoint.body == .form
        let inURL = endpoint.parameters.filter { $0.location == .path || !takesForm }
        let inForm = endpoint.parameters.filter { $0.location == .query && takesForm }
        var members: [JSON.Member] = [
            .init("operationId", .string(Self.identifier(method, endpoint.path))),
            .init("summary", .string(endpoint.summary)),
            .init("x-permission", .string(endpoint.permission.rawValue)),
        ]
        if !inURL.isEmpty { members.append(.init("parameters", .array(inURL.map(\.openAPI)))) }
        if method != .get, let body = Self.requestBody(endpoint.body, inForm) {
            members.append(.init("requestBody", body))
        }
        if endpoint.permission != .probe {
            // The rights of clients without credentials depend on the configuration and on their address.
            let needsSome = [.gate, .order, .verdict, .audit, .administer].contains(endpoint.permission)
            members.append(.init("security", needsSome ? [["bearer": []]] : [["bearer": []], [:]]))
        }
        members.append(.init("responses", Self.responses(endpoint)))
        return .object(members)
    }

    /// `getLabelNameValues`
    private static func identifier(_ method: Endpoint.Method, _ path: PathTemplate) -> String {
        let words = path.description.split { !$0.isLetter && !$0.isNumber }
        let name = words.map { $0.prefix(1).uppercased() + $0.dropFirst() }.joined()
        return method.rawValue.lowercased() + (name.isEmpty ? "Root" : name)
    }

    private static func requestBody(_ body: Endpoint.RequestBody, _ form: [Parameter]) -> JSON? {
        switch body {
        case .none: return nil
        case .form:
            if form.isEmpty { return nil }
            let required = form.filter(\.isRequired).map { JSON.string($0.name) }
            let schema: JSON = [
                "type": "object",
                "properties": .object(form.map { .init($0.name, $0.schema) }),
                "required": .array(required),
            ]
            // Parameters may also be in the URL.
            return ["content": ["application/x-www-form-urlencoded": ["schema": schema]], "required": false]
        case .json: return ["content": ["application/json": ["schema": [:]]], "required": true]
        case .remoteWrite:
            let schema: JSON = ["type": "string", "format": "binary"]
            return ["content": ["application/x-protobuf": ["schema": schema]], "required": true]
        case .telemetry:
            let schema: JSON = ["type": "string", "format": "binary"]
            return [
                "content": ["application/x-protobuf": ["schema": schema], "application/json": ["schema": [:]]],
                "required": true,
            ]
        }
    }

    private static func responses(_ endpoint: Endpoint) -> JSON {
        func content(_ types: [String], _ schema: JSON) -> JSON {
            .object(types.map { .init($0, ["schema": schema]) })
        }
        let text: JSON = ["type": "string"]
        let success: (status: String, body: JSON)
        switch endpoint.response {
        case .data:
            let envelope = content(["application/json"], reference("Success"))
            success = ("200", ["description": "The data.", "content": envelope])
        case .json: success = ("200", ["description": "JSON.", "content": content(["application/json"], [:])])
        case .text: success = ("200", ["description": "Text.", "content": content(["text/plain"], text)])
        case .metrics:
            let types = ["text/plain", "application/openmetrics-text"]
            success = ("200", ["description": "Metrics.", "content": content(types, text)])
        case .empty: success = ("2XX", ["description": "Done."])
        case .telemetry:
            let content: JSON = [
                "application/x-protobuf": ["schema": ["type": "string", "format": "binary"]],
                "application/json": ["schema": [:]],
            ]
            success = ("200", ["description": "What was stored.", "content": content])
        case .redirect: success = ("3XX", ["description": "Elsewhere."])
        case .eventStream:
            success = ("200", ["description": "Events.", "content": content(["text/event-stream"], text)])
        case .file(let type):
            let type = String(type.prefix { $0 != ";" })
            success = ("200", ["description": "The file.", "content": content([type], text)])
        }
        let failure: JSON
        switch endpoint.errors {
        case .envelope: failure = content(["application/json", "text/plain"], reference("Error"))
        case .jsonString: failure = content(["application/json", "text/plain"], [:])
        case .text: failure = content(["text/plain"], text)
        case .page: failure = content(["text/html", "text/plain"], text)
        }
        return .object([
            .init(success.status, success.body),
            .init("default", ["description": "Why the request failed.", "content": failure]),
        ])
    }

    private static func reference(_ name: String) -> JSON { ["$ref": .string("#/components/schemas/\(name)")] }

    private static let schemas: JSON = [
        "Success": [
            "type": "object", "required": ["status", "data"],
            "properties": [
                "status": ["const": "success"], "data": [:],
                "warnings": ["type": "array", "items": ["type": "string"]],
                "infos": ["type": "array", "items": ["type": "string"]],
            ],
        ],
        "Error": [
            "type": "object", "required": ["status", "errorType", "error"],
            "properties": [
                "status": ["const": "error"], "errorType": ["type": "string"], "error": ["type": "string"],
            ],
        ],
    ]
}

extension Parameter {
    fileprivate var openAPI: JSON {
        [
            "name": .string(name), "in": .string(location.rawValue), "required": .bool(isRequired),
            "description": .string(summary), "schema": schema,
        ]
    }

    fileprivate var schema: JSON {
        isRepeated ? ["type": "array", "items": kind.schema] : kind.schema
    }
}

extension Parameter.Kind {
    fileprivate var schema: JSON {
        switch self {
        case .string: ["type": "string"]
        case .integer: ["type": "integer"]
        case .boolean: ["type": "boolean"]
        case .time: ["type": "string", "format": "time", "examples": ["2026-11-21T09:30:00Z", "1795253400.5"]]
        case .duration: ["type": "string", "format": "duration", "examples": ["5m", "15"]]
        case .expression: ["type": "string", "format": "promql"]
        case .selector: ["type": "string", "format": "selector"]
        case .choice(let words): ["type": "string", "enum": .array(words.map(JSON.string))]
        }
    }
}
