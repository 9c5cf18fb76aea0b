internal import JSON
internal import MetricModel
package import RuleModel

/// The rollback rules and the controller of a plan as one machine: events in, actions out, in the order in which the
/// runner must execute them. The live service and the simulation use the same machine.
///
/// The reasons of rules to stop promotion are computed from the state of the rules only, so neither a restart nor a
/// change of the lease can lose one.
package struct PlanMachine: Hashable, Sendable {
    /// An action for the runner.
    package enum Action: Hashable, Sendable {
        /// An action of the controller.
        case control(RolloutController.Action)
        /// A rule tripped. It only needs to be counted.
        case tripped
        /// Store ``PlanMachine/rules`` for the next process. They never know of a trip that the journal does not.
        case keepRules
    }

    /// The rollout.
    package internal(set) var controller: RolloutController
    /// The rules that have been measured, by `file;group;name`.
    package internal(set) var rules: [String: RollbackRule]

    /// The rules in force, by `file;group;name`; `nil` if they are not known. Then data count as missing from the first
    /// evaluation on, and promotion waits for no data.
    var watches: [String: RuleWatch]?
    /// Whether ``rules`` wait for the journal before they are stored.
    private var hasRulesToKeep = false

    /// A machine that continues with a stored controller and rules.
    ///
    /// - Parameter watches: the rules in force; `nil` if they are not known.
    package init(
        _ controller: RolloutController, rules: [String: RollbackRule] = [:], watches: [RuleWatch]? = nil
    ) {
        self.controller = controller
        self.rules = rules
        if let watches { adopt(watches) }
    }

    /// Sets the rules in force. The state of other rules is dropped.
    package mutating func rulesChanged(to watches: [RuleWatch], at now: Instant) -> [Action] {
        adopt(watches)
        hasRulesToKeep = true
        return holdBack(at: now) + keepRules()
    }

    private mutating func adopt(_ watches: [RuleWatch]) {
        self.watches = Dictionary(watches.map { ($0.rule, $0) }) { first, _ in first }
        rules = rules.filter { self.watches?[$0.key] != nil }
        controller.demandsChanged(to: watches.map(EvidenceDemand.init))
    }

    /// Continues after a restart, when the journal has been read. Must be called once, before any other event.
    ///
    /// - Parameter loss: why the last record cannot be used, if it cannot. Then nobody knows which trips were acted on.
    package mutating func recovered(loss: RecordLoss? = nil, at now: Instant) -> [Action] {
        // Trips of an observation have not been acted on, and their pages may not have been sent.
        if loss != nil || controller.state.loss != nil || controller.state.observingUntil != nil { reconsider() }
        reconsiderOlderTrips()
        let freezes = freezes
        return step(at: now) { $0.recovered(freezes: freezes, loss: loss, at: now) }
    }

    /// An event for the controller only.
    package mutating func step(
        at now: Instant, _ body: (inout RolloutController) -> [RolloutController.Action]
    ) -> [Action] {
        let actions = body(&controller)
        for case .rearmElement(let rule, let labels) in actions {
            rules[rule]?.rearmed(labels)
            hasRulesToKeep = true
        }
        let isReset = actions.contains(.rearm)
        if isReset { for key in rules.keys { rules[key]?.rearmed() } }
        let isReconsidered = actions.contains(.reconsider)
        if isReconsidered { reconsider() }
        guard isReset || isReconsidered else { return actions.map(Action.control) + keepRules() }
        hasRulesToKeep = true
        // Before the records: a process that continues them with trips of before would take violations for handled.
        // Rules without trips know of none that the journal does not.
        return [.keepRules] + actions.filter { $0 != .rearm }.map(Action.control)
            + (isReset ? holdBack(at: now) : keepRules())
    }

    /// Has the rules stored, unless they know more than the journal: a trip that the next process takes for handled
    /// must be handled.
    private mutating func keepRules() -> [Action] {
        guard hasRulesToKeep, controller.isJournalled else { return [] }
        hasRulesToKeep = false
        return [.keepRules]
    }

    /// The lease was won (`epoch` is its fencing number) or lost (`nil`). Trips from the term of another process count
    /// again with the next violation: that process may have ended before it acted on them.
    ///
    /// - Parameter isAlone: whether the lease has expired although no other process can have taken it.
    package mutating func leaseChanged(epoch: UInt64?, isAlone: Bool = false, at now: Instant) -> [Action] {
        let isWon = epoch != nil && epoch != controller.epoch
        if isWon { reconsider() }
        return step(at: now) { $0.leaseChanged(epoch: epoch, isAlone: isAlone, at: now) }
    }

    /// The lease was won, and another process left the rollout in the state of `record` or later:
    /// ``RolloutController/tookOver(_:isComplete:epoch:at:)``.
    package mutating func tookOver(
        _ record: JournalRecord, isComplete: Bool, epoch: UInt64, at now: Instant
    ) -> [Action] {
        reconsider()
        return step(at: now) { $0.tookOver(record, isComplete: isComplete, epoch: epoch, at: now) }
            + holdBack(at: now)
    }

    /// The lease was won, and the record of the process before cannot be read:
    /// ``RolloutController/tookOver(unknown:epoch:at:)``.
    package mutating func tookOver(unknown loss: RecordLoss, epoch: UInt64, at now: Instant) -> [Action] {
        reconsider()
        return step(at: now) { $0.tookOver(unknown: loss, epoch: epoch, at: now) } + holdBack(at: now)
    }

    /// The stored rules may be older than the record: a trip that was over before a candidate got its traffic would
    /// hide the next one. While a service that it would take back has traffic, nobody has acted on it.
    private mutating func reconsiderOlderTrips() {
        switch controller.state.phase {
        case .idle, .retired: return
        case .promoting, .paused, .promoted, .rollingBack, .rolledBack: break
        }
        for (key, rule) in rules {
            let left = rule.tracks.keys.filter { labels in
                rule.definition.targets(of: labels, in: controller.plan).contains { name in
                    let share = rule.definition.action.reduceTo
                    return controller.takesTraffic(name)
                        && !(share.map { controller.isReduced(name, to: $0) } ?? false)
                }
            }
            if rules[key]?.reconsidered(left) == true { hasRulesToKeep = true }
        }
    }

    private mutating func reconsider() {
        for key in rules.keys { rules[key]?.reconsidered() }
        hasRulesToKeep = true
    }

    /// A rule was evaluated.
    ///
    /// - Parameter cause: when the scrape that caused the evaluation was committed; `nil` for a timer.
    package mutating func measured(
        _ measurement: RollbackMeasurement, cause: Instant? = nil, at now: Instant
    ) -> [Action] {
        // A rule that a reload removed may have been under evaluation.
        if let watches, watches[measurement.rule] == nil { return [] }
        let before = rules[measurement.rule] ?? RollbackRule(measurement.definition)
        var rule = before
        let outcome = rule.measured(measurement, awaited: awaited(of: measurement.rule, at: now))
        rules[measurement.rule] = rule
        var actions: [Action] = []
        // Trips come first: everything else can wait until the shift has been requested.
        for case .tripped(let trip) in outcome {
            actions.append(.tripped)
            actions += step(at: now) { $0.tripped(trip, cause: cause, at: now) }
        }
        for action in outcome {
            if let reported = reported(action, measurement, at: now) { actions.append(.control(reported)) }
        }
        actions += holdBack(at: now)
        let counted = measurement.failure == nil ? measurement.elements.filter { $0.counts && !$0.value.isNaN } : []
        let isViolated = counted.contains { measurement.definition.trip.holds(for: $0.value) }
        let standing = counted.isEmpty ? nil : isViolated
        let evidence = evidence(in: counted, of: measurement, at: now)
        actions += step(at: now) {
            $0.ruleMeasured(
                measurement.definition.name, isViolated: standing, key: measurement.rule, evidence: evidence, at: now)
        }
        if rule.hasToBeKept(after: before) { hasRulesToKeep = true }
        return actions + keepRules()
    }

    /// The time of the newest sample of each service in `elements`, by the clock of this process.
    private func evidence(
        in elements: [RollbackMeasurement.Element], of measurement: RollbackMeasurement, at now: Instant
    ) -> [String: Instant] {
        var times: [String: Instant] = [:]
        for element in elements {
            let age = max(.zero, measurement.time - (element.sampledAt ?? measurement.time))
            let time = now + (.zero - age)
            let services = measurement.definition.services(of: element.labels, in: controller.plan)
            for service in services ?? controller.plan.services.map(\.name) {
                times[service] = max(times[service] ?? time, time)
            }
        }
        return times
    }

    /// The data that the rule `key` must have by now.
    private func awaited(of key: String, at now: Instant) -> RollbackRule.Awaited {
        guard let watch = watches?[key] else { return .everything }
        let (controller, services) = (controller, Set(watch.services))
        let due = watch.services.filter {
            controller.isDataDue(of: $0, within: watch.firstData, seen: nil, at: now)
        }
        return RollbackRule.Awaited(services: due) { labels, seen in
            let named = watch.definition.services(of: labels, in: controller.plan) ?? []
            let meant = services.intersection(named)
            // An element without a service of the plan stands for all services of the rule.
            return (meant.isEmpty ? services : meant).contains { service in
                controller.isDataDue(
                    of: service, within: watch.firstData,
                    seen: seen.map { Instant(nanoseconds: $0.milliseconds * 1_000_000) }, at: now)
            }
        }
    }

    /// Stops or resumes promotion according to the state of the rules. May begin a rollout.
    private mutating func holdBack(at now: Instant) -> [Action] {
        let freezes = freezes
        return step(at: now) { $0.freezesChanged(to: freezes, at: now) }
    }

    /// The reasons of rules to stop promotion.
    private var freezes: Set<String> {
        var freezes: Set<String> = []
        for rule in rules.values {
            for (labels, track) in rule.tracks {
                if rule.holdsBack(track) {
                    freezes.insert(RolloutController.freezeReason(rule.definition.name, labels))
                }
                if track.announced.contains(.freeze) { freezes.insert("\(rule.definition.name)\(labels): no data") }
            }
        }
        return freezes
    }

    /// The notifications and events for the outcome of a measurement.
    private func reported(
        _ action: RollbackRule.Action, _ measurement: RollbackMeasurement, at now: Instant
    ) -> RolloutController.Action? {
        func event(_ kind: RollbackEvent.Kind, _ labels: Labels, _ more: [JSON.Member]) -> RolloutController.Action {
            let common: [JSON.Member] = [
                .init("plan", .string(controller.plan.name)), .init("rule", .string(measurement.rule)),
                .init("rule_hash", .string(measurement.ruleHash)), .init("labels", .string(labels.description)),
                .init("condition", .string(measurement.definition.trip.description)),
            ]
            let service = measurement.definition.action.service ?? labels["service"]
            let members = common + more + (service.map { [.init("service", .string($0))] } ?? [])
            let since = rules[measurement.rule]?.tracks[labels]?.violatedSince
            return .record(
                RollbackEvent(
                    at: now, kind: kind, subject: measurement.rule, body: .object(members),
                    incident: since.map { Trip.incident(of: measurement.rule, labels, since: $0) }))
        }
        func page(
            _ labels: Labels, _ text: String, _ kind: RollbackNotice.Kind = .page
        ) -> RolloutController.Action {
            let plan = controller.plan
            return .notify(
                RollbackNotice(
                    plan: plan.name, key: "\(plan.name)/\(measurement.rule)/\(labels)/missing", kind: kind,
                    text: "plan \(plan.name), rule \(measurement.definition.name): \(text)", receivers: plan.notify,
                    severity: measurement.definition.severity))
        }
        switch action {
        case .violated(let labels, let sample, let streak):
            return event(
                .violation, labels,
                [
                    .init("value", .string(FloatText.general(sample.value))),
                    .init("streak", .integer(Int64(streak))),
                ])
        case .cleared(let labels, _): return event(.decision, labels, [.init("decision", "cleared")])
        case .missing(let labels, let since):
            return page(labels, "no data of \(labels) since \(RFC3339.text(milliseconds: since.milliseconds))")
        case .overflowed(let limit): return page(.empty, "more than \(limit) elements: the others are not tracked")
        case .returned(let labels, _, true): return page(labels, "data of \(labels) are no longer missing", .over)
        case .tripped, .frozen, .returned: return nil
        }
    }
}
