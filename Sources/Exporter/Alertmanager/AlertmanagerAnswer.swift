internal import JSON
internal import WebServer

/// Why a call of Alertmanager's API failed, in the two shapes Alertmanager answers in.
enum AlertmanagerFault: Error, Equatable {
    /// The body is one JSON string.
    case text(status: Int, String)
    /// What the code generated from Alertmanager's OpenAPI file answers: an object with `code` and `message`.
    case coded(status: Int, code: Int, String)

    /// A field of the body is missing.
    static func missing(_ field: String) -> AlertmanagerFault {
        .coded(status: 422, code: 602, "\(field) in body is required")
    }

    /// The body is not what it must be.
    static func malformed(_ reason: some CustomStringConvertible) -> AlertmanagerFault {
        .coded(status: 400, code: 400, "cannot read the body: \(reason)")
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

extension JSONBody {
    /// A list without an envelope as an answer.
    static func list<Element: Sendable>(
        _ elements: [Element], _ write: @escaping @Sendable (inout JSONWriter, Element) -> Void
    ) -> HTTPServerResponse {
        let body = JSONBody(JSONWriter(), ListPieces(elements[...], write), nil)
        var beginning: [UInt8] = []
        let isMore = body.appendPiece(to: &beginning)
        return .json(beginning, rest: isMore ? body : nil)
    }
}

extension Exporter {
    typealias AlertmanagerCall = (APICall) throws(AlertmanagerFault) -> HTTPServerResponse

    /// `call` as an answer for the table of paths.
    static func alertmanager(_ call: @escaping @Sendable (Exporter) -> AlertmanagerCall) -> Route.PlainAnswer {
        { exporter in
            { request in
                do throws(AlertmanagerFault) { return try call(exporter)(request) } catch { return error.response }
            }
        }
    }

    /// Who may silence alerts or hand some in: the same who may give orders to rollouts. Alertmanager lets everybody.
    func authorizeChange(_ call: APICall) throws(AlertmanagerFault) {
        guard Sameness.isOwnOrigin(call.request), mayCommand(call) else {
            throw .text(
                status: 403, "changes need the configured token, or a client on this machine where none is configured")
        }
    }

    /// The body as JSON. What a page of another site could send without asking is not taken.
    func json(_ call: APICall) throws(AlertmanagerFault) -> JSON {
        let type = (call.request[header: "Content-Type"] ?? "").prefix { $0 != ";" }
        guard type.trimmed.lowercased() == "application/json" else {
            throw .coded(status: 415, code: 415, "unsupported media type \"\(type)\", only application/json is taken")
        }
        do throws(JSONError) { return try JSON(parsing: call.request.body) } catch { throw .malformed(error) }
    }
}
