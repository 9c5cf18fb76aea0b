/// An example of a measured value, such as a trace. A value.
public struct Exemplar: Hashable, Sendable {
    /// Its labels.
    public var labels: Labels
    /// The observed value.
    public var value: Double
    /// The time, if it is known.
    public var timestamp: Timestamp?

    /// An example of `value`.
    public init(labels: Labels, value: Double, timestamp: Timestamp? = nil) {
        self.labels = labels
        self.value = value
        self.timestamp = timestamp
    }
}
