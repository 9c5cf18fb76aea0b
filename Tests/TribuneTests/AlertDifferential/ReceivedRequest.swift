import JSON
import TestSupport

/// A request of a notifier as fields: `body.alerts[0].status`, `header.content-type`.
struct ReceivedRequest: Hashable {
    /// Method and path, without the prefix of the world.
    var line: String
    var fields: [String: String]

    /// Headers with the sender, the receiver and the time.
    private static let ignored: Set<String> = [
        "host", "user-agent", "content-length", "accept-encoding", "accept", "connection", "x-amz-date",
    ]

    init(_ request: LoopbackServer.Request) {
        line = request.line.split(separator: " ").dropLast().joined(separator: " ")
        fields = [:]
        for (name, value) in request.headers where !Self.ignored.contains(name) {
            // The signature covers the time.
            fields["header.\(name)"] = name == "authorization" && value.hasPrefix("AWS4") ? "AWS4" : value
        }
        let body = String(decoding: request.body, as: UTF8.self)
        if let json = try? JSON(parsing: body) {
            flatten(json, "body")
        } else if request.headers["content-type"]?.hasPrefix("application/x-www-form-urlencoded") == true {
            for pair in body.split(separator: "&") {
                let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
                // The SDK of 0.25 sends an empty map, that of 0.34 does not.
                guard pair != "MessageAttributes=" else { continue }
                fields["form.\(parts[0])"] = parts.dropFirst().first.map(String.init)
            }
        } else {
            fields["body"] = body
        }
    }

    private mutating func flatten(_ json: JSON, _ path: String) {
        switch json {
        case .object(let members):
            if members.isEmpty { fields[path] = "{}" }
            for member in members { flatten(member.value, "\(path).\(member.name)") }
        case .array(let elements):
            if elements.isEmpty { fields[path] = "[]" }
            for (index, element) in elements.enumerated() { flatten(element, "\(path)[\(index)]") }
        case .null, .bool, .integer, .number, .string: fields[path] = json.encoded
        }
    }

    /// The world that it belongs to; `nil` if it names none.
    var world: String? {
        for text in fields.values.lazy + [line] {
            guard let start = text.firstRange(of: "world-")?.upperBound else { continue }
            return "world-" + text[start...].prefix { $0.isNumber }
        }
        return nil
    }

    /// The fields that differ from `other`.
    func differences(from other: ReceivedRequest) -> [String] {
        Set(fields.keys).union(other.fields.keys).sorted().compactMap { name in
            let (mine, theirs) = (fields[name], other.fields[name])
            return mine == theirs ? nil : "\(name): \(theirs ?? "absent") in Alertmanager, \(mine ?? "absent") here"
        }
    }
}
