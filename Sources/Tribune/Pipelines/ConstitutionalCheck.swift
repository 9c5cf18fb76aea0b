internal import YAML

/// Finds changes of a repository that weaken what protects the constitution: another hash, a dropped or switched-off
/// check, a weaker rule. A pure function of the files before and after.
///
/// A change that moves a check from one file to another is no finding: occurrences are counted over all changed files.
/// A change that cannot be shown to be as strict as before is a finding, for a person to look at.
struct ConstitutionalCheck {
    /// A changed file; `nil` for a file that did not or does not exist.
    struct FileChange: Equatable {
        var path: String
        var before: String?
        var after: String?
    }

    /// A change that needs a person's decision.
    struct Finding: Equatable {
        enum Kind: String, Equatable {
            case hash
            case check
            case rule
        }

        var kind: Kind
        var path: String
        /// The line in the file after the change; `nil` if it is about something that is gone.
        var line: Int?
        var message: String
    }

    /// The hash that the constitution has to have.
    let hash: String

    /// Every finding, by file.
    func findings(in changes: [FileChange]) -> [Finding] {
        hashes(changes) + checks(changes) + RuleStrictness.findings(in: changes)
    }

    // MARK: the hash

    private func hashes(_ changes: [FileChange]) -> [Finding] {
        var findings: [Finding] = []
        func count(_ text: String?) -> Int { (text ?? "").ranges(of: hash).count }
        let before = changes.reduce(0) { $0 + count($1.before) }
        let after = changes.reduce(0) { $0 + count($1.after) }
        if after < before {
            for change in changes where count(change.after) < count(change.before) {
                findings.append(
                    Finding(
                        kind: .hash, path: change.path,
                        message: "the constitution's hash stands \(count(change.after)) times instead of "
                            + "\(count(change.before))"))
            }
        }
        for change in changes {
            let known = Set(SourceLines(change.before).lines.map(\.text))
            for line in SourceLines(change.after).lines where !known.contains(line.text) {
                for match in line.text.matches(of: Self.assignedHash) where match.output.1.lowercased() != hash {
                    findings.append(
                        Finding(
                            kind: .hash, path: change.path, line: line.number,
                            message: "another constitution hash: \(match.output.1)"))
                }
            }
        }
        return findings
    }

    /// `CONSTITUTIONAL_HASH = "…"`, `constitutional_hash: …`, `"X-Constitutional-Hash": "…"`.
    private static var assignedHash: Regex<(Substring, Substring)> {
        /(?i)constitution(?:al)?[_-]?hash["']?\s*(?::\s*[a-z]+\s*)?[:=]\s*["']?([0-9a-f]{8,128})\b/
    }

    // MARK: checks

    private func checks(_ changes: [FileChange]) -> [Finding] {
        var findings: [Finding] = []
        let before = changes.map { CheckUse($0.before) }
        let after = changes.map { CheckUse($0.after) }
        let names = Set(before.flatMap { $0.checks.keys })
        for name in names.sorted() {
            let old = before.reduce(0) { $0 + ($1.checks[name] ?? 0) }
            let new = after.reduce(0) { $0 + ($1.checks[name] ?? 0) }
            guard new < old else { continue }
            let place = changes.indices.first { after[$0].checks[name] ?? 0 < before[$0].checks[name] ?? 0 }
            findings.append(
                Finding(
                    kind: .check, path: place.map { changes[$0].path } ?? "",
                    message: "\(name) is used \(new) times instead of \(old)"))
        }
        let mentions = (before.reduce(0) { $0 + $1.mentions }, after.reduce(0) { $0 + $1.mentions })
        if findings.isEmpty, mentions.1 < mentions.0 {
            let place = changes.indices.first { after[$0].mentions < before[$0].mentions }
            findings.append(
                Finding(
                    kind: .check, path: place.map { changes[$0].path } ?? "",
                    message: "the code has \(mentions.1) lines about the constitution instead of \(mentions.0)"))
        }
        for index in changes.indices {
            findings += settings(changes[index].path, before[index], after[index])
        }
        return findings
    }

    private func settings(_ path: String, _ before: CheckUse, _ after: CheckUse) -> [Finding] {
        var findings: [Finding] = []
        func add(_ name: String, _ message: String) {
            findings.append(Finding(kind: .check, path: path, line: after.lines[name], message: message))
        }
        for (name, wasOn) in before.switches.sorted(by: { $0.key < $1.key }) where wasOn {
            if after.switches[name] == false { add(name, "\(name) is switched off") }
        }
        for (name, old) in before.numbers.sorted(by: { $0.key < $1.key }) {
            if let new = after.numbers[name], new < old { add(name, "\(name) is \(new) instead of \(old)") }
        }
        for (name, old) in before.exceptions.sorted(by: { $0.key < $1.key }) {
            let more = (after.exceptions[name] ?? []).subtracting(old).sorted()
            if !more.isEmpty { add(name, "\(name) has more exceptions: \(more.joined(separator: ", "))") }
        }
        return findings
    }
}

/// The lines of a source file that are code. Comments of the usual languages are left out: a check in a comment checks
/// nothing.
struct SourceLines {
    private(set) var lines: [(number: Int, text: String)] = []

