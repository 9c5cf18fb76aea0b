internal import MetricModel
internal import RuleModel
package import YAML

extension FieldReader {
    /// A duration in Prometheus's notation.
    mutating func duration(_ name: String, least: Milliseconds = .zero) throws(YAMLError) -> Milliseconds? {
        guard let node = optional(name) else { return nil }
        guard let text = node.text, let duration = Milliseconds(parsing: text) else {
            throw fault("not a duration, such as 30s or 5m", at: node, field: name)
        }
        guard duration >= least, duration <= .hours(24 * 365) else {
            throw fault("must be between \(least) and one year", at: node, field: name)
        }
        return duration
    }

    /// A number in 0...1.
    mutating func ratio(_ name: String) throws(YAMLError) -> Double? {
        guard let number = try optionalNumber(name) else { return nil }
        guard (0...1).contains(number) else { throw fault("must be between 0 and 1", at: optional(name), field: name) }
        return number
    }

    /// A whole number within `range`.
    mutating func count(_ name: String, in range: ClosedRange<Int>) throws(YAMLError) -> Int? {
        guard let number = try optionalInteger(name) else { return nil }
        guard range.contains(number) else {
            throw fault(
                "must be between \(range.lowerBound) and \(range.upperBound)", at: optional(name), field: name)
        }
        return number
    }

    /// A name of letters, digits, `-`, `_` and `.`.
    package mutating func name(_ field: String) throws(YAMLError) -> String {
        let text = try text(field)
        let isPlain = text.utf8.allSatisfy { byte in
            switch byte {
            case 0x30...0x39, 0x41...0x5a, 0x61...0x7a, 0x2d, 0x2e, 0x5f: true
            default: false
            }
        }
        guard isPlain, (1...100).contains(text.utf8.count) else {
            throw fault(
                "a name has 1 to 100 letters, digits, \"-\", \"_\" and \".\"", at: optional(field), field: field)
        }
        return text
    }

    /// Text that is one word of a HAProxy command.
    mutating func word(_ field: String) throws(YAMLError) -> String {
        let text = try text(field)
        guard HAProxyServer.isWord(text) else {
            throw fault("must not contain spaces, quotes, \";\" or \"\\\"", at: optional(field), field: field)
        }
        return text
    }

    /// An HTTP or HTTPS URL.
    mutating func url(_ name: String) throws(YAMLError) -> String? {
        guard let text = try optionalText(name) else { return nil }
        let isURL = text.hasPrefix("http://") || text.hasPrefix("https://")
        guard isURL, !text.utf8.contains(where: { $0 <= 0x20 || $0 == 0x7f }) else {
            throw fault("expected a URL of http or https", at: optional(name), field: name)
        }
        return text
    }

    /// Header fields of requests.
    mutating func headers(_ name: String) throws(YAMLError) -> [WebhookRoute.Header] {
        var headers: [WebhookRoute.Header] = []
        for header in try textMapping(name) {
            let isToken = !header.name.isEmpty && header.name.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7f && $0 != 0x3a }
            guard isToken, !header.value.utf8.contains(where: { $0 < 0x20 }) else {
                throw fault("not a header: \"\(header.name)\"", at: header.node, field: name)
            }
            headers.append(WebhookRoute.Header(name: header.name, value: header.value))
        }
        return headers
    }

    /// A program with its arguments.
    mutating func command(_ name: String) throws(YAMLError) -> [String]? {
        guard let node = optional(name) else { return nil }
        let words = try textList(name)
        guard let program = words.first, !program.isEmpty, !words.contains(where: { $0.utf8.contains(0) }) else {
            throw fault("expected a list: a program and its arguments", at: node, field: name)
        }
        return words
    }

    /// Ascending percentages of the candidate that end with 100; `testers` may be the first stage.
    mutating func stages(_ name: String) throws(YAMLError) -> [TrafficSplit]? {
        guard optional(name) != nil else { return nil }
        var stages: [TrafficSplit] = []
        for (index, node) in try list(name).enumerated() {
            let split =
                node.text == TrafficSplit.testersOnly.stageName
                ? .testersOnly : node.text.flatMap { Int($0) }.flatMap(TrafficSplit.init(candidate:))
            guard let split, split > stages.last ?? .allStable else {
                throw fault(
                    "stages are whole percentages from 1 to 100, in ascending order, after testers if they are first",
                    at: node, field: "\(name)[\(index)]")
            }
            stages.append(split)
        }
        guard stages.last == .allCandidate else {
            throw fault("the last stage must be 100", at: optional(name), field: name)
        }
        return stages
    }

    /// A comparison such as `< 0.95`.
    mutating func condition(_ name: String) throws(YAMLError) -> RollbackDefinition.Condition {
        let text = try text(name)
        let parts = text.split(separator: " ")
        guard parts.count == 2, let comparison = RollbackDefinition.Condition.Comparison(rawValue: String(parts[0])),
            let threshold = Double(parts[1]), !threshold.isNaN
        else { throw fault("expected a comparison such as \"< 0.95\"", at: optional(name), field: name) }
        return RollbackDefinition.Condition(comparison, threshold)
    }

    /// Servers written as `backend/server`.
    mutating func servers(_ name: String) throws(YAMLError) -> [HAProxyServer] {
        var servers: [HAProxyServer] = []
        for (index, node) in try list(name).enumerated() {
            let parts = (node.text ?? "").split(separator: "/", omittingEmptySubsequences: false).map(String.init)
            guard parts.count == 2, parts.allSatisfy(HAProxyServer.isWord) else {
                throw fault("expected backend/server", at: node, field: "\(name)[\(index)]")
            }
            servers.append(HAProxyServer(backend: parts[0], server: parts[1]))
        }
        guard (1...50).contains(servers.count), Set(servers).count == servers.count else {
            throw fault("expected 1 to 50 different servers", at: optional(name), field: name)
        }
        return servers
    }

    /// Addresses written as `host:port`.
    mutating func addresses(_ name: String) throws(YAMLError) -> [String] {
        var addresses: [String] = []
        for (index, node) in try list(name).enumerated() {
            guard let text = node.text, text.contains(":"),
                text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f && !"{};\"'\\#$".utf8.contains($0) })
            else { throw fault("expected host:port", at: node, field: "\(name)[\(index)]") }
            addresses.append(text)
        }
        guard (1...50).contains(addresses.count) else {
            throw fault("expected 1 to 50 addresses", at: optional(name), field: name)
        }
        return addresses
    }
}

extension HAProxyServer {
    /// Whether `text` is one word of a command: a semicolon or a line end would begin another command.
    static func isWord(_ text: String) -> Bool {
        (1...200).contains(text.utf8.count)
            && text.utf8.allSatisfy { $0 > 0x20 && $0 != 0x7f && !";\"'\\".utf8.contains($0) }
    }
}
