internal import Glibc
internal import JSON
internal import WebServer

/// `tribune rollout …`: shows the rollouts of a running Tribune and sends commands.
enum RolloutCommands {
    static let options: [Command.Option] = [
        .value("server", "URL", "The running Tribune.", default: "http://127.0.0.1:9190"),
        .value("token-file", "FILE", "File with the bearer token, for a server on another machine."),
    ]
    private static let reason = Command.Option.value("reason", "TEXT", "The reason, for the record.")

    /// `rollout status` and one command for each operation.
    static let all: [Command] =
        [status, report, history, tasks, task, preflight]
        + [
            ("start", "Start a rollout."), ("pause", "Stop promotion at its current stage."),
            ("resume", "Continue after a pause."),
            ("promote", "Approve the current stage and continue."),
            ("abort", "End the rollout and roll back all candidates."),
            ("rollback", "Return to the stable version, even after promotion."),
            ("abandon-route", "Stop the attempts to take traffic back along a route that cannot be reached."),
            ("adopt", "Take traffic that no rollout gave as that of a rollout, which is paused."),
            ("observe", "Read, record and page for a time, and write nothing to routers."),
            ("acknowledge", "Let promotion go on after a record was lost and the traffic was checked."),
            ("finish-upgrade", "Write records that the version before cannot read: no node runs it any more."),
        ].map(order)

    private static func order(_ verb: String, _ summary: String) -> Command {
        let more = orderOptions(of: verb)
        return Command(
            "rollout \(verb)", summary, operands: "PLAN", count: 1...1, options: options + [reason] + more
        ) { (invocation) throws(CommandFailure) in
            let plan = invocation.operands[0]
            let arguments = more.map(\.name).flatMap { name in
                invocation.values(name).map { (name.replacing("-", with: "_"), $0) }
            }
            let answer = try client(invocation).post(
                "rollouts/\(plan)/\(verb)", [("reason", invocation.value("reason") ?? "")] + arguments)
            if let ignored = answer["data"]?["ignored"]?.text {
                throw CommandFailure("\(plan): \(verb) had no effect: \(ignored)")
            }
            Console.print("\(plan): \(verb) accepted")
            return 0
        }
    }

    /// Options that only `verb` has; they are parameters of the same name in the API.
    private static func orderOptions(of verb: String) -> [Command.Option] {
        switch verb {
        case "rollback":
            [.value("service", "NAME", "Only this service, without the services that depend on it. Can be repeated.")]
        case "abandon-route":
            [
                .value("service", "NAME", "The service of the route."),
                .value("route", "NUMBER", "The route, counted from 1 as in `rollout status`.", default: "1"),
            ]
        case "observe":
            [.value("for", "DURATION", "How long, such as 1h; 0 ends it.", default: "1h")]
        case "promote":
            [
                .flag("without-data", "Pass the present stage although data are missing. Needs a reason."),
                .flag(
                    "full",
                    "Give every candidate all traffic, without further stages, bakes, gates and hooks. Needs a reason."),
            ]
        case "start":
            [.value("service", "NAME", "Only this service; the others keep their stable versions. Can be repeated.")]
        case _: []
        }
    }

    private static let status = Command(
        "rollout status", "Show the state of rollouts.", operands: "[PLAN]", count: 0...1,
        options: options + [
            .flag("json", "Print JSON."),
            .flag("watch", "Show the state again every two seconds, until interrupted."),
        ]
    ) { (invocation) throws(CommandFailure) in
        guard invocation.flag("watch") else {
            try showStatus(invocation)
            return 0
        }
        while true {
            Console.print("\u{1b}[H\u{1b}[2J")
            try showStatus(invocation)
            sleep(2)
        }
    }

    private static func showStatus(_ invocation: Invocation) throws(CommandFailure) {
        let data = try client(invocation).get("rollouts")["data"] ?? .null
        let plans = (data["rollouts"]?.elements ?? []).filter { plan in
            invocation.operands.first.map { plan["plan"]?.text == $0 } ?? true
        }
        if let wanted = invocation.operands.first, plans.isEmpty {
            throw CommandFailure("no plan named \"\(wanted)\"")
        }
        if invocation.flag("json") {
            Console.print(JSON.array(plans).encoded)
            return
        }
        if plans.isEmpty { Console.print("no plans are configured") }
        for plan in plans { show(plan) }
    }

