internal import MetricModel
internal import OnCall
public import Receivers

/// The way from the receivers of the notification configuration to on-call: a message about firing alerts opens a page,
/// and the message that they are resolved ends it.
///
/// The message counts as accepted when the page is journalled; otherwise the notifier sends it again.
public struct OnCallIntegration: IntegrationSettings {
    /// The kind in metrics and logs.
    public static var kind: String { "oncall" }
    /// An end of the problem is the end of the page.
    public var sendsResolved: Bool { true }

    private let receiver: String
    private let choice: PolicyChoice
    private let runner: OnCallRunner

    init(receiver: String, choice: PolicyChoice, runner: OnCallRunner) {
        self.receiver = receiver
        self.choice = choice
        self.runner = runner
    }

    /// The source of the problems of `receiver`.
    static func source(_ receiver: String) -> String { "receiver \(receiver)" }

    /// The receiver and the key of the group that a problem is about; `nil` for a problem of another kind.
    static func group(of problem: String) -> String? {
        let prefix = source("")
        return problem.hasPrefix(prefix) ? String(problem.dropFirst(prefix.count)) : nil
    }

    /// Whether both do the same.
    public static func == (left: OnCallIntegration, right: OnCallIntegration) -> Bool {
        left.receiver == right.receiver && left.choice == right.choice && left.runner === right.runner
    }

    /// Opens, changes or ends a page and returns when that is journalled.
    public func send(_ delivery: inout Delivery) throws(DeliveryFailure) {
        do throws(OnCallRefusal) {
            try runner.receive(Signal(delivery.message, receiver: receiver, choice: choice))
        } catch {
            throw DeliveryFailure(error.description, isRetryable: true)
        }
    }
}

extension Signal {
    /// The text of a message to `receiver`.
    init(_ message: Message, receiver: String, choice: PolicyChoice) {
        let source = OnCallIntegration.source(receiver)
        let key = "\(source)/\(message.groupKey)"
        if message.isResolved {
            self = .resolve(key: key)
            return
        }
        let firing = message.alerts.filter { !$0.isResolved }
        let common = Message(groupKey: "", groupLabels: .empty, receiver: "", alerts: firing)
        let labels = common.commonLabels
        var annotations = common.commonAnnotations
        let severity = Severity.worst(of: firing.compactMap { $0.labels["severity"] })
        let name = labels["alertname"] ?? firing.first?.labels["alertname"] ?? ""
        let summary = annotations["summary"] ?? firing.first?.annotations["summary"] ?? ""
        if firing.count > 1 { annotations.set("alerts", to: String(firing.count)) }
        self = .trigger(
            Problem(
                key: key, title: summary.isEmpty ? name : summary, severity: severity, source: source, labels: labels,
                annotations: annotations, url: firing.first?.generatorURL ?? "", policy: choice.policy(of: severity)))
    }
}
