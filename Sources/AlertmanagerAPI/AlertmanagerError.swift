internal import JSON
internal import WebCore
internal import WebServer

/// Why a request to Alertmanager's API failed, in the two formats of Alertmanager's responses.
enum AlertmanagerError: Error, Equatable {
    /// The body is one JSON string.
    case text(status: Int, String)
    /// An object with `code` and `message`, as returned by the code generated from Alertmanager's OpenAPI document.
    case coded(status: Int, code: Int, String)

    /// A field of the body is missing.
    static func missing(_ field: String) -> AlertmanagerError {
        .coded(status: 422, code: 602, "\(field) in body is required")
    }

    /// The body, which is called `name` in Alertmanager's OpenAPI document, cannot be read.
    static func malformed(_ name: String, _ reason: some CustomStringConvertible) -> AlertmanagerError {
        .coded(status: 400, code: 400, "parsing \(name) body from \"\" failed, because \(reason)")
    }

    var response: HTTPServerResponse {
        var writer = JSONWriter()
        switch self {
        case .text(let status, let text):
            writer.string(text)
            return .json(writer.bytes, status: status)
        case .coded(let status, let code, let message):
            writer.object {
                $0.member("code", code)
                $0.member("message", message)
            }
            return .json(writer.bytes, status: status)
        }
    }
}