    private static func show(_ plan: JSON) {
        let details = plan["details"] ?? .null
        let lease = details["lease"].flatMap(leaseText) ?? ""
        Console.print("\(plan["plan"]?.text ?? ""): \(plan["state"]?.text ?? "")\(lease)")
        let recorded = details["recorded_at"]?.text
        if let recorded { Console.print("  State that the leader recorded at \(recorded); it reads the routes") }
        let services = details["services"]?.elements ?? []
        Console.print(Console.table(services.map { ("  \($0["name"]?.text ?? "")", line(of: $0)) }))
        if recorded == nil { for line in services.flatMap(unreadLines) { Console.print(line) } }
        for service in services {
            for gate in service["gates"]?.elements ?? [] where service["bake_ends"]?.text != nil {
                let state = gate["open"]?.bool.map { $0 ? "open" : "closed" } ?? "not known"
                Console.print(
                    "  \(service["name"]?.text ?? ""), gate \(gate["name"]?.text ?? ""): \(state), "
                        + (gate["detail"]?.text ?? ""))
            }
        }
        for hook in details["hooks"]?.elements ?? [] {
            let answer = hook["verdict"]?.text.map { "\($0), \(hook["detail"]?.text ?? "")" } ?? "no answer yet"
            Console.print(
                "  hook \(hook["name"]?.text ?? "") \(hook["when"]?.text ?? ""): \(answer), waited for since "
                    + (hook["since"]?.text ?? ""))
        }
        for rule in details["rules"]?.elements ?? [] {
            for element in rule["elements"]?.elements ?? [] {
                let labels = element["labels"]?.text.map { $0 == "{}" ? "" : $0 } ?? ""
                let state =
                    element["tripped"]?.bool == true
                    ? ", tripped" : element["missing_since"]?.text.map { ", no data since \($0)" } ?? ""
                let value = element["value"]?.text.map { "\($0) at \(element["at"]?.text ?? "")" } ?? "never measured"
                Console.print(
                    "  rule \(rule["name"]?.text ?? "")\(labels): \(value), trips at \(rule["trip"]?.text ?? "")\(state)"
                )
            }
        }
        if ["promoting", "paused", "rolled_back"].contains(plan["state"]?.text),
            let obstacle = details["obstacle"]?.text
        {
            Console.print("  No candidate gets more traffic: \(obstacle)")
        }
        if let until = details["observing_until"]?.text {
            Console.print("  Only observing until \(until): nothing is written to routers")
        }
        if let until = details["cooldown_until"]?.text { Console.print("  Cooldown until \(until)") }
        for line in details["todo"]?.elements ?? [] { Console.print("  To do: \(line.text ?? "")") }
    }

    /// `desired stable 90 %, candidate 10 %; live 90/10; baking, stage 1 of 3 until 2026-…`.
    private static func line(of service: JSON) -> String {
        let testers = service["testers"]?.bool == true ? " and testers" : ""
        var line =
            "desired stable \(service["stable"]?.integer ?? 0) %, candidate \(service["candidate"]?.integer ?? 0) %\(testers); "
            + "\(observedText(service)); "
        line += service["frozen"]?.text ?? service["progress"]?.text ?? ""
        if let stage = service["stage"]?.integer { line += ", stage \(stage) of \(service["stages"]?.integer ?? 0)" }
        if let end = service["bake_ends"]?.text { line += " until \(end)" }
        if let since = service["unmanaged_since"]?.text { line += ", not given by a rollout, seen since \(since)" }
        if service["left_out"]?.bool == true { line += ", no part of this rollout" }
        if let lack = service["lack"]?.text { line += ", waits: \(lack)" }
        return line
    }

    /// The observed split of all routes of a service, or "unknown".
    private static func observedText(_ service: JSON) -> String {
        guard let split = service["observed"].flatMap(text) else { return "live unknown" }
        let isStored = service["routes"]?.elements?.contains { $0["grade"]?.text == "stored" } ?? false
        return "\(isStored ? "stored (effect unknown)" : "live") \(split)"
    }

    /// `90/10`, or `100/0 with testers`.
    private static func text(_ split: JSON) -> String? {
        guard let stable = split["stable"]?.integer, let candidate = split["candidate"]?.integer else { return nil }
        return "\(stable)/\(candidate)\(split["testers"]?.bool == true ? " with testers" : "")"
    }

    /// A line for each route that cannot be read, or that shows another split than desired.
    private static func unreadLines(_ service: JSON) -> [String] {
        (service["routes"]?.elements ?? []).enumerated().compactMap { index, route in
            let observed = route["observed"].flatMap(text)
            let name = "  \(service["name"]?.text ?? ""), route \(index + 1) (\(route["name"]?.text ?? ""))"
            let last =
                route["read_at"]?.text.map { "last reading \(observed ?? "no traffic") at \($0)" } ?? "never read"
            if let since = route["unreadable_since"]?.text {
                return "\(name): cannot be read since \(since): \(route["fault"]?.text ?? ""); \(last)"
            }
            if route["up"]?.bool == nil { return "\(name): never read" }
            return observed == text(service) ? nil : "\(name): \(last)"
        }
    }

