internal import JSON
internal import WebServer

/// `tribune explain`: why notifications of an alert were sent or not.
enum ExplainCommand {
    static let command = Command(
        "explain", "Explain why notifications of an alert were sent or not.", operands: "ALERT [LABEL=VALUE...]",
        count: 1...20,
        options: [
            .value("server", "URL", "The running Tribune.", default: "http://127.0.0.1:9190"),
            .value("at", "TIME", "The time to explain, RFC 3339 or seconds since 1970. Default: now."),
            .flag("json", "Print everything as JSON."),
        ],
        details: """
            Shows the value and 'for' of the rule, what inhibited, muted or silenced the alert, the routes that take it with
            their groups, and each message with the receiver's answer. Values come from the stored samples; routes and rules
            are those of the configuration in force.

            Example: tribune explain HighErrorRate service=auth --at=2026-11-28T10:00:00Z
            """
    ) { (invocation) throws(CommandFailure) in
        var fields = [("alert", invocation.operands[0])]
        if let time = invocation.value("at") { fields.append(("time", time)) }
        fields += invocation.operands.dropFirst().map { ("filter", $0) }
        let query = fields.map { "\($0.0)=\(URLEncoding.escape($0.1))" }.joined(separator: "&")
        let client = APIClient(invocation.value("server") ?? "")
        let data = try client.get("explain?\(query)")["data"] ?? .null
        Console.print(invocation.flag("json") ? data.encoded : text(data).joined(separator: "\n"))
        return 0
    }

    private static func text(_ data: JSON) -> [String] {
        var lines = ["\(string(data["alert"])) at \(string(data["time"]))"]
        for rule in data["rules"]?.elements ?? [] {
            lines.append(
                "rule      \(string(rule["file"])), group \(string(rule["group"])), for \(string(rule["for"]))")
            lines.append("          \(string(rule["query"]))")
            if let count = rule["results"]?.integer { lines.append("          results at that time: \(count)") }
            for name in ["error", "last_error"] {
                if let error = rule[name]?.text { lines.append("          \(name): \(error)") }
            }
        }
        let alerts = data["alerts"]?.elements ?? []
        if alerts.isEmpty { lines.append("The condition had no result, so no alert was pending or firing.") }
        for alert in alerts { lines += ["", string(alert["conclusion"])] + self.alert(alert) }
        if let omitted = data["omitted"]?.integer, omitted > 0 {
            lines.append("\n\(omitted) more alerts are not shown.")
        }
        return lines
    }

    private static func alert(_ alert: JSON) -> [String] {
        var lines = ["  alert     \(labels(alert["labels"]))"]
        var state = "  state     \(string(alert["state"]))"
        if let since = alert["active_since"]?.text { state += " since \(since)" }
        if let value = alert["value"]?.text { state += ", value \(value)" }
        lines.append(state)
        for other in alert["inhibited_by"]?.elements ?? [] { lines.append("  inhibited by \(labels(other))") }
        for silence in alert["silenced_by"]?.elements ?? [] {
            lines.append(
                "  silenced  \(string(silence["matchers"])) by \(string(silence["created_by"])) until "
                    + "\(string(silence["ends_at"])): \(string(silence["comment"]))")
        }
        for route in alert["routes"]?.elements ?? [] {
            lines.append("  route     \(string(route["route"])) to \(string(route["receiver"]))")
            lines.append(
                "            group \(string(route["group_key"])), wait \(string(route["group_wait"])), interval "
                    + "\(string(route["group_interval"])), repeat \(string(route["repeat_interval"]))")
            for name in route["muted_by"]?.elements ?? [] { lines.append("            muted by \(string(name))") }
            if let due = route["due_at"]?.text { lines.append("            due at \(due)") }
            guard let deliveries = route["deliveries"]?.elements else {
                lines.append("            the history of messages cannot be read now")
                continue
            }
            if deliveries.isEmpty { lines.append("            no message in the history") }
            for delivery in deliveries {
                let outcome = delivery["error"]?.text ?? string(delivery["answer"])
                lines.append(
                    "            \(string(delivery["time"])) \(string(delivery["integration"])) "
                        + "\(string(delivery["state"])) at attempt \(delivery["attempt"]?.integer ?? 1)"
                        + (outcome.isEmpty ? "" : ": \(outcome)"))
            }
        }
        return lines
    }

    private static func string(_ json: JSON?) -> String { json?.text ?? "" }

    private static func labels(_ json: JSON?) -> String {
        "{" + (json?.members ?? []).map { "\($0.name)=\($0.value.encoded)" }.joined(separator: ", ") + "}"
    }
}
