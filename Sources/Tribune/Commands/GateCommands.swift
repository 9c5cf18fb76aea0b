internal import JSON
internal import MetricModel
internal import Runtime

/// `tribune gate …`: uses the deployment gates of a running Tribune, from a pipeline or manually.
enum GateCommands {
    /// The exit code of an inconclusive analysis.
    static let inconclusive: Int32 = 3

    private static let options: [Command.Option] = [
        .value("server", "URL", "The running Tribune.", default: "http://127.0.0.1:9190"),
        .value("token-file", "FILE", "File with the bearer token of the gates."),
    ]

    static let all = [analyze, checkpoint, restore, status]

    private static let analyze = Command(
        "gate analyze", "Ask whether a deployment is worse than the one it replaces.", operands: "[FILE]", count: 0...1,
        options: options + [
            .flag("change", "Compare the time before and after a change instead of two versions."),
            .value("service", "NAME", "The service."), .value("window", "DURATION", "Length of the window."),
            .value("change-time", "TIME", "With --change: the time of the change, as a date or in seconds since 1970."),
            .flag("json", "Print JSON."),
        ],
        details: """
            FILE holds the request as JSON (`-` is standard input). Without it, the options and the configured profile determine what
            is compared. Exit codes: 0 pass, 1 fail, 3 inconclusive, 2 wrong usage.
            """
    ) { (invocation) throws(CommandFailure) in
        let isChange = invocation.flag("change")
        let path = isChange ? "analyze-performance-change" : "analyze-deployment"
        let data = try client(invocation).post(path, json: try body(invocation, isChange: isChange))["data"] ?? .null
        if invocation.flag("json") { Console.print(data.encoded) } else { Console.print(text(of: data)) }
        return switch data["verdict"]?.text {
        case "pass": 0
        case "fail": CommandFailure.Code.failed.rawValue
        default: inconclusive
        }
    }

    private static let checkpoint = Command(
        "gate checkpoint", "Record the current traffic split.",
        options: options + [
            .value("plan", "NAME", "Only this plan."), .value("reason", "TEXT", "The reason, for the record."),
        ], details: "Prints the id of the checkpoint."
    ) { (invocation) throws(CommandFailure) in
        let members = ["plan", "reason"].compactMap { name in
            invocation.value(name).map { JSON.Member(name, .string($0)) }
        }
        let data = try post(invocation, "safety/checkpoint", .object(members))
        Console.print(data["checkpoint_id"]?.text ?? "")
        guard data["complete"]?.bool == true else {
            throw CommandFailure("not every router could be read; see tribune gate status")
        }
        return 0
    }

    private static let restore = Command(
        "gate restore", "Roll back candidates that have more traffic than at a checkpoint.", operands: "CHECKPOINT",
        count: 1...1,
        options: options + [
            .flag(
                "exact", "Give candidates that had traffic at the checkpoint the same share again, and pause promotion."
            ),
            .value("reason", "TEXT", "The reason, for the record."),
        ],
        details: """
            Without --exact, a candidate that has more traffic than at the checkpoint loses all of it. No candidate gets more traffic.
            """
    ) { (invocation) throws(CommandFailure) in
        var members = invocation.value("reason").map { [JSON.Member("reason", .string($0))] } ?? []
        if invocation.flag("exact") { members.append(.init("exact", true)) }
        let data = try post(invocation, "safety/checkpoint/\(invocation.operands[0])/restore", .object(members))
        let plans = data["restore"]?["plans"]?.elements ?? []
        for plan in plans {
            let detail = plan["detail"]?.text ?? ""
            Console.print(
                "\(plan["plan"]?.text ?? ""): \(plan["outcome"]?.text ?? "")" + (detail.isEmpty ? "" : ", \(detail)"))
            for (member, text) in [("not_raised", "not raised"), ("unread", "not read at the checkpoint, unchanged")] {
                let names = (plan[member]?.elements ?? []).compactMap(\.text)
                if !names.isEmpty { Console.print("  \(text): \(names.joined(separator: ", "))") }
            }
        }
        return plans.contains { $0["outcome"]?.text == "refused" } ? CommandFailure.Code.failed.rawValue : 0
    }

    private static let status = Command(
        "gate status", "Show the latest gate records, or one of them.", operands: "[ID]", count: 0...1, options: options
    ) { (invocation) throws(CommandFailure) in
        let client = try client(invocation)
        let paths = ["analyze-deployment", "analyze-performance-change", "improvements", "safety/checkpoint"]
        guard let id = invocation.operands.first else {
            for path in paths {
                for record in try client.get(path)["data"]?.elements ?? [] {
                    let outcome = record["verdict"] ?? record["status"] ?? record["complete"].map { _ in "kept" } ?? nil
                    Console.print(
                        "\(record["time"]?.text ?? "")  \(record["id"]?.text ?? "")  \(outcome.text ?? "")")
                }
            }
            return 0
        }
        let kinds = ["analysis": Array(paths.prefix(2)), "improvement": [paths[2]], "checkpoint": [paths[3]]]
        guard let known = kinds[String(id.prefix { $0 != "-" })] else {
            throw CommandFailure("\(id) is not the id of a record", code: .usage)
        }
        for path in known {
            let list = try client.get("\(path)?limit=500")["data"]?.elements ?? []
            if let record = list.first(where: { $0["id"]?.text == id }) {
                Console.print(record.encoded)
                return 0
            }
        }
        throw CommandFailure("no record \(id)")
    }

    private static func body(_ invocation: Invocation, isChange: Bool) throws(CommandFailure) -> [UInt8] {
        if let path = invocation.operands.first {
            if path == "-" { return try Console.standardInputBytes() }
            do throws(FileText.ReadError) { return try FileText.bytes(path, limit: 1 << 20) } catch {
                throw CommandFailure(error.description)
            }
        }
        var members: [JSON.Member] = []
        for (option, field) in [("service", "service"), ("window", "window")] {
            if let text = invocation.value(option) { members.append(.init(field, .string(text))) }
        }
        if let text = invocation.value("change-time") {
            members.append(.init("change_time", Double(text).map { .number($0) } ?? .string(text)))
        }
        return Array(JSON.object(members).encoded.utf8)
    }

    private static func text(of analysis: JSON) -> String {
        var lines = ["\(analysis["verdict"]?.text ?? "") \(analysis["id"]?.text ?? "")"]
        for metric in analysis["metrics"]?.elements ?? [] {
            lines.append(
                "  \(metric["verdict"]?.text ?? "") \(metric["metric"]?.text ?? "") (\(metric["test"]?.text ?? "")): "
                    + (metric["reason"]?.text ?? ""))
        }
        return lines.joined(separator: "\n")
    }

    private static func post(_ invocation: Invocation, _ path: String, _ json: JSON) throws(CommandFailure) -> JSON {
        try client(invocation).post(path, json: Array(json.encoded.utf8))["data"] ?? .null
    }

    private static func client(_ invocation: Invocation) throws(CommandFailure) -> APIClient {
        var client = APIClient(invocation.value("server") ?? "")
        if let path = invocation.value("token-file") { client.token = try Console.secret(in: path) }
        return client
    }
}
