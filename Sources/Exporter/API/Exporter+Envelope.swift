internal import JSON
internal import MicroHTTP

extension Exporter {
    /// Runs `call` and puts its data, or its error, into Prometheus's envelope.
    func envelope(_ call: APICall, _ answer: Route.APIAnswer) -> HTTPServerResponse {
        var writer = JSONWriter(reserving: 4096)
        writer.beginObject()
        writer.member("status", "success")
        writer.name("data")
        do {
            let notes = try answer(self)(call, &writer)
            if !notes.warnings.isEmpty { writer.member("warnings", APINotes.limited(notes.warnings, "warning")) }
            if !notes.infos.isEmpty { writer.member("infos", APINotes.limited(notes.infos, "info")) }
            writer.endObject()
            return .json(writer.bytes)
        } catch {
            return .error(error)
        }
    }
}

extension HTTPServerResponse {
    static func json(_ bytes: [UInt8], status: Int = 200) -> HTTPServerResponse {
        HTTPServerResponse(status: status, headers: [("Content-Type", "application/json")], body: bytes)
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
