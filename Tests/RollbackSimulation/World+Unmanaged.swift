import JSON
import MetricModel
import Rollback

/// Traffic that no rollout gave, and times in which nothing is written.
extension World {
    /// The routers of `name` were read while there may be no rollout.
    mutating func readWithoutRollout(_ name: String) {
        guard lastState.phase == .idle, lastState.loss == nil else { return }
        let isTaken = routes(of: name).contains { routers[$0]?.seen?.split ?? .allStable > .allStable }
        firstRead[name] = isTaken ? firstRead[name] ?? clock : nil
    }

    /// A rule was violated often enough while there is no rollout: traffic that was read is taken back, or people know.
    mutating func checkUnmanagedTrip(_ name: String, _ controller: RolloutController) {
        guard firstRead[name] != nil, controller.state.loss == nil, controller.epoch != nil else { return }
        let isTold = told.contains { $0.contains("/no-shift: ") }
        check(.unmanaged, isTold, "\(name) is violated, and keeps its traffic without a word")
    }

    /// A division that becomes that of a rollout is one that was read.
    mutating func checkAdopted(_ name: String, _ service: ServiceRollout) {
        let isRead = routes(of: name).contains { routers[$0]?.seen?.split == service.split }
        check(.unmanaged, isRead || service.split == .allStable, "\(name) is taken for \(service.split)")
        let at = now
        setElement(name) { ($0.verifiedAt, $0.isExcused) = (at, false) }
    }

    /// A rollback that nobody ordered begins with traffic that no rollout gave, read since `adopted`.
    mutating func checkUnordered(_ event: RollbackEvent, _ adopted: [String: Instant]) {
        let names = lastState.services.keys.filter {
            event.body["detail"]?.text?.contains($0) == true && adopted[$0] != nil
        }
        for name in names {
            let hasStable = routes(of: name).allSatisfy { route in
                guard let split = routers[route]?.seen?.split, split > .allStable else { return true }
                return split.stable > 0
            }
            check(.unmanaged, hasStable, "\(name) goes back, and its stable version has no traffic")
        }
        let first = names.compactMap { adopted[$0] }.max() ?? clock
        for cause in event.body["causes"]?.elements ?? [] {
            let times = (cause["trip"]?["samples"]?.elements ?? []).compactMap { $0["time"]?.integer }
            let isProven = !times.isEmpty && times.allSatisfy { $0 >= first.timestamp.milliseconds }
            check(.unmanaged, isProven, "\(names) go back for violations from before their traffic was read")
        }
    }

    /// Whether `name` cannot go back, or a service cannot that depends on it.
    func isStuck(_ name: String) -> Bool {
        let all = (order.dependents[name] ?? []).union([name])
        return all.contains { memory.irreversible[$0] == lastState.generation }
    }

    // MARK: observation

    /// An operation that writes is about to be sent.
    mutating func checkObserving(_ operation: RouterOperation) {
        let until = lastState.observingUntil
        check(.observing, until.map { clock >= $0 } ?? true, "\(operation.kind) of \(operation.target)")
    }

    /// An observation ends by an order or at its time.
    mutating func checkObserved(_ new: RolloutState, _ old: RolloutState, isTakenOver: Bool) {
        guard !isTakenOver, new.observingUntil != old.observingUntil else { return }
        let isOver = old.observingUntil.map { clock >= $0 } ?? false
        check(.observing, commanded != nil || isOver, "an observation ended by itself")
    }
}
