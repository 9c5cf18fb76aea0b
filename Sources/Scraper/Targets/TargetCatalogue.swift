internal import Discovery
internal import MetricModel

/// The targets of all jobs, as the configuration and discovery name them. A value; owned by the runner's roster.
///
/// What relabelling makes of a target is kept with its group, so that a change costs what has changed.
struct TargetCatalogue: Sendable {
    /// The difference from the state before.
    struct Changes {
        var added: [(target: ScrapeTarget, pool: RunningPool)] = []
        /// Known before, with settings or discovered labels that may have changed.
        var kept: [(target: ScrapeTarget, pool: RunningPool)] = []
        var removed: [ScrapeTarget.Identity] = []
        /// Targets that could not be used.
        var problems: [String] = []
    }

    /// Says what a mechanism has found.
    typealias Finder = (DiscoveryMechanism) -> DiscoveryRunner.Finding

    private var pools: [BuiltPool] = []
    private var known: Set<ScrapeTarget.Identity> = []
    /// Whether a target is to be added again.
    private var hasForgotten = false
    /// When in their interval the targets are scraped.
    private(set) var moments = ScrapeMoments()
    /// Discovered targets that are not scraped.
    private(set) var dropped: [DroppedTarget] = []

    /// The pool called `name`.
    func pool(_ name: String) -> RunningPool? { pools.first { $0.pool.pool.name == name }?.pool }

    /// Takes over a configuration, with what discovery has found so far.
    mutating func configure(_ pools: [RunningPool], _ finder: Finder) -> Changes {
        self.pools = pools.map { BuiltPool($0) }
        var changes = Changes()
        for index in self.pools.indices { _ = self.pools[index].refresh(finder, &changes.problems) }
        collect(into: &changes, updating: { _ in true })
        return changes
    }

    /// Takes over what discovery has found since; `nil` when nothing is different.
    mutating func refresh(_ finder: Finder) -> Changes? {
        var changes = Changes()
        var changed: Set<Int> = []
        for index in pools.indices where pools[index].refresh(finder, &changes.problems) { changed.insert(index) }
        guard !changed.isEmpty || hasForgotten else { return nil }
        collect(into: &changes, updating: changed.contains)
        return changes
    }

    /// Whether ``refresh(_:)`` may find something although discovery has not.
    var mayChange: Bool { hasForgotten }

    /// Adds a target that could not be taken in again at the next ``refresh(_:)``.
    mutating func forget(_ identity: ScrapeTarget.Identity) {
        known.remove(identity)
        hasForgotten = true
    }

    /// Compares the targets of all pools with those known before.
    ///
    /// - Parameter updating: The pools whose known targets are taken over again.
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
    /// A group with what relabelling made of each of its targets.
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
    /// The versions of what the mechanisms have found.
    private var versions: [Int]
    /// The targets of all groups, in the order of their sources; one may stand in several groups.
    private(set) var targets: [ScrapeTarget] = []
    private(set) var dropped: [DroppedTarget] = []

    init(_ pool: RunningPool) {
        self.pool = pool
        versions = Array(repeating: -1, count: pool.pool.discovery.count)
    }

    /// Takes over what the mechanisms have found. Returns whether that changed anything; the first time it does.
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

    /// Builds the targets of `group`. Those whose labels are as before are taken from `previous`.
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

    /// Refuses to scrape more targets than `target_limit`.
    mutating func limit(_ count: Int) {
        let limit = pool.pool.limits.targets
        pool = pool.refusing(
            limit > 0 && count > limit
                ? "target_limit exceeded (number of targets: \(count), limit: \(limit))" : nil)
    }
}