    init(_ text: String?) {
        var isInDocument = false
        for (index, line) in (text ?? "").split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            let trimmed = line.drop { $0 == " " || $0 == "\t" }
            let marks = trimmed.ranges(of: "\"\"\"").count
            if isInDocument || (trimmed.hasPrefix("\"\"\"") && marks == 1) {
                if marks % 2 == 1 { isInDocument.toggle() }
                continue
            }
            guard !["#", "//", "*", "/*", "--", "\"\"\""].contains(where: trimmed.hasPrefix) else { continue }
            lines.append((index + 1, String(line)))
        }
    }
}

/// The statements of a file about checks of the constitution.
private struct CheckUse {
    /// Uses of names that sound like a check, by name.
    var checks: [String: Int] = [:]
    /// Lines of code that mention the constitution.
    var mentions = 0
    /// Settings that are on or off.
    var switches: [String: Bool] = [:]
    /// Thresholds of compliance.
    var numbers: [String: Double] = [:]
    /// The exempt items, by the name of the list.
    var exceptions: [String: Set<String>] = [:]
    /// The line of each setting.
    var lines: [String: Int] = [:]

    private static var name: Regex<Substring> { /(?i)[A-Z0-9_\-]*constitution[A-Z0-9_\-]*/ }
    private static let words = [
        "valid", "verif", "check", "enforc", "middleware", "audit", "strict", "requir", "guard", "assert",
    ]
    private static var setting: Regex<(Substring, Substring, Substring)> {
        /([A-Za-z_][A-Za-z0-9_]*)["']?\s*(?::\s*[A-Za-z]+\s*)?[=:]\s*([A-Za-z]+|[0-9]+(?:\.[0-9]+)?)/
    }
    private static var list: Regex<(Substring, Substring, Substring)> {
        /(?i)([A-Z_]*(?:bypass|exempt|skip|exclud|ignore)[A-Z_]*)["']?\s*(?::[^=\[]*)?[=:]\s*[\[({]([^\])}]*)/
    }
    private static var item: Regex<(Substring, Substring)> { /["']([^"']+)["']/ }

    init(_ text: String?) {
        guard let text else { return }
        let isAbout = text.lowercased().contains("constitution")
        for line in SourceLines(text).lines {
            let lowered = line.text.lowercased()
            if lowered.contains("constitution") {
                mentions += 1
                for match in line.text.matches(of: Self.name) {
                    let name = String(match.output)
                    let small = name.lowercased()
                    if Self.words.contains(where: small.contains) { checks[name, default: 0] += 1 }
                }
            }
            for match in line.text.matches(of: Self.setting) {
                let name = String(match.output.1)
                let small = name.lowercased()
                guard small.contains("constitution") || small.contains("compliance") else { continue }
                lines[name] = line.number
                switch match.output.2.lowercased() {
                case "true", "yes", "on": switches[name] = true
                case "false", "no", "off": switches[name] = false
                case let value: if let number = Double(value) { numbers[name] = number }
                }
            }
            guard isAbout else { continue }
            for match in line.text.matches(of: Self.list) {
                let name = String(match.output.1)
                lines[name] = line.number
                exceptions[name, default: []].formUnion(
                    match.output.2.matches(of: Self.item).map { String($0.output.1) })
            }
        }
    }
}
