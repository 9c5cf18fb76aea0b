import Rollback

/// 128 bits that stand for a state: 10⁸ states collide with a probability of 10⁻²².
struct Fingerprint: Hashable, Sendable {
    var high: UInt64
    var low: UInt64
}

extension Moment {
    /// The fingerprint of everything on which the future depends, with times relative to now.
    ///
    /// Moments with the routes of one service exchanged have the same one: nothing tells such routes apart but their
    /// names. What is stored counts only while a process may still end and another one read it.
    func fingerprint(in world: SmallWorld) -> Fingerprint {
        let scale = TimeScale(now: now, step: SmallWorld.step)
        // A controller without a rollout begins with another structure, and rules keep their samples.
        var parts = Parts(
            machine: machine?.normalised(keepsSamples: false, scale), routes: routes.map { $0.normalised(now) },
            state: nil, busy: nil, next: nil)
        let plan = world.plans[min(reloads, 1)]
        func normalised(_ state: RolloutState) -> RolloutState {
            state.normalised(for: plan, awaitsData: false, scale)
        }
        var rules: [String: RollbackRule] = [:]
        var stored: [Int] = []
        if faults > 0 || machine == nil {
            parts.state = disk.state.map(normalised)
            parts.busy = disk.busy.map { normalised($0.state) }
            parts.next = disk.next.map { normalised($0.state) }
            // Rules on the disk are read by a process that knows of no traffic yet.
            rules = disk.rules.mapValues { $0.normalised(awaitsData: false, unmanaged: [now], scale) }
        } else {
            // No process will read them. The checks know the last record, and which weights are stored.
            parts.next = normalised(recorded)
            stored = storedWeights(of: disk.state, in: world)
            if disk.next != nil { stored += storedWeights(of: disk.busy?.state, in: world) }
            if disk.busy != nil { stored.append(disk.next == nil ? 1 : 2) }
        }
        if world.size.routes == 2 {
            for service in world.services.indices { parts.sortRoutes(of: service, in: world) }
        }
        func half(_ number: UInt8) -> UInt64 {
            var hasher = Hasher()
            hasher.combine(number)
            hasher.combine(parts)
            hasher.combine(rules)
            hasher.combine(stored)
            let isLast = disk.busy.map { $0.number == machine?.controller.lastRecord }
            hasher.combine(isLast)
            hasher.combine(disk.isFailing)
            hasher.combine(disk.isHung)
            hasher.combine(faults)
            hasher.combine(orders)
            hasher.combine(reloads)
            hasher.combine(counted)
            hasher.combine(countedNow)
            let cooldown = cooldownUntil.map { max(0, $0.nanoseconds - now.nanoseconds) } ?? 0
            hasher.combine(cooldown)
            return UInt64(bitPattern: Int64(hasher.finalize()))
        }
        return Fingerprint(high: half(0), low: half(1))
    }

    private func storedWeights(of state: RolloutState?, in world: SmallWorld) -> [Int] {
        guard let state else { return [-1] }
        return [Int(state.generation)] + world.services.map { state.services[$0]?.split.candidate ?? -1 }
    }

    /// Whether a measurement has changed nothing since `before`.
    func isSame(as before: Moment) -> Bool {
        counted == before.counted && countedNow == before.countedNow && cooldownUntil == before.cooldownUntil
            && machine == before.machine
    }

    /// The parts that know of routes.
    private struct Parts: Hashable {
        var machine: PlanMachine?
        var routes: [Route]
        var state: RolloutState?
        var busy: RolloutState?
        var next: RolloutState?

        mutating func sortRoutes(of service: Int, in world: SmallWorld) {
            let range = world.routes(of: service)
            func digest(_ index: Int) -> Int {
                var hasher = Hasher()
                hasher.combine(routes[index])
                machine?.digest(of: world.routes[index], into: &hasher)
                return hasher.finalize()
            }
            guard digest(range.lowerBound) > digest(range.lowerBound + 1) else { return }
            let name = world.services[service]
            routes.swapAt(range.lowerBound, range.lowerBound + 1)
            machine?.exchangeRoutes(of: name)
            state?.exchangeRoutes(of: name)
            busy?.exchangeRoutes(of: name)
            next?.exchangeRoutes(of: name)
        }
    }
}

extension Moment.Route {
    /// The same route with times relative to now, and without numbers of operations.
    fileprivate func normalised(_ now: Instant) -> Self {
        var route = self
        route.seen?.at = Instant(nanoseconds: seen?.at == now ? 1 : 0)
        for place in queue.indices { route.queue[place].id = 0 }
        return route
    }
}
