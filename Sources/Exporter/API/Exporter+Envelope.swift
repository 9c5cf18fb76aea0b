internal import JSON
internal import WebServer

extension Exporter {
    /// Runs `call` and puts its data into Prometheus's envelope.
    ///
    /// Errors are known before anything is sent: what is left for later is only the text of long data.
    func envelope(_ call: APICall, _ answer: Route.APIAnswer) throws(APIError) -> HTTPServerResponse {
        var writer = JSONWriter(reserving: 4096)
        writer.beginObject()
        writer.member("status", "success")
        writer.name("data")
        var notes = try answer(self)(call, &writer)
        if var rest = notes.rest {
            notes.rest = nil
            if !rest.write(to: &writer, until: JSONBody.pieceSize) {
                var beginning: [UInt8] = []
                writer.drain(into: &beginning)
                return .json(beginning, rest: JSONBody(writer, rest, notes))
            }
        }
        notes.endEnvelope(&writer)
        return .json(writer.bytes)
    }
}

extension APINotes {
    /// Writes what comes after the data.
    func endEnvelope(_ writer: inout JSONWriter) {
        if !warnings.isEmpty { writer.member("warnings", Self.limited(warnings, "warning")) }
        if !infos.isEmpty { writer.member("infos", Self.limited(infos, "info")) }
        writer.endObject()
    }
}

extension HTTPServerResponse {
    static func json(_ bytes: [UInt8], status: Int = 200, rest: (any HTTPBodySource)? = nil) -> HTTPServerResponse {
        HTTPServerResponse(status: status, headers: [("Content-Type", "application/json")], body: bytes, rest: rest)
    }

    static func error(_ error: APIError) -> HTTPServerResponse {
        var writer = JSONWriter()
        writer.object {
            $0.member("status", "error")
            $0.member("errorType", error.kind.rawValue)
            $0.member("error", error.message)
        }
        var response = HTTPServerResponse.json(writer.bytes, status: error.kind.status)
        if error.kind == .unauthorized { response.headers.append(("WWW-Authenticate", "Bearer realm=\"tribune\"")) }
        return response
    }
}
