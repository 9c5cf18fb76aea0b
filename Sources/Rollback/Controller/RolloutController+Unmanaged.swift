internal import JSON
internal import MetricModel

/// Traffic of a candidate that no rollout of this plan gave it: a pipeline or a person has switched it.
package struct UnmanagedTraffic: Hashable, Sendable {
    /// When this process first read it.
    package var since: Instant
    /// The greatest share of the candidate among the service's routes at the last readings.
    package var split: TrafficSplit
    /// The key of the page about it.
    var page: String
    /// Whether a trip was not acted on because the stable version could not take the traffic.
    var isRefused = false
    /// The incidents of trips that were not acted on, and paged.
    var pagedTrips: Set<String> = []
}

/// Before the first rollout of a plan there are no wanted weights, but candidates may have traffic. It is shown,
/// recorded and protected: a trip takes it back where that leads to a version which is healthy and in use.
extension RolloutController {
    /// A route of `service` was read while no rollout has begun.
    mutating func watchUnmanaged(_ service: String, at now: Instant) {
        guard state.loss == nil else { return }
        guard let live = liveSplits(of: service).max(), live > .allStable else {
            guard let over = unmanaged.removeValue(forKey: service) else { return }
            recordUnmanaged(service, .allStable, "over", at: now)
            return withdraw(over, service)
        }
        guard let before = unmanaged[service] else {
            let key = page(
                "\(service)/unmanaged",
                "plan \(plan.name): the candidate of \(service) has traffic that no rollout gave it (live \(live)): "
                    + "tribune rollout adopt \(plan.name), or rollback", severity: "warning")
            unmanaged[service] = UnmanagedTraffic(since: now, split: live, page: key)
            recordUnmanaged(service, live, "seen", at: now)
            // Trips from before were not acted on, because nothing was known of this traffic.
            outbox.append(.reconsider)
            return
        }
        if before.split != live {
            unmanaged[service]?.split = live
            recordUnmanaged(service, live, "changed", at: now)
        }
        guard before.isRefused, hindrance(to: service) == nil else { return }
        unmanaged[service]?.isRefused = false
        outbox.append(.reconsider)
    }

    /// The live weights of the routes of `service` that were read since the process or the term of the lease began.
    private func liveSplits(of service: String) -> [TrafficSplit] {
        routes(of: service).filter { self[$0].isRead }.map { self[$0].view.observed ?? .allStable }
    }

    private mutating func recordUnmanaged(_ service: String, _ split: TrafficSplit, _ detail: String, at now: Instant) {
        record(
            .deployment,
            [
                "step": "unmanaged", "service": .string(service), "split": .string(split.description),
                "detail": .string(detail),
            ], at: now)
    }

    /// Resolves the pages about traffic that is over, or belongs to a rollout now. A page about a trip stays while
    /// another service of that trip has traffic.
    mutating func withdraw(_ traffic: UnmanagedTraffic, _ service: String) {
        let left = unmanaged.values.reduce(into: Set<String>()) { $0.formUnion($1.pagedTrips) }
        let trips = traffic.pagedTrips.subtracting(left).sorted().compactMap { tripPages.removeValue(forKey: $0) }
        for key in [traffic.page] + trips {
            resolvePage(key, ": \(service) has no traffic any more that no rollout gave it")
        }
    }

    /// Resolves the pages about trips that led to no shift because of an order that is over.
    mutating func withdrawTrips() {
        for (_, key) in tripPages.sorted(by: { $0.key < $1.key }) { resolvePage(key, ": traffic is shifted again") }
        tripPages = [:]
    }

    /// Why no rollout may begin: a candidate has traffic already. `nil` if none has.
    var unmanagedText: String? {
        guard let (service, traffic) = unmanaged.min(by: { $0.key < $1.key }) else { return nil }
        return "the candidate of \(service) has traffic that no rollout gave it (live \(traffic.split)): "
            + "adopt it or roll it back first"
    }

    func hasUnmanaged(of services: [String]) -> Bool { services.contains { unmanaged[$0] != nil } }

