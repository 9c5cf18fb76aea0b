internal import JSON
internal import Rollback
internal import Scraper
internal import TrafficRouters

/// `tribune routes test`: checks whether the routers of a plan can be read, before a rollback needs them.
enum RoutesCommand {
    static let test = Command(
        "routes test", "Read the state of every route of rollout plans.", operands: "FILE...", count: 1...1000,
        options: [.flag("json", "Print JSON.")],
        details: """
            Changes nothing. Exit code 1 if a route cannot be read, does not divide traffic, or its stable version is not verified
            as healthy, so that a rollback would be refused.
            """
    ) { (invocation) throws(CommandFailure) in
        var readings: [(plan: String, reading: RouteReading)] = []
        for path in invocation.operands {
            do throws(ConfigurationError) {
                let plan = try LoadedConfiguration.loadPlan(path)
                readings += plan.readRoutes().map { (plan.name, $0) }
            } catch {
                throw CommandFailure(error.description)
            }
        }
        if invocation.flag("json") {
            Console.print(JSON.array(readings.map { json($0.reading, plan: $0.plan) }).encoded)
        } else {
            for (plan, reading) in readings {
                let verdict = reading.isFit ? "OK" : "FAILED"
                Console.print("\(verdict): \(plan)/\(reading.service): \(reading.router): \(text(reading))")
            }
        }
        return readings.allSatisfy(\.reading.isFit) ? 0 : CommandFailure.Code.failed.rawValue
    }

    private static func text(_ reading: RouteReading) -> String {
        guard let seen = reading.inspection else { return reading.fault ?? "" }
        let split =
            seen.split.map { split in
                "stable \(split.stable) %, candidate \(split.candidate) %\(split.isForTesters ? " and testers" : "")"
            } ?? "no traffic split"
        return "\(split); stable \(text(seen.stable)), candidate \(text(seen.candidate))"
            + (seen.isCandidateIsolated ? ", isolated" : "")
    }

    private static func text(_ health: TargetHealth) -> String {
        switch health {
        case .healthy: "healthy"
        case .unhealthy(let reason): "unhealthy (\(reason))"
        case .unknown(let reason): "not verified (\(reason))"
        }
    }

    private static func json(_ reading: RouteReading, plan: String) -> JSON {
        func health(_ health: TargetHealth?) -> JSON { health.map { .string(text($0)) } ?? .null }
        let seen = reading.inspection
        return [
            "plan": .string(plan), "service": .string(reading.service), "router": .string(reading.router),
            "fit": .bool(reading.isFit), "fault": reading.fault.map(JSON.string) ?? .null,
            "stable": seen?.split.map { .integer(Int64($0.stable)) } ?? .null,
            "candidate": seen?.split.map { .integer(Int64($0.candidate)) } ?? .null,
            "testers": seen?.split.map { .bool($0.isForTesters) } ?? .null,
            "stable_health": health(seen?.stable), "candidate_health": health(seen?.candidate),
            "isolated": seen.map { .bool($0.isCandidateIsolated) } ?? .null,
            "candidate_requests": seen?.candidateRequests.map { .integer(Int64(clamping: $0)) } ?? .null,
        ]
    }
}
