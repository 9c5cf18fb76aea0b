public import JSON
public import WebServer

/// The result of a data handler in addition to the data it has written: annotations, and data that is written while it
/// is sent.
public struct APIResult: Sendable {
    /// Problems of the result.
    public var warnings: [String]
    /// Remarks on the result.
    public var infos: [String]
    /// Members of the data that also stand in the envelope itself, for clients that do not look into `data`. A member
    /// with the name of one of the envelope's own is left out.
    public var members: [JSON.Member] = []
    /// The data, if it may be too long for memory; then the handler has written nothing.
    public var body: (any IncrementalJSON)?

    /// A result.
    public init(warnings: [String] = [], infos: [String] = [], body: (any IncrementalJSON)? = nil) {
        self.warnings = warnings
        self.infos = infos
        self.body = body
    }

    /// The most warnings, and the most infos, of a response.
    private static let maximumAnnotations = 10

    private static let ownMembers: Set = ["status", "data", "warnings", "infos", "error", "errorType"]

    /// The warning that results were omitted because of a limit.
    public static let truncated = "results truncated due to limit"

    /// Writes the members after the data.
    func endEnvelope(_ writer: inout JSONWriter) {
        if !warnings.isEmpty { writer.member("warnings", Self.limited(warnings, "warning")) }
        if !infos.isEmpty { writer.member("infos", Self.limited(infos, "info")) }
        for member in members where !Self.ownMembers.contains(member.name) {
            writer.name(member.name)
            writer.write(member.value)
        }
        writer.endObject()
    }

    /// The first annotations, and the count of the omitted ones.
    private static func limited(_ annotations: [String], _ kind: String) -> [String] {
        guard annotations.count > maximumAnnotations else { return annotations }
        return annotations.prefix(maximumAnnotations)
            + ["\(annotations.count - maximumAnnotations) more \(kind) annotations omitted"]
    }
}

extension HTTPServerResponse {
    /// Runs `handler` and puts its data into Prometheus's envelope.
    ///
    /// Errors are known before anything is sent: only the text of long data is written later.
    static func enveloped(_ request: APIRequest, _ handler: Endpoint.DataHandler) throws(APIError) -> HTTPServerResponse
    {
        var writer = JSONWriter(reserving: 4096)
        writer.beginObject()
        writer.member("status", "success")
        writer.name("data")
        var result = try handler(request, &writer)
        if var body = result.body {
            result.body = nil
            if !body.write(to: &writer, until: JSONBodySource.pieceSize) {
                var beginning: [UInt8] = []
                writer.drain(into: &beginning)
                return .json(beginning, rest: JSONBodySource(writer, body, result))
            }
        }
        result.endEnvelope(&writer)
        return .json(writer.bytes)
    }

    /// JSON text as a response.
    public static func json(
        _ bytes: [UInt8], status: Int = 200, rest: (any HTTPBodySource)? = nil
    ) -> HTTPServerResponse {
        HTTPServerResponse(status: status, headers: [("Content-Type", "application/json")], body: bytes, rest: rest)
    }

    /// A list without an envelope.
    public static func jsonList<Element: Sendable>(
        _ elements: [Element], _ write: @escaping @Sendable (inout JSONWriter, Element) -> Void
    ) -> HTTPServerResponse {
        let source = JSONBodySource(JSONWriter(), IncrementalJSONList(elements[...], write), nil)
        var beginning: [UInt8] = []
        let isMore = source.appendPiece(to: &beginning)
        return .json(beginning, rest: isMore ? source : nil)
    }
}
