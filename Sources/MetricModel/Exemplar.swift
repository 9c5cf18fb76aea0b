/// An example of what a value was measured on, such as a trace. A value.
public struct Exemplar: Hashable, Sendable {
    /// Its labels.
    public var labels: Labels
    /// The value that was observed.
    public var value: Double
    /// When, if that is known.
    public var timestamp: Timestamp?

    /// An example of `value`.
    public init(labels: Labels, value: Double, timestamp: Timestamp? = nil) {
        self.labels = labels
        self.value = value
        self.timestamp = timestamp
    }
}
