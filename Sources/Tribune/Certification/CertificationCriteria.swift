internal import Runtime
internal import YAML

/// The lines of a certificate, from a YAML file. A value.
struct CertificationCriteria: Equatable, Sendable {
    /// One line: what must hold, and where the evidence comes from.
    struct Line: Equatable, Sendable {
        /// The source of the evidence.
        enum Source: Equatable, Sendable {
            /// The server measures it when the certificate is made.
            case measured(expression: String, healthy: String)
            /// The newest report of a program about the check, such as `migrate.drill.auth`.
            case reported(checks: [String])
            /// The newest attestation of a person.
            case attested
        }

        /// The name of the check in the ledger.
        var id: String
        var section: String
        var text: String
        var source: Source
        /// Whether it counts for the health of the system.
        var isHealth: Bool
    }

    var name: String
    /// The least share of passed lines, exclusive.
    var score = 0.95
    /// The least share of passed lines about health, exclusive.
    var health = 0.9
    /// A report older than this many milliseconds is unknown.
    var maximumAge: Int64 = 30 * 86_400_000
    var lines: [Line] = []

    /// The most lines.
    private static let limit = 500

    /// Reads a file.
    static func load(_ path: String) throws(CommandFailure) -> CertificationCriteria {
        guard let text = FileText.read(path) else { throw CommandFailure("\(path): \(SystemError.current)") }
        do throws(YAMLError) {
            let documents = try YAML.parse(text, file: path)
            guard let node = documents.first, documents.count == 1 else {
                throw YAMLError(file: path, line: 0, column: 0, field: "", message: "expected one document")
            }
            return try CertificationCriteria(node, file: path)
        } catch {
            throw CommandFailure(error.description)
        }
    }

    init(_ node: YAMLNode, file: String) throws(YAMLError) {
        var fields = try FieldReader(node, path: "", file: file)
        name = try fields.text("certificate")
        score = try Self.share(&fields, "score") ?? score
        health = try Self.share(&fields, "health") ?? health
        if let days = try fields.optionalNumber("max_age_days") {
            guard days > 0, days <= 3660 else { throw fields.fault("must be above 0", field: "max_age_days") }
            maximumAge = Int64(days * 86_400_000)
        }
        for (index, element) in try fields.list("lines").enumerated() {
            guard index < Self.limit else { throw fields.fault("more than \(Self.limit) lines") }
            lines.append(try Line(element, path: "lines[\(index)]", file: file))
        }
        guard !lines.isEmpty else { throw fields.fault("at least one line is required", field: "lines") }
        var known: Set<String> = []
        for line in lines where !known.insert(line.id).inserted {
            throw fields.fault("the id \"\(line.id)\" is used twice", field: "lines")
        }
        try fields.finish()
    }

    private static func share(_ fields: inout FieldReader, _ name: String) throws(YAMLError) -> Double? {
        guard let value = try fields.optionalNumber(name) else { return nil }
        guard (0..<1).contains(value) else { throw fields.fault("must be at least 0 and below 1", field: name) }
        return value
    }
}

extension CertificationCriteria.Line {
    init(_ node: YAMLNode, path: String, file: String) throws(YAMLError) {
        var fields = try FieldReader(node, path: path, file: file)
        id = try fields.text("id")
        section = try fields.text("section")
        text = try fields.text("text")
        isHealth = try fields.optionalFlag("health") ?? false
        let expression = try fields.optionalText("expr")
        let healthy = try fields.optionalText("healthy")
        let checks = try fields.textList("reports")
        let isAttested = try fields.optionalFlag("attested") ?? false
        switch (expression, checks.isEmpty, isAttested) {
        case (.some(let expression), true, false):
            guard let healthy else { throw fields.fault("expr needs healthy", field: "healthy") }
            source = .measured(expression: expression, healthy: healthy)
        case (nil, false, false): source = .reported(checks: checks)
        case (nil, true, true): source = .attested
        case _: throw fields.fault("needs exactly one of expr, reports and attested")
        }
        try fields.finish()
    }
}
