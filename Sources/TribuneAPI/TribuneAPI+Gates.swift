internal import DeploymentGates
internal import Identity
internal import JSON
internal import Rollback
internal import RolloutRunner
internal import RuleModel
internal import WebCore
internal import WebServer

/// The deployment gates. Every request needs the token of the gates, including reads: the results are useful to an
/// attacker.
extension TribuneAPI {
    /// `GET /api/v1/{kind}`: the newest records.
    func listGateRecords(
        _ kind: GateRequest.Kind, _ call: APIRequest, into writer: inout JSONWriter
    ) throws(APIError) -> APIResult {
        let limit = try call.limit()
        return try gate(.list(limit: limit > 0 ? min(limit, 500) : 20), kind, call, into: &writer)
    }

    /// `POST /api/v1/safety/checkpoint/{id}/restore`
    func restoreCheckpoint(_ call: APIRequest, into writer: inout JSONWriter) throws(APIError) -> APIResult {
        try gate(.restore(id: call.pathParameters[0]), .checkpoint, call, into: &writer)
    }

    /// `/api/v1/orchestration`
    func orchestration(_ call: APIRequest, into writer: inout JSONWriter) throws(APIError) -> APIResult {
        writer.write(sources.orchestration())
        return APIResult()
    }

    /// `/api/v1/bottlenecks`
    func bottlenecks(_ call: APIRequest, into writer: inout JSONWriter) throws(APIError) -> APIResult {
        writer.write(sources.bottlenecks())
        return APIResult()
    }

    /// `POST /api/v1/service-metrics`
    func serviceMetrics(_ call: APIRequest, into writer: inout JSONWriter) throws(APIError) -> APIResult {
        writer.isForPipelines = true
        switch sources.serviceMetrics(call.request.body) {
        case .success(let json):
            writer.write(json)
            return APIResult()
        case .failure(let refusal): throw APIError(refusal)
        }
    }

    /// Passes a request to the gates.
    func gate(
        _ verb: GateRequest.Verb, _ kind: GateRequest.Kind, _ call: APIRequest, into writer: inout JSONWriter
    ) throws(APIError) -> APIResult {
        try checkScope(verb, call)
        switch sources.gate(GateRequest(verb, kind, body: call.request.body, actor: call.actor)) {
        case .success(let json):
            // Pipelines read fields with `jq -r .checkpoint_id`, and paste the response into shell commands.
            writer.isForPipelines = true
            writer.write(json)
            var result = APIResult()
            result.members = json.members ?? []
            return result
        case .failure(let refusal): throw APIError(refusal)
        }
    }
}

extension TribuneAPI {
    /// An identity that is limited to plans or services asks for those, by name.
    private func checkScope(_ verb: GateRequest.Verb, _ call: APIRequest) throws(APIError) {
        let scope = call.principal.scope
        if scope.isUnlimited { return }
        guard case .some(let body) = try? JSON(parsing: call.request.body) else {  // without a body nothing is named
            throw APIError(
                .forbidden, "\(call.actor) is limited to some plans or services, which the request has to name")
        }
        let plan = body["plan"]?.text
        let services =
            (body["services"]?.elements ?? []).compactMap(\.text) + (body["service"]?.text.map { [$0] } ?? [])
        let isCovered =
            plan.map { scope.covers(plan: $0, services: services) }
            ?? (scope.plans.isEmpty && !services.isEmpty && scope.covers(plan: "", services: services))
        guard isCovered else {
            throw APIError(
                .forbidden, "\(call.actor) is limited to some plans or services, which the request has to name")
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
