internal import JSON

/// The content of a certificate: lines with their evidence, and the two scores. A value; computed from the lines alone.
struct Certificate: Equatable, Sendable {
    /// One line with its result.
    struct Line: Equatable, Sendable {
        var id: String
        var section: String
        var text: String
        /// `passed`, `failed`, `unknown`.
        var outcome: String
        /// The measured value, or what was attested.
        var value: String
        var target: String
        /// The entries of the ledger that it rests on.
        var entries: [Int64]
        var isHealth: Bool
        /// Why it is unknown, or who attested until when.
        var detail: String

        var isPassed: Bool { outcome == "passed" }

        var json: JSON {
            [
                "detail": .string(detail), "entries": .array(entries.map(JSON.integer)), "health": .bool(isHealth),
                "id": .string(id), "outcome": .string(outcome), "section": .string(section), "target": .string(target),
                "text": .string(text), "value": .string(value),
            ]
        }

        init?(json: JSON) {
            guard let id = json["id"]?.text, let outcome = json["outcome"]?.text else { return nil }
            self.init(
                id: id, section: json["section"]?.text ?? "", text: json["text"]?.text ?? "", outcome: outcome,
                value: json["value"]?.text ?? "", target: json["target"]?.text ?? "",
                entries: (json["entries"]?.elements ?? []).compactMap(\.integer), isHealth: json["health"] == true,
                detail: json["detail"]?.text ?? "")
        }

        init(
            id: String, section: String, text: String, outcome: String, value: String, target: String,
            entries: [Int64], isHealth: Bool, detail: String
        ) {
            self.id = id
            self.section = section
            self.text = text
            self.outcome = outcome
            self.value = value
            self.target = target
            self.entries = entries
            self.isHealth = isHealth
            self.detail = detail
        }
    }

    var name: String
    var lines: [Line]
    /// The limits, exclusive.
    var scoreLimit: Double
    var healthLimit: Double

    /// The share of the lines that passed. An unknown line is not passed.
    var score: Double { Self.share(lines) }
    /// The share of the lines about health that passed; 0 without such lines.
    var health: Double { Self.share(lines.filter(\.isHealth)) }
    /// Whether both scores are above their limits.
    var isGranted: Bool { score > scoreLimit && health > healthLimit }

    private static func share(_ lines: [Line]) -> Double {
        lines.isEmpty ? 0 : Double(lines.filter(\.isPassed).count) / Double(lines.count)
    }

    var json: JSON {
        [
            "certificate": .string(name), "granted": .bool(isGranted), "health": .number(health),
            "health_limit": .number(healthLimit), "lines": .array(lines.map(\.json)), "score": .number(score),
            "score_limit": .number(scoreLimit),
        ]
    }

    /// Reads what ``json`` writes. The scores are computed again.
    init?(json: JSON) {
        guard let name = json["certificate"]?.text, let limit = json["score_limit"]?.number,
            let healthLimit = json["health_limit"]?.number
        else { return nil }
        let elements = json["lines"]?.elements ?? []
        let lines = elements.compactMap { Line(json: $0) }
        guard lines.count == elements.count, !lines.isEmpty else { return nil }
        self.init(name: name, lines: lines, scoreLimit: limit, healthLimit: healthLimit)
    }

    init(name: String, lines: [Line], scoreLimit: Double, healthLimit: Double) {
        self.name = name
        self.lines = lines
        self.scoreLimit = scoreLimit
        self.healthLimit = healthLimit
    }

    /// For people.
    var text: String {
        var text = ""
        var section = ""
        for line in lines {
            if line.section != section { text += "\(line.section)\n" }
            section = line.section
            let mark = line.isPassed ? "[x]" : line.outcome == "failed" ? "[!]" : "[ ]"
            let target = line.target.isEmpty ? "" : ", target \(line.target)"
            let entries =
                line.entries.isEmpty ? "no entry" : "entry \(line.entries.map { "\($0)" }.joined(separator: ", "))"
            let value = line.value.isEmpty ? line.outcome : line.value
            text += "  \(mark) \(line.text): \(value)\(target) (\(entries))"
            text += line.detail.isEmpty || line.isPassed ? "\n" : ": \(line.detail)\n"
        }
        func percent(_ share: Double) -> String { "\((share * 1000).rounded() / 10) %" }
        text += "score  \(percent(score)), needed more than \(percent(scoreLimit))\n"
        text += "health \(percent(health)), needed more than \(percent(healthLimit))\n"
        return text + (isGranted ? "granted" : "not granted")
    }
}
