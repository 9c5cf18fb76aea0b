internal import MetricModel

extension Invocation {
    /// A time, as Unix seconds or RFC 3339; `nil` if there is none.
    func optionalTime(_ name: String) throws(CommandFailure) -> Timestamp? {
        guard let text = value(name) else { return nil }
        if let milliseconds = RFC3339.milliseconds(parsing: text) { return Timestamp(milliseconds: milliseconds) }
        guard let seconds = Double(text), seconds.magnitude < 1e11 else {
            throw misuse(of: name, "Unix seconds or RFC 3339")
        }
        return Timestamp(seconds: seconds)
    }
}
