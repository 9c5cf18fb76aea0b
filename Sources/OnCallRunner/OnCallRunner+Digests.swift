internal import Instrumentation
internal import MetricModel
internal import OnCall
internal import Receivers
internal import Runtime
internal import Synchronization

extension OnCallRunner {
    /// Gives a digest to the thread that sends them.
    func send(_ content: DigestContent) {
        let queue = digestQueue.withLock { queue in
            if let queue { return queue }
            let made = ReceiverQueue<DigestContent>(capacity: 1000, concurrency: 1) { [weak self] in self?.deliver($0) }
            queue = made
            return made
        }
        if !queue.send(content) { events.send(.digestFailed(content)) }
    }

    private func deliver(_ content: DigestContent) {
        guard !isStopping.load(ordering: .relaxed), settings.mayAct() else { return }
        let configuration = current.withLock { $0.configuration }
        var failure: DeliveryFailure?
        for integration in configuration.receivers[content.digest.receiver]?.integrations ?? []
        where !(integration.settings is OnCallIntegration) {
            var delivery = Delivery(
                CallMessage.digest(content), externalURL: settings.externalURL, templates: configuration.templates,
                transport: settings.transport)
            do throws(DeliveryFailure) { try integration.settings.send(&delivery) } catch { failure = error }
        }
        guard let failure else { return }
        instruments.failed.add()
        logger.warn(
            "digest not sent",
            ["digest": content.digest.name, "receiver": content.digest.receiver, "error": failure.reason])
        if failure.isRetryable { events.send(.digestFailed(content)) }
    }
}
