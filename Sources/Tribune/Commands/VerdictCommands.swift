internal import JSON
internal import WebServer

/// `tribune verdict …`: shows the verdicts about releases that other controllers move, and ends one.
enum VerdictCommands {
    static let all: [Command] = [status, end]

    private static let status = Command(
        "verdict status", "Show the verdicts about releases that Flagger or Argo Rollouts move.", operands: "[NAME]",
        count: 0...1, options: RolloutCommands.options + [.flag("json", "Print JSON.")]
    ) { (invocation) throws(CommandFailure) in
        let data = try RolloutCommands.client(invocation).get("verdicts")["data"] ?? .null
        let verdicts = (data["verdicts"]?.elements ?? []).filter { verdict in
            invocation.operands.first.map { verdict["name"]?.text == $0 } ?? true
        }
        if let wanted = invocation.operands.first, verdicts.isEmpty {
            throw CommandFailure("no verdict named \"\(wanted)\"")
        }
        if invocation.flag("json") {
            Console.print(JSON.array(verdicts).encoded)
            return 0
        }
        if verdicts.isEmpty { Console.print("no verdicts are configured") }
        for verdict in verdicts { show(verdict) }
        return 0
    }

    private static func show(_ verdict: JSON) {
        let release = verdict["release"]?.text.map { ", release \($0)" } ?? ""
        let since = verdict["since"]?.text.map { " since \($0)" } ?? ""
        Console.print("\(verdict["name"]?.text ?? ""): \(verdict["verdict"]?.text ?? "")\(release)\(since)")
        for reason in verdict["reasons"]?.elements ?? [] { Console.print("  \(reason.text ?? "")") }
        let rows = (verdict["rules"]?.elements ?? []).map { rule -> (String, String) in
            let value = rule["value"]?.text ?? "no data"
            let mode = rule["mode"]?.text == "shadow" ? " (shadow)" : ""
            let tripped = rule["tripped"]?.bool == true ? ", tripped" : ""
            return (
                "  \(rule["rule"]?.text ?? "")\(mode)", "\(value), trips at \(rule["condition"]?.text ?? "")\(tripped)"
            )
        }
        if !rows.isEmpty { Console.print(Console.table(rows)) }
    }

    private static let end = Command(
        "verdict end", "End the release of a verdict, so that the next question begins one anew.", operands: "NAME",
        count: 1...1, options: RolloutCommands.options,
        details: """
            A release that violated a rule stays violated until it ends. Flagger says so by itself; with Argo
            Rollouts, end it before the same release is tried again.
            """
    ) { (invocation) throws(CommandFailure) in
        let name = invocation.operands[0]
        let answer = try RolloutCommands.client(invocation).post("verdicts/\(URLEncoding.escape(name))/end", [])
        let isEnded = answer["data"]?["ended"]?.bool == true
        Console.print(isEnded ? "\(name): the release ended" : "\(name): no release was under way")
        return 0
    }
}
