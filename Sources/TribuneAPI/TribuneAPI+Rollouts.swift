internal import DeploymentGates
internal import History
internal import Identity
internal import JSON
internal import MetricModel
internal import Rollback
internal import RolloutRunner
internal import RuleModel
internal import WebCore
internal import WebServer

/// The orders to a rollout, by their names in the path.
enum RolloutOrderVerb: String, CaseIterable {
    case start, pause, resume, promote, abort, rollback
    case abandonRoute = "abandon-route"
    case acknowledge, adopt, observe
    case finishUpgrade = "finish-upgrade"

    /// The order to the engine.
    ///
    /// - Parameters:
    ///   - services: those to start or roll back, none for all, or the one whose route is given up.
    ///   - route: the number of the route, from 1.
    ///   - span: how long to observe.
    func command(services: [String], route: Int = 1, for span: Milliseconds = .zero) -> RolloutCommand.Verb {
        switch self {
        case .start: services.isEmpty ? .start : .startOnly(services: services)
        case .pause: .pause
        case .resume: .resume
        case .promote: .promote
        case .abort: .abort
        case .rollback: .rollback(services: services.isEmpty ? nil : services)
        case .abandonRoute: .abandonRoute(RouteID(services.first ?? "", route - 1))
        case .acknowledge: .acknowledge
        case .adopt: .adopt
        case .observe: .observe(for: span)
        case .finishUpgrade: .finishUpgrade
        }
    }
}

extension TribuneAPI {
    /// `/api/v1/rollouts`
    func rollouts(_ call: APIRequest, into writer: inout JSONWriter) throws(APIError) -> APIResult {
        let snapshots = sources.rollouts().sorted { ByteOrder.precedes($0.plan, $1.plan) }
        writer.object { writer in
            writer.name("rollouts")
            writer.array(snapshots) { Self.write($1, into: &$0) }
        }
        return APIResult()
    }

    /// `/api/v1/rollouts/{plan}`
    func rollout(_ call: APIRequest, into writer: inout JSONWriter) throws(APIError) -> APIResult {
        Self.write(try snapshot(of: call.pathParameters[0]), into: &writer)
        return APIResult()
    }

    /// `/api/v1/rollouts/{plan}/report`
    func rolloutReport(_ call: APIRequest, into writer: inout JSONWriter) throws(APIError) -> APIResult {
        let plan = call.pathParameters[0]
        let id = call["rollback"]
        let last = sources.rollouts().first { $0.plan == plan }?.report
        guard let wanted = id.isEmpty ? last?.rollback.id : id else {
            throw APIError(.notFound, "the plan \(MetricText.quoted(plan)) was never rolled back")
        }
        // The state of the tasks is in the ledger only.
        let recorded: RollbackReport?
        do {
            recorded = try pastRollouts(of: plan).flatMap(\.rollbacks).first { $0.rollback.id == wanted }
        } catch {
            guard last?.rollback.id == wanted else { throw error }
            recorded = nil
        }
        guard let report = recorded ?? (last?.rollback.id == wanted ? last : nil) else {
            throw APIError(.notFound, "the ledger has no report of the rollback \(MetricText.quoted(wanted))")
        }
        writer.object { $0.member("markdown", report.markdown) }
        return APIResult()
    }

    /// `/api/v1/rollouts/{plan}/history`
    func rolloutHistory(_ call: APIRequest, into writer: inout JSONWriter) throws(APIError) -> APIResult {
        let limit = try call.limit()
        let rollouts = try pastRollouts(of: call.pathParameters[0])
        writer.object { writer in
            writer.name("rollouts")
            writer.array(rollouts.prefix(limit == 0 ? 20 : min(limit, 500))) { $0.write($1.json) }
        }
        return APIResult()
    }

    /// The rollouts of `plan` in the ledger, newest first. Blocks until the database responds.
    func pastRollouts(of plan: String) throws(APIError) -> [PastRollout] {
        var orders = LedgerQuery(kinds: [.deployment], subject: plan)
        orders.limit = 5000
        var reports = LedgerQuery(kinds: [.rollbackStep], subject: plan)
        // The step of the entries with whole records; `PastRollout` looks at the step itself.
        reports.text = "reported"
        reports.limit = 500
        var events: [(at: Instant, body: JSON)] = []
        for query in [orders, reports] {
            let page = try ledger { () throws(HistoryError) in try sources.ledger.events(query, nil) }
            events += page.entries.map { entry in
                (Instant(nanoseconds: entry.event.milliseconds * 1_000_000), entry.event.body)
            }
        }
        return PastRollout.all(of: plan, in: events)
    }

