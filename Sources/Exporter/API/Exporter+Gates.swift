internal import JSON
internal import MetricModel
internal import Rollback
internal import WebServer

/// The gates for delivery pipelines. Every call needs the gates' bearer token, readings too: what they show is what an attacker
/// would want to know.
extension Exporter {
    typealias GateAnswer = (APICall, inout JSONWriter) throws(APIError) -> APINotes

    /// `POST /api/v1/<kind>` makes a record, `GET` lists the newest (`limit`, 20 unless given, at most 500).
    func gates(_ kind: GateRequest.Kind) -> GateAnswer {
        { (call, writer) throws(APIError) in
            if call.request.method == "POST" { return try self.gate(.create, kind, call, &writer) }
            let limit = try call.limit()
            return try self.gate(.list(limit: limit > 0 ? min(limit, 500) : 20), kind, call, &writer)
        }
    }

    /// `GET /api/v1/<kind>/<id>`, and `POST /api/v1/improvements/<id>` with which an executor tells how far it is.
    func gateRecord(_ kind: GateRequest.Kind) -> GateAnswer {
        { (call, writer) throws(APIError) in
            let id = call.path[0]
            return try self.gate(call.request.method == "POST" ? .report(id: id) : .read(id: id), kind, call, &writer)
        }
    }

    /// `POST /api/v1/safety/checkpoint/<id>/restore`
    func restoreCheckpoint(_ call: APICall, into writer: inout JSONWriter) throws(APIError) -> APINotes {
        try gate(.restore(id: call.path[0]), .checkpoint, call, &writer)
    }

    /// `/api/v1/bottlenecks`
    func bottlenecks(_ call: APICall, into writer: inout JSONWriter) throws(APIError) -> APINotes {
        writer.write(sources.bottlenecks())
        return APINotes()
    }

    private func gate(
        _ verb: GateRequest.Verb, _ kind: GateRequest.Kind, _ call: APICall, _ writer: inout JSONWriter
    ) throws(APIError) -> APINotes {
        try authorize(call)
        let name = call.request[header: "X-Tribune-Actor"] ?? ""
        let actor = name.isEmpty || name.utf8.count > 200 ? call.request.peer : name
        switch sources.gate(GateRequest(verb, kind, body: call.request.body, actor: actor)) {
        case .success(let json):
            writer.write(json)
            return APINotes()
        case .failure(let refusal): throw APIError(refusal)
        }
    }

    /// Compares in a time that does not tell how much of the token was right.
    private func authorize(_ call: APICall) throws(APIError) {
        guard let token = sources.gateToken() else {
            throw APIError(.forbidden, "no token is configured for the gates (gates.token_file), so nobody may ask")
        }
        guard Sameness.isOwnOrigin(call.request) else {
            throw APIError(.forbidden, "requests of other sites are refused")
        }
        guard let shown = call.request[header: "Authorization"] else {
            throw APIError(.unauthorized, "the header \"Authorization: Bearer TOKEN\" is missing")
        }
        guard Sameness.isSameSecret(shown, "Bearer " + token) else {
            throw APIError(.unauthorized, "the token is not the one of the gates")
        }
    }
}

extension APIError {
    fileprivate init(_ refusal: GateRefusal) {
        let kind: Kind =
            switch refusal.kind {
            case .invalid: .badData
            case .notFound: .notFound
            case .conflict: .conflict
            case .unavailable: .timeout
            }
        self.init(kind, refusal.message)
    }
}
