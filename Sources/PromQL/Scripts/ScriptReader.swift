internal import MetricModel
internal import RE2

/// Reads scripts line by line into commands.
struct ScriptReader {
    private let lines: [String]
    private var index = 0

    init(_ text: String) {
        lines = text.split(separator: "\n", omittingEmptySubsequences: false).map { line in
            let trimmed = Self.trimmed(line)
            return trimmed.utf8.first == UInt8(ascii: "#") ? "" : trimmed
        }
    }

    func commands() -> [ScriptCommand] {
        var reader = self
        var commands: [ScriptCommand] = []
        while reader.index < reader.lines.count {
            if reader.lines[reader.index].isEmpty {
                reader.index += 1
            } else {
                commands.append(reader.command())
            }
        }
        return commands
    }

    /// The command that starts at the current line.
    private mutating func command() -> ScriptCommand {
        let number = index + 1
        let line = lines[index]
        let word = ScriptWords(line).first.lowercased()
        if word == "clear" {
            index += 1
            return ScriptCommand(line: number, subject: line, action: .clear)
        }
        let isEvaluation = word.utf8.starts(with: "eval".utf8)
        do throws(ScriptFault) {
            if isEvaluation {
                let evaluation = try evaluation()
                return ScriptCommand(line: number, subject: evaluation.text, action: .evaluate(evaluation))
            }
            guard word.utf8.starts(with: "load".utf8) else { throw ScriptFault("unknown command \(word)") }
            return ScriptCommand(line: number, subject: line, action: .load(try load()))
        } catch {
            skipBlock()
            let action = ScriptCommand.Action.broken(error.reason, isEvaluation: isEvaluation)
            return ScriptCommand(line: number, subject: line, action: action)
        }
    }

    private mutating func skipBlock() {
        while index < lines.count, !lines[index].isEmpty { index += 1 }
    }

    /// The next line of the block, if there is one.
    private mutating func nextOfBlock() -> String? {
        guard index < lines.count, !lines[index].isEmpty else { return nil }
        defer { index += 1 }
        return lines[index]
    }

    // MARK: load

    private mutating func load() throws(ScriptFault) -> ScriptLoad {
        var words = ScriptWords(lines[index])
        index += 1
        let command = words.next().lowercased()
        guard command == "load" || command == "load_with_nhcb" else {
            throw ScriptFault("invalid load command, expected `load[_with_nhcb] <step>`")
        }
        var load = ScriptLoad(
            interval: try Self.duration(Self.trimmed(words.rest[...]), "step"),
            withClassicHistograms: command == "load_with_nhcb")
        while let line = nextOfBlock() { try load.add(line) }
        guard load.pendingStarts == nil else { throw ScriptFault("start timestamps without a series behind them") }
        return load
    }

    // MARK: eval

    private mutating func evaluation() throws(ScriptFault) -> ScriptEvaluation {
        var words = ScriptWords(lines[index])
        index += 1
        var expectations = ScriptExpectations(command: words.next().lowercased())
        let times: ScriptEvaluation.Times
        switch words.next().lowercased() {
        case "instant":
            try words.expect("at")
            times = .instant(try Self.time(words.next()))
        case "range":
            try words.expect("from")
            let start = try Self.time(words.next())
            try words.expect("to")
            let end = try Self.time(words.next())
            try words.expect("step")
            let step = try Self.duration(words.next(), "step")
            guard start <= end else { throw ScriptFault("end timestamp is before start timestamp") }
            guard step > .zero else { throw ScriptFault("step must be positive") }
            times = .range(start: start, end: end, step: step)
        default:
            throw ScriptFault("invalid evaluation command, expected `eval instant at …` or `eval range from …`")
        }
        let text = words.rest
        let expression: Expression
        do {
            expression = try Expression.parse(text, features: .all)
        } catch {
            throw ScriptFault(error.description)
        }
        while let line = nextOfBlock() {
            if try expectations.add(line) { break }
        }
        return try expectations.evaluation(of: expression, text: text, times: times)
    }

    // MARK: Times

    static func time(_ text: String) throws(ScriptFault) -> Timestamp {
        .epoch + (try duration(text, "timestamp"))
    }

    static func duration(_ text: String, _ what: String) throws(ScriptFault) -> Milliseconds {
        guard let duration = Milliseconds(parsing: text) else {
            throw ScriptFault(
                "invalid \(what) definition \(MetricText.quoted(text)): not a valid duration string: "
                    + MetricText.quoted(text))
        }
        return duration
    }

    static func trimmed(_ text: Substring) -> String {
        func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 || byte == 0x0d }
        let bytes = text.utf8
        let start = bytes.firstIndex { !isBlank($0) } ?? bytes.endIndex
        let end = bytes.lastIndex { !isBlank($0) }.map { bytes.index(after: $0) } ?? start
        return String(text[start..<end])
    }
}

/// The words of a line, split at blanks.
struct ScriptWords {
    /// The rest of the text, without leading blanks.
    private(set) var rest: String

    init(_ line: String) {
        rest = line
    }

    var first: String { String(rest.prefix { $0 != " " && $0 != "\t" }) }

    /// Removes and returns a word; empty at the end.
    mutating func next() -> String {
        let word = first
        rest = String(rest.dropFirst(word.count).drop { $0 == " " || $0 == "\t" })
        return word
    }

    mutating func expect(_ word: String) throws(ScriptFault) {
        let found = next()
        guard found.lowercased() == word else {
            throw ScriptFault("expected \(MetricText.quoted(word)), got \(MetricText.quoted(found))")
        }
    }
}
