internal import Glibc
internal import MetricModel
internal import Synchronization

/// The severity of a log line.
public enum LogLevel: Int, Comparable, Sendable, CaseIterable {
    case debug
    case info
    case warn
    case error

    /// Reads `debug`, `info`, `warn` or `error`.
    public init?(name: String) {
        guard let level = Self.allCases.first(where: { $0.name == name }) else { return nil }
        self = level
    }

    /// The level's name in the log.
    public var name: String { "\(self)" }

    /// Whether `left` is less severe.
    public static func < (left: LogLevel, right: LogLevel) -> Bool { left.rawValue < right.rawValue }
}

/// The format of a log line.
public enum LogFormat: String, Sendable, CaseIterable {
    case logfmt
    case json
}

/// Writes log lines to standard error. A value; copies share one sink. May be used from any thread.
///
/// Each line is one `write` call, so that lines of several threads do not mix.
public struct Logger: Sendable {
    private final class Sink: Sendable {
        let settings: Mutex<(level: LogLevel, format: LogFormat)>
        let write: @Sendable (String) -> Void

        init(level: LogLevel, format: LogFormat, write: @escaping @Sendable (String) -> Void) {
            settings = Mutex((level, format))
            self.write = write
        }
    }

    private let sink: Sink
    private let context: [(String, String)]

    /// A logger that passes its lines to `write`; by default, to standard error.
    public init(
        level: LogLevel = .info, format: LogFormat = .logfmt,
        write: @escaping @Sendable (String) -> Void = Logger.standardError
    ) {
        sink = Sink(level: level, format: format, write: write)
        context = []
    }

    private init(sink: Sink, context: [(String, String)]) {
        self.sink = sink
        self.context = context
    }

    /// A logger that discards everything.
    public static let silent = Logger(level: .error) { _ in }

    /// Writes a line to standard error.
    public static let standardError: @Sendable (String) -> Void = { line in
        var line = line
        line.withUTF8 { bytes in
            // A failure to write the log cannot be logged.
            _ = unsafe Glibc.write(STDERR_FILENO, bytes.baseAddress, bytes.count)
        }
    }

    /// A logger that adds `name=value` to every line.
    public func with(_ name: String, _ value: some CustomStringConvertible) -> Logger {
        Logger(sink: sink, context: context + [(name, value.description)])
    }

    /// Logs details for developers.
    public func debug(_ message: String, _ fields: KeyValuePairs<String, any CustomStringConvertible & Sendable> = [:])
    {
        log(.debug, message, fields)
    }

    /// Logs information for operators.
    public func info(_ message: String, _ fields: KeyValuePairs<String, any CustomStringConvertible & Sendable> = [:]) {
        log(.info, message, fields)
    }

    /// Logs a problem that does not need immediate action.
    public func warn(_ message: String, _ fields: KeyValuePairs<String, any CustomStringConvertible & Sendable> = [:]) {
        log(.warn, message, fields)
    }

    /// Logs an error.
    public func error(_ message: String, _ fields: KeyValuePairs<String, any CustomStringConvertible & Sendable> = [:])
    {
        log(.error, message, fields)
    }

    private func log(
        _ level: LogLevel, _ message: String, _ fields: KeyValuePairs<String, any CustomStringConvertible & Sendable>
    ) {
        let (threshold, format) = sink.settings.withLock { $0 }
        guard level >= threshold else { return }
        let parts =
            [
                ("time", RFC3339.text(milliseconds: SystemClock.wallMilliseconds())), ("level", level.name),
                ("msg", message),
            ]
            + context + fields.map { ($0.key, $0.value.description) }
        sink.write(format == .logfmt ? Self.logfmt(parts) : Self.json(parts))
    }

    private static func logfmt(_ parts: [(String, String)]) -> String {
        let words = parts.map { name, value in
            let plain = !value.isEmpty && value.utf8.allSatisfy { $0 > 0x20 && $0 != 0x22 && $0 != 0x3d && $0 != 0x7f }
            return "\(name)=\(plain ? value : quoted(value))"
        }
        return words.joined(separator: " ") + "\n"
    }

    private static func json(_ parts: [(String, String)]) -> String {
        "{" + parts.map { "\(quoted($0)):\(quoted($1))" }.joined(separator: ",") + "}\n"
    }

    private static func quoted(_ text: String) -> String {
        var result = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": result += "\\\""
            case "\\": result += "\\\\"
            case "\n": result += "\\n"
            case "\t": result += "\\t"
            case "\r": result += "\\r"
            case _ where scalar.value < 0x20 || scalar.value == 0x7f:
                let hex = String(scalar.value, radix: 16)
                result += "\\u" + String(repeating: "0", count: 4 - hex.count) + hex
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result + "\""
    }
}