    private static let preflight = Command(
        "rollout preflight", "Print the checks to make before a rollout, in the order of promotion.", operands: "PLAN",
        count: 1...1, options: options, details: "The lists are those of `preflight` in the plan."
    ) { (invocation) throws(CommandFailure) in
        let data = try client(invocation).get("rollouts/\(invocation.operands[0])")["data"] ?? .null
        let services = data["details"]?["services"]?.elements ?? []
        for service in services {
            let checks = (service["preflight"]?.elements ?? []).compactMap(\.text)
            if checks.isEmpty { continue }
            Console.print("\(service["name"]?.text ?? "")")
            for check in checks { Console.print("- [ ] \(check)") }
        }
        if services.allSatisfy({ $0["preflight"]?.elements?.isEmpty ?? true }) {
            Console.print("the plan \"\(invocation.operands[0])\" has no checks")
        }
        return 0
    }

    private static let report = Command(
        "rollout report", "Print the report of a rollback, in Markdown.", operands: "PLAN", count: 1...1,
        options: options + [
            .value("rollback", "ID", "This one, as `rollout history` lists it; the last one unless given."),
            .flag("json", "Print the report of the last one as JSON, with every sample and step."),
        ]
    ) { (invocation) throws(CommandFailure) in
        if invocation.flag("json") {
            let plan = try client(invocation).get("rollouts/\(invocation.operands[0])")["data"] ?? .null
            guard let report = plan["details"]?["rollback"], report != .null else {
                throw CommandFailure("the plan \"\(invocation.operands[0])\" was never rolled back")
            }
            Console.print(report.encoded)
            return 0
        }
        let id = invocation.value("rollback").map { "?rollback=\(URLEncoding.escape($0))" } ?? ""
        let data = try client(invocation).get("rollouts/\(invocation.operands[0])/report\(id)")["data"] ?? .null
        Console.print(data["markdown"]?.text ?? "")
        return 0
    }

    private static let history = Command(
        "rollout history", "List past rollouts with their orders and rollbacks.", operands: "PLAN", count: 1...1,
        options: options + [
            .value("limit", "NUMBER", "The most rollouts, up to 500.", default: "20"), .flag("json", "Print JSON."),
        ], details: "They are read from the ledger; reports of rollbacks: `tribune rollout report PLAN --rollback=ID`."
    ) { (invocation) throws(CommandFailure) in
        let (plan, limit) = (invocation.operands[0], invocation.value("limit") ?? "20")
        let path = "rollouts/\(plan)/history?limit=\(URLEncoding.escape(limit))"
        let rollouts = try client(invocation).get(path)["data"]?["rollouts"] ?? .array([])
        if invocation.flag("json") {
            Console.print(rollouts.encoded)
            return 0
        }
        for rollout in rollouts.elements ?? [] {
            let began = rollout["began"]?.text.map { "began \($0)" } ?? "beginning not recorded"
            let by = rollout["by"]?.text ?? ""
            let end = rollout["promoted"]?.text.map { ", promoted \($0)" } ?? ""
            Console.print(
                "generation \(rollout["generation"]?.integer ?? 0): \(began)\(by.isEmpty ? "" : " by \(by)")\(end)")
            for order in rollout["orders"]?.elements ?? [] {
                let reason = order["reason"]?.text.flatMap { $0.isEmpty ? nil : ": \($0)" } ?? ""
                Console.print(
                    "  \(order["time"]?.text ?? "") \(order["command"]?.text ?? "") by \(order["by"]?.text ?? "")\(reason)"
                )
            }
            for rollback in rollout["rollbacks"]?.elements ?? [] {
                let services = (rollback["services"]?.elements ?? []).compactMap(\.text).joined(separator: ", ")
                let causes = (rollback["causes"]?.elements ?? []).compactMap(\.text).joined(separator: "; ")
                let valid = rollback["valid"]?.bool.map { $0 ? "validated" : "not validated" } ?? "not validated"
                Console.print(
                    "  \(rollback["time"]?.text ?? "") rollback \(rollback["id"]?.text ?? "") of \(services), \(valid): \(causes)"
                )
            }
        }
        if rollouts.elements?.isEmpty ?? true { Console.print("the ledger has no rollout of \(plan)") }
        return 0
    }

    /// The state of the lease, for a process that shares one; `nil` for a process that runs alone.
    private static func leaseText(_ lease: JSON) -> String? {
        guard let standing = lease["standing"]?.text, let holder = lease["holder"]?.text else { return nil }
        let epoch = lease["epoch"]?.integer ?? 0
        switch standing {
        case "leading": return " (this node leads, epoch \(epoch))"
        case "alone": return " (this node leads, epoch \(epoch); the lease cannot be renewed, only rollbacks continue)"
        case "standby" where !holder.isEmpty: return " (standby; \(holder) leads, epoch \(epoch))"
        case _: return " (standby; no known leader)"
        }
    }

    static func client(_ invocation: Invocation) throws(CommandFailure) -> APIClient {
        var client = APIClient(invocation.value("server") ?? "")
        if let path = invocation.value("token-file") { client.token = try Console.secret(in: path) }
        return client
    }
}
