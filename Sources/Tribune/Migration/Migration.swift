internal import JSON

/// The migration of one service, by the platform's playbook.
struct Migration {
    let service: String
    let session: MigrationSession
    let isChecked: Bool
    let watch: MigrationWatch

    /// Runs it to its end. Returns the exit code.
    func run() throws(CommandFailure) -> Int32 {
        let plan = try session.plan()
        guard let state = plan.service(service) else {
            throw CommandFailure("the plan \(session.planName) has no service \(service)")
        }
        if state.isComplete {
            Console.print("\(service): green has all traffic already")
            return 0
        }
        guard isChecked || state.preflight.isEmpty else {
            Console.print("\(service): do these checks, then use --checked")
            for check in state.preflight { Console.print("- [ ] \(check)") }
            return CommandFailure.Code.failed.rawValue
        }
        for check in state.preflight { Console.print("- [x] \(check)") }
        Console.print("\(service): readiness")
        let readiness = try MigrationValidator(session: session).readiness(service)
        try session.report("readiness", service, readiness)
        let code = MigrationCheck.exitCode(readiness)
        guard code == 0 else { return code }
        try begin(plan)
        return try follow()
    }

    /// Starts the rollout, or lets it go on to this service.
    private func begin(_ plan: MigrationSession.Plan) throws(CommandFailure) {
        let reason = "migration of \(service)"
        switch plan.state {
        case "idle", "rolled_back": try session.order("start", reason: reason)
        case "paused": try session.order("resume", reason: reason)
        case "promoting": break
        case _: throw CommandFailure("the plan is \(plan.state): nothing can be migrated")
        }
        // The state that the server shows follows the order.
        var watch = watch
        try watch.wait(for: "the effect of the order") { $0.state != plan.state || $0.state == "promoting" }
    }

    private func follow() throws(CommandFailure) -> Int32 {
        var lastStage: Int64 = 0
        var lastObstacle: String?
        while true {
            let plan = try session.plan()
            guard let state = plan.service(service) else { throw CommandFailure("the plan has changed") }
            if let reason = failure(plan, state) {
                Console.print("\(service): \(reason)")
                return CommandFailure.Code.failed.rawValue
            }
            let obstacle = plan.obstacle ?? state.lack
            if obstacle != lastObstacle, let obstacle { Console.print("\(service): waits: \(obstacle)") }
            lastObstacle = obstacle
            let isNewStage =
                state.progress == "baking" && (state.stage ?? 0) > lastStage && state.observed == state.candidate
            if isNewStage || state.isComplete {
                lastStage = state.stage ?? state.stages
                let isLastService = plan.services.last?.name == service
                if state.isComplete, !isLastService, plan.state == "promoting" {
                    try session.order(
                        "pause", reason: "\(service) has all traffic; the next service waits for its command")
                }
                let code = try validate(state)
                guard code == 0 else { return code }
                if state.isComplete {
                    if isLastService { try awaitPromotion() }
                    Console.print("\(service): green has all traffic")
                    return 0
                }
            }
            try watch.pause("the migration of \(service)")
        }
    }

    private func failure(_ plan: MigrationSession.Plan, _ state: MigrationSession.Plan.Service) -> String? {
        if ["rolling_back", "rolled_back"].contains(plan.state)
            || ["rolling_back", "rolled_back"].contains(state.progress)
        {
            let causes = (plan.report["causes"]?.elements ?? []).compactMap { $0["trip"]?["name"]?.text }
            return
                "rolled back\(causes.isEmpty ? "" : " by \(causes.joined(separator: ", "))"); see tribune rollout report"
        }
        return nil
    }

    /// Runs the validators of a stage. If one fails, orders the rollback of the service.
    private func validate(_ state: MigrationSession.Plan.Service) throws(CommandFailure) -> Int32 {
        Console.print("\(service): green has \(state.candidate) %")
        let validator = MigrationValidator(session: session)
        let hash = try validator.hash(service)
        try session.report("hash", service, hash)
        // Other measurements look back, and need the stage to last as long as their window.
        guard MigrationCheck.exitCode(hash) != CommandFailure.Code.failed.rawValue else {
            try session.order("rollback", reason: "the hash validator failed", service: service)
            return CommandFailure.Code.failed.rawValue
        }
        guard state.isComplete else { return 0 }
        for _ in 0..<600 {
            let performance = try validator.performance(service)
            let traffic = try validator.traffic(service)
            let code = MigrationCheck.exitCode(performance + traffic)
            if code == 0 {
                try session.report("performance", service, performance)
                try session.report("traffic", service, traffic)
                return 0
            }
            if let reason = failure(try session.plan(), state) { throw CommandFailure(reason) }
            // The window still holds the stage before.
            do throws(CommandFailure) { try watch.pause("validation") } catch {
                try session.report("performance", service, performance)
                try session.report("traffic", service, traffic)
                return code
            }
        }
        throw CommandFailure("the validators of \(service) did not pass")
    }

    /// After the last service, the whole plan is promoted.
    private func awaitPromotion() throws(CommandFailure) {
        var watch = watch
        try watch.wait(for: "the promotion") {
            ["promoted", "retired"].contains($0.state) || $0.state == "rolled_back"
        }
        let state = try session.plan().state
        guard state != "rolled_back" else { throw CommandFailure("rolled back; see tribune rollout report") }
    }
}
