internal import Glibc
internal import JSON
internal import Runtime

/// `tribune migrate …`: the platform's migration of one service from blue to green, and its validators.
enum MigrationCommands {
    static let all: [Command] =
        [
            ("hash", "Check that both versions of a service report the configured constitution."),
            ("performance", "Check green's response time, errors, compliance and special validation."),
            ("readiness", "Check that a service can be migrated."),
            ("traffic", "Check the division of the traffic: in the router, and by counted requests."),
        ].map(validator) + [drill, migrate]

    private static let limits: [Command.Option] = [
        .value("timeout", "SECONDS", "The most time.", default: "7200"),
        .value("interval", "SECONDS", "Time between two looks.", default: "1"),
    ]

    private static func validator(_ name: String, _ summary: String) -> Command {
        Command(
            "migrate \(name)", summary, operands: "SERVICE...", count: 1...64, options: MigrationSession.options,
            details: "Exit codes: 0 all checks passed, 1 one failed, 3 one is unknown: missing data is not passed."
        ) { (invocation) throws(CommandFailure) in
            let session = try MigrationSession(invocation)
            var all: [MigrationCheck] = []
            for service in invocation.operands {
                Console.print(service)
                let checks = try checks(name, service, session)
                try session.report(name, service, checks)
                all += checks
            }
            return MigrationCheck.exitCode(all)
        }
    }

    private static func checks(
        _ validator: String, _ service: String, _ session: MigrationSession
    ) throws(CommandFailure) -> [MigrationCheck] {
        let all = MigrationValidator(session: session)
        return switch validator {
        case "hash": try all.hash(service)
        case "performance": try all.performance(service)
        case "readiness": try all.readiness(service)
        case _: try all.traffic(service)
        }
    }

    // MARK: rollback drill

    private static let drill = Command(
        "migrate drill", "Give green its first stage, order a rollback, and measure the time until blue is validated.",
        operands: "SERVICE", count: 1...1,
        options: MigrationSession.options + limits + [
            .value("within", "SECONDS", "The most time of the rollback.", default: "120")
        ],
        details:
            "Needs a plan without a rollout, and moves real traffic. Exit code 1 if the rollback took longer or was not validated."
    ) { (invocation) throws(CommandFailure) in
        let session = try MigrationSession(invocation)
        let service = invocation.operands[0]
        var watch = MigrationWatch(
            session: session, timeout: try seconds(invocation, "timeout"), interval: try seconds(invocation, "interval")
        )
        let within = try seconds(invocation, "within")
        let plan = try session.plan()
        guard plan.services.first?.name == service else {
            throw CommandFailure(
                "a drill begins with the first service of the plan, \(plan.services.first?.name ?? "none")")
        }
        try session.order("start", reason: "rollback drill")
        try watch.wait(for: "the first stage of \(service)") { plan in
            let state = plan.service(service)
            return state?.progress == "baking" && state?.observed == state?.candidate
        }
        let before = try session.plan().report["id"]?.text
        let began = SystemClock.monotonicNanoseconds()
        try session.order("rollback", reason: "rollback drill")
        try watch.wait(for: "the report of the rollback") { plan in
            plan.report["id"]?.text != before && plan.report["valid"]?.bool != nil
        }
        let took = Double(SystemClock.monotonicNanoseconds() - began) / 1e9
        let report = try session.plan().report
        let isValid = report["valid"]?.bool == true
        let checks = [
            MigrationCheck(
                name: "validation of the rollback", outcome: isValid ? .passed : .failed,
                value: isValid ? "validated" : "not validated", target: "validated"),
            MigrationCheck(
                name: "seconds until the rollback was validated", outcome: took < within ? .passed : .failed,
                value: "\((took * 10).rounded() / 10)", target: "< \(within)"),
        ]
        Console.print("\(service): rollback \(report["id"]?.text ?? "")")
        try session.report("drill", service, checks)
        return MigrationCheck.exitCode(checks)
    }

    private static func seconds(_ invocation: Invocation, _ name: String) throws(CommandFailure) -> Double {
        guard let value = invocation.value(name).flatMap({ Double($0) }), value > 0, value <= 7 * 86400 else {
            throw invocation.misuse(of: name, "a number of seconds")
        }
        return value
    }

    // MARK: migration

    private static let migrate = Command(
        "migrate", "Migrate one service from blue to green: readiness, stages with validators, hold at 100 %.",
        operands: "SERVICE", count: 1...1,
        options: MigrationSession.options + limits + [
            .flag("checked", "The checklist of the service is done. Without it, the list is printed and nothing moves.")
        ],
        details: """
            Services are migrated in the order of the plan. Rollback rules, gates and stages are those of the plan; a validator that fails
            rolls the service back. At 100 % the plan is paused, so that the next service begins with its own command, which also lets
            this one's last gates decide. Exit codes: 0 green has all traffic, 1 rolled back or not ready, 3 a check is unknown.
            """
    ) { (invocation) throws(CommandFailure) in
        let session = try MigrationSession(invocation)
        return try Migration(
            service: invocation.operands[0], session: session, isChecked: invocation.flag("checked"),
            watch: MigrationWatch(
                session: session, timeout: try seconds(invocation, "timeout"),
                interval: try seconds(invocation, "interval"))
        ).run()
    }
}

/// Waits for states of a plan, until the time is up.
struct MigrationWatch {
    let session: MigrationSession
    let timeout: Double
    let interval: Double
    private let started = SystemClock.monotonicNanoseconds()

    init(session: MigrationSession, timeout: Double, interval: Double) {
        self.session = session
        self.timeout = timeout
        self.interval = interval
    }

    /// Pauses for the interval. Fails when the time is up.
    func pause(_ what: String) throws(CommandFailure) {
        let passed = Double(SystemClock.monotonicNanoseconds() - started) / 1e9
        guard passed < timeout else { throw CommandFailure("\(what) took more than \(Int(timeout)) s") }
        usleep(UInt32(min(interval, timeout - passed) * 1e6))
    }

    /// Waits until `isReached`.
    mutating func wait(
        for what: String, _ isReached: (MigrationSession.Plan) -> Bool
    ) throws(CommandFailure) {
        while !isReached(try session.plan()) { try pause(what) }
    }
}