    /// `POST /api/v1/rollouts/{plan}/{verb}`
    func commandRollout(_ call: APIRequest, into writer: inout JSONWriter) throws(APIError) -> APIResult {
        let plan = call.pathParameters[0]
        guard let verb = RolloutOrderVerb(rawValue: call.pathParameters[1]) else {
            let verbs = RolloutOrderVerb.allCases.map(\.rawValue)
            throw APIError(.notFound, "unknown order; expected one of \(verbs.joined(separator: ", "))")
        }
        let services = call.all("service")
        guard services.isEmpty || [.start, .rollback, .abandonRoute].contains(verb) else {
            throw APIError.invalid("service", "only a start and a rollback can be limited to services")
        }
        var route = 1
        if verb == .abandonRoute {
            guard services.count == 1 else { throw APIError.invalid("service", "name the one service of the route") }
            let text = call["route"]
            guard let number = text.isEmpty ? 1 : Int(text), number >= 1 else {
                throw APIError.invalid("route", "expected the number of the route, counted from 1")
            }
            route = number
        }
        _ = try snapshot(of: plan)
        guard call.principal.scope.covers(plan: plan, services: services) else {
            throw APIError(
                .forbidden, "\(call.actor) may not give orders to this plan, or only to some of its services")
        }
        let span = try Self.span(call, verb)
        let isWithoutData = call["without_data"] == "true"
        guard !isWithoutData || verb == .promote else {
            throw APIError.invalid("without_data", "only a promotion can do without data")
        }
        let isFull = call["full"] == "true"
        guard !isFull || verb == .promote && !isWithoutData else {
            throw APIError.invalid("full", "only a promotion can be full, and then it needs no data")
        }
        let plain = verb.command(services: services, route: route, for: span)
        let command = RolloutCommand(
            isFull ? .promoteFully : isWithoutData ? .promoteWithoutData : plain, by: call.actor,
            reason: call["reason"], identity: call.principal.personalName)
        switch sources.command(command, plan) {
        case .accepted:
            writer.object { $0.member("accepted", true) }
        case .ignored(let reason):
            writer.object {
                $0.member("accepted", false)
                $0.member("ignored", reason)
            }
        case .refused(let reason): throw APIError(.conflict, reason)
        }
        return APIResult()
    }

    /// How long `observe` lasts.
    private static func span(_ call: APIRequest, _ verb: RolloutOrderVerb) throws(APIError) -> Milliseconds {
        let text = call["for"]
        guard verb == .observe else {
            guard text.isEmpty else { throw APIError.invalid("for", "only an observation has a duration") }
            return .zero
        }
        if text == "0" { return .zero }
        guard let span = Milliseconds(parsing: text), span <= .hours(24 * 7) else {
            throw APIError.invalid("for", "expected a duration such as 1h, at most 7d, or 0 to end it")
        }
        return span
    }

    private func snapshot(of plan: String) throws(APIError) -> RolloutSnapshot {
        guard let snapshot = sources.rollouts().first(where: { $0.plan == plan }) else {
            throw APIError(.notFound, "no rollout plan \(MetricText.quoted(plan))")
        }
        return snapshot
    }

    static func write(_ snapshot: RolloutSnapshot, into writer: inout JSONWriter) {
        writer.object { writer in
            writer.member("plan", snapshot.plan)
            writer.member("state", snapshot.phase)
            writer.name("routes")
            writer.array(snapshot.services) { writer, service in
                writer.object {
                    $0.member("service", service.name)
                    $0.member("state", service.progress)
                    $0.member("candidateWeight", service.split.candidate)
                    $0.member("stableWeight", 100 - service.split.candidate)
                    $0.member("stable", "stable")
                    $0.member("candidate", "candidate")
                    $0.member("frozen", orNull: service.frozen)
                }
            }
            writer.name("timeline")
            writer.array(snapshot.report?.rollback.timeline ?? []) { writer, entry in
                let subject = entry.service.map { "\($0): " } ?? ""
                writer.object {
                    $0.member("time", entry.at.timestamp)
                    $0.member("text", subject + entry.step + (entry.detail.isEmpty ? "" : ": " + entry.detail))
                }
            }
            writer.name("details")
            writer.write(snapshot.json)
        }
    }
}
