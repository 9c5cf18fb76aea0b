internal import Discovery
internal import MetricModel

/// The targets of all jobs, from the configuration and discovery. A value, owned by the runner's roster.
///
/// The relabelled targets are kept with their group, so that the cost of a change is proportional to the change.
struct TargetCatalogue: Sendable {
    /// The difference from the previous state.
    struct Changes {
        var added: [(target: ScrapeTarget, pool: RunningPool)] = []
        /// Known targets whose settings or discovered labels may have changed.
        var kept: [(target: ScrapeTarget, pool: RunningPool)] = []
        var removed: [ScrapeTarget.Identity] = []
        /// Errors of targets that cannot be used.
        var problems: [String] = []
    }

    /// Returns the findings of a discovery mechanism.
    typealias Finder = (DiscoveryMechanism) -> DiscoveryRunner.Finding

    private var pools: [BuiltPool] = []
    private var known: Set<ScrapeTarget.Identity> = []
    /// Whether a target must be added again.
    private var hasForgotten = false
    /// The times in an interval at which targets are scraped.
    private(set) var moments = ScrapeMoments()
    /// Discovered targets that are not scraped.
    private(set) var dropped: [DroppedTarget] = []

    /// The pool named `name`.
    func pool(_ name: String) -> RunningPool? { pools.first { $0.pool.pool.name == name }?.pool }

    /// Applies a configuration and the current findings of discovery.
    mutating func configure(_ pools: [RunningPool], _ finder: Finder) -> Changes {
        self.pools = pools.map { BuiltPool($0) }
        var changes = Changes()
        for index in self.pools.indices { _ = self.pools[index].refresh(finder, &changes.problems) }
        collect(into: &changes, updating: { _ in true })
        return changes
    }

    /// Applies the findings of discovery since the last call; `nil` if nothing changed.
    mutating func refresh(_ finder: Finder) -> Changes? {
        var changes = Changes()
        var changed: Set<Int> = []
        for index in pools.indices where pools[index].refresh(finder, &changes.problems) { changed.insert(index) }
        guard !changed.isEmpty || hasForgotten else { return nil }
        collect(into: &changes, updating: changed.contains)
        return changes
    }

    /// Whether ``refresh(_:)`` may return changes although discovery has none.
    var mayChange: Bool { hasForgotten }

    /// The target could not be started. The next ``refresh(_:)`` adds it again.
    mutating func forget(_ identity: ScrapeTarget.Identity) {
        known.remove(identity)
        hasForgotten = true
    }

    /// Compares the targets of all pools with the previous ones.
    ///
    /// - Parameter updating: the pools whose known targets are configured again.
    private mutating func collect(into changes: inout Changes, updating: (Int) -> Bool) {
        hasForgotten = false
        dropped = pools.flatMap(\.dropped)
        var found: Set<ScrapeTarget.Identity> = []
        found.reserveCapacity(known.count)
        for index in pools.indices {
            let targets = pools[index].targets.filter { found.insert($0.identity).inserted }
            pools[index].limit(targets.count)
            for target in targets {
                if !known.contains(target.identity) {
                    changes.added.append((target, pools[index].pool))
                } else if updating(index) {
                    changes.kept.append((target, pools[index].pool))
                }
            }
        }
        changes.removed = known.filter { !found.contains($0) }
        known = found
        moments.spread(found.count)
    }
}

/// A pool with the targets of its groups. A value.
private struct BuiltPool {
    /// A group with the relabelled form of each of its targets.
    private struct BuiltGroup {
        var group: TargetGroup
        var outcomes: [ScrapeTarget.Outcome]
    }

    /// A source of a mechanism; the static groups are mechanism -1.
    private struct GroupKey: Hashable, Comparable {
        var mechanism: Int
        var source: String

        static func < (left: GroupKey, right: GroupKey) -> Bool {
            left.mechanism == right.mechanism ? left.source < right.source : left.mechanism < right.mechanism
        }
    }

    private(set) var pool: RunningPool
    private var groups: [GroupKey: BuiltGroup] = [:]
    /// The versions of the mechanisms' findings.
    private var versions: [Int]
    /// The targets of all groups, in the order of their sources. A target may be in several groups.
    private(set) var targets: [ScrapeTarget] = []
    private(set) var dropped: [DroppedTarget] = []

    init(_ pool: RunningPool) {
        self.pool = pool
        versions = Array(repeating: -1, count: pool.pool.discovery.count)
    }

    /// Applies the findings of the mechanisms. Returns whether anything changed; true at the first call.
    mutating func refresh(_ finder: TargetCatalogue.Finder, _ problems: inout [String]) -> Bool {
        var hasChanged = false
        if targets.isEmpty, groups.isEmpty {
            for group in pool.pool.staticTargets {
                let key = GroupKey(mechanism: -1, source: group.source)
                groups[key] = BuiltGroup(group: group, outcomes: build(group, nil, &problems))
            }
            hasChanged = true
        }
        for (index, mechanism) in pool.pool.discovery.enumerated() {
            let finding = finder(mechanism)
            guard finding.version != versions[index] else { continue }
            versions[index] = finding.version
            hasChanged = true
            take(finding.groups, mechanism: index, &problems)
        }
        if hasChanged { list() }
        return hasChanged
    }

    private mutating func take(_ found: [String: TargetGroup], mechanism: Int, _ problems: inout [String]) {
        for key in groups.keys where key.mechanism == mechanism && found[key.source] == nil { groups[key] = nil }
        for (source, group) in found {
            let key = GroupKey(mechanism: mechanism, source: source)
            let previous = groups[key]
            if previous?.group == group { continue }
            groups[key] = BuiltGroup(group: group, outcomes: build(group, previous, &problems))
        }
    }

    /// Builds the targets of `group`. Those whose labels are unchanged are taken from `previous`.
    private func build(
        _ group: TargetGroup, _ previous: BuiltGroup?, _ problems: inout [String]
    ) -> [ScrapeTarget.Outcome] {
        var known: [Labels: ScrapeTarget.Outcome] = [:]
        if let previous, previous.group.labels == group.labels {
            known = Dictionary(zip(previous.group.targets, previous.outcomes)) { first, _ in first }
        }
        return group.targets.map { target in
            if let outcome = known[target] { return outcome }
            let outcome = ScrapeTarget.build(
                target, group: group.labels, pool: pool.pool, relabelling: pool.relabelling)
            if case .faulty(let labels, let reason) = outcome {
                problems.append("\(pool.pool.name): \(labels): \(reason)")
            }
            return outcome
        }
    }

    private mutating func list() {
        targets = []
        dropped = []
        let limit = pool.pool.limits.droppedTargets
        for key in groups.keys.sorted() {
            for outcome in groups[key]?.outcomes ?? [] {
                switch outcome {
                case .target(let target): targets.append(target)
                case .dropped(let labels): drop(labels, nil, limit)
                case .faulty(let labels, let reason): drop(labels, reason, limit)
                }
            }
        }
    }

    private mutating func drop(_ labels: Labels, _ reason: String?, _ limit: Int) {
        guard limit == 0 || dropped.count < limit else { return }
        dropped.append(DroppedTarget(discoveredLabels: labels, scrapePool: pool.pool.name, reason: reason))
    }

    /// Stops scraping the pool if it has more targets than `target_limit`.
    mutating func limit(_ count: Int) {
        let limit = pool.pool.limits.targets
        pool = pool.refusing(
            limit > 0 && count > limit
                ? "target_limit exceeded (number of targets: \(count), limit: \(limit))" : nil)
    }
}
