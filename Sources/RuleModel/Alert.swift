public import MetricModel

/// An alert that is sent to receivers: firing, or resolved if `endsAt` is not in the future.
public struct Alert: Equatable, Sendable {
    /// The labels that identify it: the element's, the rule's, and `alertname`.
    public var labels: Labels
    /// Expanded annotations.
    public var annotations: Labels
    /// When it began to fire.
    public var startsAt: Timestamp
    /// When it was resolved, or until when it counts as firing without an update.
    public var endsAt: Timestamp
    /// Whether it has been resolved.
    public var isResolved: Bool
    /// The URL of its expression.
    public var generatorURL: String
    /// The last measured value.
    public var value: Double

    /// An alert.
    public init(
        labels: Labels, annotations: Labels, startsAt: Timestamp, endsAt: Timestamp, isResolved: Bool,
        generatorURL: String, value: Double
    ) {
        self.labels = labels
        self.annotations = annotations
        self.startsAt = startsAt
        self.endsAt = endsAt
        self.isResolved = isResolved
        self.generatorURL = generatorURL
        self.value = value
    }
}
