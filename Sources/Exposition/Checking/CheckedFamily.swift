internal import MetricModel

/// A metric family as read by a strict reader. A value.
struct CheckedFamily {
    struct Sample {
        var name: String
        var labels: [Label]
        var value: Double
        var line: Int
    }

    var name: String
    var type: MetricType?
    var help: String?
    var samples: [Sample] = []
}

/// An error or a broken convention in exposed metrics.
public struct ExpositionProblem: Equatable, Sendable, CustomStringConvertible {
    /// How bad it is.
    public enum Severity: Equatable, Sendable {
        /// A strict reader rejects the body.
        case refused
        /// It is valid, but breaks a convention.
        case lint
    }

    /// How bad it is.
    public var severity: Severity
    /// Line from 1; 0 for a problem of a whole family.
    public var line: Int
    /// The family concerned; may be empty.
    public var metric: String
    /// The message.
    public var message: String

    /// `metric: message`, or `line 3: message`.
    public var description: String {
        line > 0 ? "line \(line): \(message)" : "\(metric): \(message)"
    }
}

extension ExpositionBody {
    /// The problems of a body in the text format, as shown by `check metrics`: the first error of a strict reader, or
    /// otherwise all broken conventions.
    public func check() -> [ExpositionProblem] {
        var reader = StrictTextReader(Array(bytes[..<count]))
        do throws(ExpositionError) {
            return MetricConventions.problems(of: try reader.read())
        } catch {
            return [ExpositionProblem(severity: .refused, line: error.line, metric: "", message: error.message)]
        }
    }
}
