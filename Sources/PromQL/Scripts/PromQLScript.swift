internal import MetricModel

/// A test script for expressions, in Prometheus's language. It loads series and compares the results of expressions
/// with expected ones.
public struct PromQLScript: Sendable {
    /// A case with an unexpected result, or a command that cannot be parsed.
    public struct Failure: Equatable, Sendable, CustomStringConvertible {
        /// The line on which the command starts, from 1.
        public var line: Int
        /// The expression or command.
        public var subject: String
        /// The expected and the actual result.
        public var reason: String

        /// The failure as one line.
        public var description: String { "line \(line): \(subject): \(reason)" }
    }

    /// The result of a script.
    public struct Report: Equatable, Sendable {
        /// The name of the script.
        public var name: String
        /// The number of `eval` commands.
        public var total = 0
        /// The number of `eval` commands that passed.
        public var passed = 0
        /// The failures, in script order.
        public var failures: [Failure] = []

        /// Whether there are no failures.
        public var isSuccess: Bool { failures.isEmpty }
    }

    /// The script's name in reports.
    public let name: String
    /// The options for evaluating its expressions.
    public var options: EngineOptions
    private let commands: [ScriptCommand]

    /// Reads a script. Commands that cannot be parsed become failures when it runs.
    ///
    /// Without `options`, it uses the engine that Prometheus's own scripts assume, which depends on their names.
    public init(_ text: String, name: String, options: EngineOptions? = nil) {
        self.name = name
        self.options = options ?? Self.options(forScript: name)
        commands = ScriptReader(text).commands()
    }

    /// The standard engine with start timestamps and delayed name removal; the latter not for scripts about it.
    public static func options(forScript name: String) -> EngineOptions {
        var options = EngineOptions()
        options.delayedNameRemoval = !name.hasSuffix("name_label_dropping_off.test")
        options.useStartTimestamps = true
        return options
    }

    /// Runs all commands, starting with an empty database. A failure does not stop the script.
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

    /// The line on which it starts, from 1.
    var line: Int
    /// The expression, or the command's first line.
    var subject: String
    var action: Action
}

/// An `eval` command with its expectations.
struct ScriptEvaluation: Sendable {
    enum Times: Sendable {
        case instant(Timestamp)
        case range(start: Timestamp, end: Timestamp, step: Milliseconds)
    }

    /// The expected result.
    enum Outcome: Sendable {
        case scalar(Double)
        case string(String)
        /// Rows of an instant vector, or of a matrix for range queries.
        case series([SeriesNotation])
        /// Rows of a range vector, with values at `start`, `start + step` and so on.
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

/// The expected annotations of one level.
enum AnnotationExpectation: Sendable {
    case any
    case none
    /// At least one. Each must match one of the texts, and each text one of them. Without texts, everything matches.
    case some([TextExpectation])
}

/// How a text is compared with the expected one.
enum TextExpectation: Sendable {
    case exactly(String)
    /// A pattern that matches anywhere in the text.
    case matching(String)
}