    /// Why the traffic of `service` is not taken back without an order; `nil` if it may be.
    private func hindrance(to service: String) -> String? {
        if plan.unmanaged == .page { return "the plan demands that people decide" }
        if let (stuck, limit) = unmanagedLimit(of: service) {
            return "its plan lets \(stuck) go back from \(limit) % at most"
        }
        for route in routes(of: service) {
            guard let seen = self[route].view.reading, seen.split ?? .allStable > .allStable else { continue }
            if self[route].view.unreadableSince != nil { return "\(name(of: route)) cannot be read" }
            switch seen.stable {
            case .healthy: break
            case .unhealthy(let reason), .unknown(let reason):
                return text("the stable version is not verified healthy: \(reason)", of: route)
            }
            if seen.split?.stable ?? 0 == 0 { return text("the stable version has no traffic", of: route) }
        }
        return nil
    }

    /// The service, `service` or one that depends on it, whose traffic is past the weight from which it can go back,
    /// with that weight; `nil` if there is none.
    private func unmanagedLimit(of service: String) -> (service: String, limit: Int)? {
        for name in plan.dependents(including: service) {
            guard let limit = plan.service(name)?.reversibleUntil, let traffic = unmanaged[name] else { continue }
            if traffic.split.candidate > limit { return (name, limit) }
        }
        return nil
    }

    /// A rule tripped that can take back traffic which no rollout gave.
    mutating func trippedUnmanaged(_ trip: Trip, _ targets: [String], cause: Instant?, at now: Instant) {
        let touched = targets.filter { unmanaged[$0] != nil }
        let isProven = trip.samples.allSatisfy { sample in
            touched.allSatisfy { sample.time >= unmanaged[$0]?.since.timestamp ?? sample.time }
        }
        let unreduced = trip.reduceTo == nil ? nil : "only the traffic of a rollout is reduced"
        let hindrances = touched.compactMap { name in (unreduced ?? hindrance(to: name)).map { (name, $0) } }
        let affected = touched.filter { name in !hindrances.contains { $0.0 == name } }
        let decision =
            if let observationText {
                "\(observationText): would roll back \(affected.joined(separator: ", "))"
            } else if !isProven {
                "violations from before the traffic was read do not count"
            } else if affected.isEmpty {
                hindrances.map { "\($0.0) keeps its traffic: \($0.1)" }.joined(separator: "; ")
            } else {
                "roll back \(affected.joined(separator: ", "))"
            }
        record(
            .decision,
            [
                "decision": .string(decision), "cause": RollbackRecord.Cause.trip(trip).json,
                "services": .array(affected.map(JSON.string)),
                "committed_at": cause.map { .string(RFC3339.text(nanoseconds: $0.nanoseconds)) } ?? .null,
            ], incident: trip.incident, meaning: .decided(trip, committedAt: cause), at: now)
        guard observationText == nil else { return pageOfTrip(trip, touched, decision) }
        guard isProven else { return outbox.append(.rearmElement(rule: trip.rule, labels: trip.labels)) }
        for (name, _) in hindrances { unmanaged[name]?.isRefused = true }
        if !hindrances.isEmpty { pageOfTrip(trip, hindrances.map(\.0), decision) }
        guard !affected.isEmpty else { return }
        begin("a rule tripped", at: now)
        state.isUnordered = true
        let end = now + trip.cooldown
        state.cooldownUntil = max(state.cooldownUntil ?? end, end)
        beginRollback(of: affected, because: .trip(trip), proved: cause, besideStable: true, at: now)
    }

    /// Pages about a trip that leads to no shift, with the live division.
    mutating func pageOfTrip(_ trip: Trip, _ services: [String], _ decision: String) {
        let names = services.isEmpty ? plan.services.map(\.name) : services
        let live = names.map { name in
            let splits = routes(of: name).map { self[$0].view.observed?.description ?? "unknown" }
            return "\(name) \(splits.joined(separator: ", "))"
        }
        if tripPages.count >= 1000 {
            tripPages = [:]
            for name in unmanaged.keys { unmanaged[name]?.pagedTrips = [] }
        }
        for name in names { unmanaged[name]?.pagedTrips.insert(trip.incident) }
        guard tripPages[trip.incident] == nil else { return }
        let key = page(
            "\(trip.incident)/no-shift",
            "plan \(plan.name): \(trip.name) tripped, and no traffic is shifted: \(decision). "
                + "Live (stable/candidate): \(live.joined(separator: "; "))", severity: trip.severity)
        tripPages[trip.incident] = key
    }

