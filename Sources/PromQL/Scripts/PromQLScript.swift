internal import MetricModel

/// A test script for expressions in Prometheus's language: it loads series and evaluates expressions against
/// expectations.
public struct PromQLScript: Sendable {
    /// A case that did not go as the script says, or a command that cannot be understood.
    public struct Failure: Equatable, Sendable, CustomStringConvertible {
        /// The line the command starts at, from 1.
        public var line: Int
        /// The expression or command.
        public var subject: String
        /// The expected and the actual result.
        public var reason: String

        /// One line with everything.
        public var description: String { "line \(line): \(subject): \(reason)" }
    }

    /// How a script went.
    public struct Report: Equatable, Sendable {
        /// The name of the script.
        public var name: String
        /// Number of `eval` commands.
        public var total = 0
        /// Number of those that went as expected.
        public var passed = 0
        /// The failures, in the order of the script.
        public var failures: [Failure] = []

        /// Whether everything went as the script says.
        public var isSuccess: Bool { failures.isEmpty }
    }

    /// The script's name in reports.
    public let name: String
    /// How its expressions are evaluated.
    public var options: EngineOptions
    private let commands: [ScriptCommand]

    /// Reads a script. Commands that cannot be understood become failures when it runs.
    ///
    /// Without `options` the engine is the one that Prometheus's own scripts assume, which depends on their names.
    public init(_ text: String, name: String, options: EngineOptions? = nil) {
        self.name = name
        self.options = options ?? Self.options(forScript: name)
        commands = ScriptReader(text).commands()
    }

    /// The standard engine with start timestamps used and names removed late; the latter not for scripts about that.
    public static func options(forScript name: String) -> EngineOptions {
        var options = EngineOptions()
        options.delayedNameRemoval = !name.hasSuffix("name_label_dropping_off.test")
        options.useStartTimestamps = true
        return options
    }

    /// Runs all commands from an empty database. A failure does not stop the script.
    public func run() -> Report {
        var report = Report(name: name)
        let source = MemorySource()
        let runner = ScriptCaseRunner(engine: QueryEngine(options: options), source: source)
        for command in commands {
            do throws(ScriptFault) {
                switch command.action {
                case .clear: source.clear()
                case .load(let load): try load.apply(to: source)
                case .evaluate(let evaluation):
                    report.total += 1
                    try runner.run(evaluation)
                    report.passed += 1
                case .broken(let reason, let isEvaluation):
                    report.total += isEvaluation ? 1 : 0
                    throw ScriptFault(reason)
                }
            } catch {
                report.failures.append(Failure(line: command.line, subject: command.subject, reason: error.reason))
            }
        }
        return report
    }
}

/// Why a command failed.
struct ScriptFault: Error {
    var reason: String

    init(_ reason: String) {
        self.reason = reason
    }
}

/// One command of a script.
struct ScriptCommand: Sendable {
    enum Action: Sendable {
        case clear
        case load(ScriptLoad)
        case evaluate(ScriptEvaluation)
        case broken(String, isEvaluation: Bool)
    }

    /// The line it starts at, from 1.
    var line: Int
    /// The expression, or the command's first line.
    var subject: String
    var action: Action
}

/// An `eval` command with what it expects.
struct ScriptEvaluation: Sendable {
    enum Times: Sendable {
        case instant(Timestamp)
        case range(start: Timestamp, end: Timestamp, step: Milliseconds)
    }

    /// The result that is expected.
    enum Outcome: Sendable {
        case scalar(Double)
        case string(String)
        /// Rows of an instant vector, or of a matrix for range queries.
        case series([SeriesNotation])
        /// Rows of a range vector, whose values lie at `start`, `start + step` and so on.
        case rangeVector([SeriesNotation], start: Timestamp, step: Milliseconds)
        case failure(TextExpectation?)
    }

    var text: String
    var expression: Expression
    var times: Times
    var outcome: Outcome
    var isOrdered = false
    var warnings: AnnotationExpectation = .any
    var infos: AnnotationExpectation = .any
}

/// The annotations of one level that are expected.
enum AnnotationExpectation: Sendable {
    case any
    case none
    /// At least one. Each must fit one of the texts, and each text one of them; no texts at all fit everything.
    case some([TextExpectation])
}

/// How a text is compared with the expected one.
enum TextExpectation: Sendable {
    case exactly(String)
    /// Matches a pattern somewhere.
    case matching(String)
}
