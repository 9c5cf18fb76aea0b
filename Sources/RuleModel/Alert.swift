public import MetricModel

/// An alert as it goes to receivers: firing, or resolved when `endsAt` is not in the future.
public struct Alert: Equatable, Sendable {
    /// Identity: the element's labels, the rule's labels and `alertname`.
    public var labels: Labels
    /// Expanded annotations.
    public var annotations: Labels
    /// When it began to fire.
    public var startsAt: Timestamp
    /// When it was resolved, or until when it counts as firing if nothing more is heard.
    public var endsAt: Timestamp
    /// Whether it has been resolved.
    public var isResolved: Bool
    /// Where its expression can be looked at.
    public var generatorURL: String
    /// The value that was last measured.
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
