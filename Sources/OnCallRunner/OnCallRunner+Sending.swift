internal import MetricModel
internal import OnCall
internal import Receivers
internal import Runtime
internal import Synchronization

/// A message of a page to a receiver.
struct CallJob: Sendable {
    enum Kind: Sendable {
        case call(Page.Call)
        case acknowledged
        case resolved
    }

    var kind: Kind
    var entry: PageBook.Entry
    var receiver: String

    /// Identifies the message.
    var id: String {
        switch kind {
        case .call(let call): "\(entry.page.id)/\(call.number)"
        case .acknowledged: "\(entry.page.id)/acknowledged/\(receiver)"
        case .resolved: "\(entry.page.id)/resolved/\(receiver)"
        }
    }
}

extension OnCallRunner {
    private enum SendLimit {
        /// The most messages to a receiver at once.
        static let concurrency = 8
        static let waiting = 10_000
    }

    /// Gives a message to the queue of its receiver.
    func send(_ job: CallJob) {
        let queue = receiverQueues.withLock { receiverQueues in
            if let known = receiverQueues[job.receiver] { return known }
            let queue = ReceiverQueue<CallJob>(capacity: SendLimit.waiting, concurrency: SendLimit.concurrency) {
                [weak self] job in self?.deliver(job)
            }
            receiverQueues[job.receiver] = queue
            return queue
        }
        if !queue.send(job) {
            report(job, failure: DeliveryFailure("the queue of the receiver is full", isRetryable: true))
        }
    }

    /// Sends a message. On a thread of the queue.
    private func deliver(_ job: CallJob) {
        // Somebody may have answered, or another node may act, while it waited.
        guard !isStopping.load(ordering: .relaxed), settings.mayAct(), isWanted(job) else { return }
        let (configuration, links) = current.withLock { ($0.configuration, $0.links) }
        guard let receiver = receiver(job.receiver, configuration) else {
            let failure = DeliveryFailure("there is no receiver \"\(job.receiver)\"", isRetryable: false)
            return report(job, failure: failure)
        }
        let message = message(job, links, configuration.onCall)
        var failures: [DeliveryFailure] = []
        var heard = self.heard.withLock { $0[job.id] ?? [] }
        afterStep?("before call")
        for (index, integration) in receiver.integrations.enumerated() where !heard.contains(index) {
            if integration.settings is OnCallIntegration { continue }
            if !Self.isFor(integration, job) {
                heard.insert(index)
                continue
            }
            var delivery = Delivery(
                message, externalURL: settings.externalURL, templates: configuration.templates,
                transport: settings.transport)
            do throws(DeliveryFailure) {
                try integration.settings.send(&delivery)
                heard.insert(index)
            } catch {
                failures.append(error)
            }
        }
        afterStep?("after call")
        if heard.isEmpty, failures.isEmpty {
            failures.append(DeliveryFailure("the receiver \"\(job.receiver)\" sends nothing", isRetryable: false))
        }
        conclude(job, heard, failures)
    }

    /// Whether the integration takes a message of this kind.
    private static func isFor(_ integration: Integration, _ job: CallJob) -> Bool {
        switch job.kind {
        case .call: true
        case .acknowledged: integration.sendsAcknowledgements
        case .resolved: integration.sendsResolved
        }
    }

    /// A part of a receiver that may still take the message is tried again, without those that have it. A part that
    /// never will does not matter while another has it.
    private func conclude(_ job: CallJob, _ heard: Set<Int>, _ failures: [DeliveryFailure]) {
        let failure = failures.first { $0.isRetryable } ?? (heard.isEmpty ? failures.first : nil)
        self.heard.withLock { $0[job.id] = failure?.isRetryable == true && !heard.isEmpty ? heard : nil }
        if failure == nil, let ignored = failures.first {
            logger.error(
                "a part of a receiver refuses a call",
                ["page": job.entry.page.id, "receiver": job.receiver, "error": ignored.reason])
        }
        report(job, failure: failure)
    }

    /// Whether the message is still to be sent.
    private func isWanted(_ job: CallJob) -> Bool {
        published.withLock { book in
            guard let entry = book.entries[job.entry.page.id] else { return false }
            switch job.kind {
            case .call(let call): return entry.page.outstanding.contains { $0.number == call.number }
            case .acknowledged: return entry.page.state.name == "acknowledged"
            case .resolved: return entry.closing.contains(job.receiver)
            }
        }
    }

    private func message(_ job: CallJob, _ links: PageLinks, _ configuration: OnCallConfiguration) -> Message {
        switch job.kind {
        case .call(let call):
            CallMessage.firing(
                call, job.entry, links: links, configuration, externalURL: settings.externalURL, at: Self.wall)
        case .acknowledged: CallMessage.acknowledged(job.entry, to: job.receiver, at: Self.wall)
        case .resolved: CallMessage.resolved(job.entry, to: job.receiver, at: Self.wall)
        }
    }

    private func report(_ job: CallJob, failure: DeliveryFailure?) {
        let page = job.entry.page.id
        if let failure {
            logger.warn("call failed", ["page": page, "receiver": job.receiver, "error": failure.reason])
        }
        switch (job.kind, failure) {
        case (.acknowledged, _): break
        case (.call(let call), nil): events.send(.called(page: page, number: call.number))
        case (.call(let call), let failure?):
            events.send(
                .callFailed(page: page, number: call.number, reason: failure.reason, isFinal: !failure.isRetryable))
        case (.resolved, let failure):
            events.send(.closed(page: page, receiver: job.receiver, hasTakenIt: failure == nil))
        }
    }
}