    // MARK: orders

    /// Begins a rollout, which stands still, with the live weights of every service.
    private mutating func begin(_ reason: String, at now: Instant) {
        state.generation &+= 1
        standStill("traffic that no rollout gave: \(reason)")
        state.lastPromotedAt = nil
        state.isUnordered = false
        (state.hooks, hooks) = ([:], [:])
        state.doubts = []
        for service in plan.services.map(\.name) {
            var fresh = ServiceRollout()
            fresh.revision = (state.services[service]?.revision ?? 0) &+ 1
            // Where routes differ, the candidate may be on its way back: the others follow the lowest one.
            let live = liveSplits(of: service).min()
            if let live, live != .allStable {
                fresh.split = live
                fresh.progress = .baking(stage: stage(of: service, at: live), since: now)
                fresh.trafficSince = unmanaged[service]?.since ?? now
            }
            state.services[service] = fresh
            passReversible(service)
            work[service]?.begin()
            let split = fresh.split
            recordUnmanaged(service, split, "adopted: \(reason)", at: now)
        }
        let taken = unmanaged.sorted { $0.key < $1.key }
        unmanaged = [:]
        for (service, traffic) in taken { withdraw(traffic, service) }
        // Services that keep their traffic belong to the rollout now, and so do trips that were not acted on.
        outbox.append(.reconsider)
        journal("adopted", at: now)
    }

    /// Takes the present division as that of a new rollout.
    mutating func adopt(_ command: RolloutCommand, at now: Instant) -> CommandOutcome {
        guard state.phase == .idle else { return .refused("generation \(state.generation) is the plan's rollout") }
        if let loss = lossText { return .refused(loss) }
        if let route = unreadRoute ?? unreadableRoute {
            return .refused("\(route.service) cannot be adopted before it is read: \(name(of: route))")
        }
        guard !unmanaged.isEmpty else { return .ignored("no candidate has traffic") }
        for service in plan.services.map(\.name) {
            let splits = Set(routes(of: service).map { self[$0].view.observed })
            guard splits.count == 1 else {
                return .refused("the routes of \(service) divide its traffic differently")
            }
        }
        begin("adopted by \(command.by)", at: now)
        return .accepted
    }

    private var unreadableRoute: RouteID? {
        plan.services.lazy.flatMap { routes(of: $0.name) }.first { self[$0].view.unreadableSince != nil }
    }

    /// Prepares an order to take traffic back: ends an observation, and makes traffic of `services` (`nil` for all)
    /// that no rollout gave that of one.
    ///
    /// - Returns: why traffic cannot be taken back, in which case nothing has changed; `nil` if it can.
    mutating func manage(_ services: [String]?, _ command: RolloutCommand, at now: Instant) -> String? {
        let names = services ?? plan.services.map(\.name)
        let hasUnmanaged = state.phase == .idle && hasUnmanaged(of: names)
        let stuck = names.filter { hasUnmanaged && unmanaged[$0] != nil && unmanagedLimit(of: $0) != nil }
        if !stuck.isEmpty { return irreversibleText(of: stuck) }
        let isRollout = state.phase != .idle && names.contains { takesTraffic($0) }
        if hasUnmanaged || isRollout, state.observingUntil != nil { stopObserving(command.by, at: now) }
        guard hasUnmanaged else { return nil }
        // The routes of a service that a person wants back may differ.
        let wanted = unmanaged.filter { names.contains($0.key) }
        begin("\(command.verb.name) by \(command.by)", at: now)
        for (name, traffic) in wanted where state.services[name]?.split == .allStable {
            let stage = stage(of: name, at: traffic.split)
            state.services[name]?.split = traffic.split
            state.services[name]?.progress = .baking(stage: stage, since: now)
        }
        return nil
    }
}
