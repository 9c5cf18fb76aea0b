internal import MetricModel

/// A metric family as a strict reader found it. A value.
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

/// Something that is wrong with exposed metrics, or that could be better.
public struct ExpositionProblem: Equatable, Sendable, CustomStringConvertible {
    /// How bad it is.
    public enum Severity: Equatable, Sendable {
        /// A strict reader refuses the body.
        case refused
        /// It works, but breaks a convention.
        case lint
    }

    /// How bad it is.
    public var severity: Severity
    /// Line from 1; 0 where the problem is one of a whole family.
    public var line: Int
    /// The family concerned; may be empty.
    public var metric: String
    /// What is wrong.
    public var message: String

    /// `metric: message`, or `line 3: message`.
    public var description: String {
        line > 0 ? "line \(line): \(message)" : "\(metric): \(message)"
    }
}

extension ExpositionBody {
    /// Everything that is wrong with a body in the text format, as `check metrics` shows it: the first fault that a
    /// strict reader meets, or else every convention that is broken.
    public func check() -> [ExpositionProblem] {
        var reader = StrictTextReader(Array(bytes[..<count]))
        do throws(ExpositionError) {
            return MetricConventions.problems(of: try reader.read())
        } catch {
            return [ExpositionProblem(severity: .refused, line: error.line, metric: "", message: error.message)]
        }
    }
}
