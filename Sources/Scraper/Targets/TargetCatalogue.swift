internal import MetricModel
internal import YAML

/// The targets of all jobs, as configuration and discovery files name them. A value; owned by the runner's roster.
struct TargetCatalogue: Sendable {
    /// What is different from before.
    struct Changes {
        var added: [(target: ScrapeTarget, pool: RunningPool)] = []
        /// Known before, with settings that may have changed.
        var kept: [(target: ScrapeTarget, pool: RunningPool)] = []
        var removed: [ScrapeTarget.Identity] = []
        /// Files and targets that could not be used.
        var problems: [String] = []
    }

    private struct DiscoveryFile {
        var stamp: [Int64]
        var groups: [ScrapePool.TargetGroup]
    }

    private var pools: [RunningPool] = []
    private var files: [String: DiscoveryFile] = [:]
    private var known: Set<ScrapeTarget.Identity> = []
    /// Whether a target is to be looked for again.
    private var hasForgotten = false
    /// When in their interval the targets are scraped.
    private(set) var moments = ScrapeMoments()
    /// Targets that relabelling dropped.
    private(set) var dropped: [DroppedTarget] = []

    /// The pool called `name`.
    func pool(_ name: String) -> RunningPool? { pools.first { $0.pool.name == name } }

    /// Takes over a configuration.
    mutating func configure(_ pools: [RunningPool]) -> Changes {
        self.pools = pools
        var changes = Changes()
        _ = readFiles(&changes)
        return rebuild(changes)
    }

    /// Looks at the discovery files; `nil` when none has changed.
    mutating func refresh() -> Changes? {
        var changes = Changes()
        let hasChanged = readFiles(&changes)
        return hasChanged || hasForgotten ? rebuild(changes) : nil
    }

    /// Whether ``refresh()`` may find something.
    var mayChange: Bool { hasForgotten || pools.contains { !$0.pool.fileDiscovery.isEmpty } }

    /// A target that could not be taken in is looked for again at the next ``refresh()``.
    mutating func forget(_ identity: ScrapeTarget.Identity) {
        known.remove(identity)
        hasForgotten = true
    }

    /// A broken file keeps its last good content.
    private mutating func readFiles(_ changes: inout Changes) -> Bool {
        let patterns = Set(pools.flatMap { $0.pool.fileDiscovery.flatMap(\.patterns) })
        let paths = Set(patterns.flatMap { FileDiscoveryFiles.matching($0) })
        var hasChanged = false
        for gone in files.keys where !paths.contains(gone) {
            files[gone] = nil
            hasChanged = true
        }
        for path in paths.sorted() {
            let stamp = FileDiscoveryFiles.stamp(of: path)
            if let file = files[path], file.stamp == stamp { continue }
            do throws(YAMLError) {
                files[path] = DiscoveryFile(stamp: stamp, groups: try FileDiscoveryFiles.groups(in: path))
                hasChanged = true
            } catch {
                files[path, default: DiscoveryFile(stamp: stamp, groups: [])].stamp = stamp
                changes.problems.append(error.description)
            }
        }
        return hasChanged || !changes.problems.isEmpty
    }

    private mutating func rebuild(_ start: Changes) -> Changes {
        var changes = start
        hasForgotten = false
        dropped = []
        var found: Set<ScrapeTarget.Identity> = []
        for index in pools.indices {
            let targets = targets(of: pools[index], &found, &changes)
            let limit = pools[index].pool.limits.targets
            pools[index] = pools[index].refusing(
                limit > 0 && targets.count > limit
                    ? "target_limit exceeded (number of targets: \(targets.count), limit: \(limit))" : nil)
            for target in targets {
                if known.contains(target.identity) {
                    changes.kept.append((target, pools[index]))
                } else {
                    changes.added.append((target, pools[index]))
                }
            }
        }
        changes.removed = known.filter { !found.contains($0) }
        known = found
        moments.spread(found.count)
        return changes
    }

    private mutating func targets(
        of pool: RunningPool, _ found: inout Set<ScrapeTarget.Identity>, _ changes: inout Changes
    ) -> [ScrapeTarget] {
        let discovered = pool.pool.fileDiscovery.flatMap { discovery in
            Set(discovery.patterns.flatMap { FileDiscoveryFiles.matching($0) }).sorted()
                .flatMap { files[$0]?.groups ?? [] }
        }
        var targets: [ScrapeTarget] = []
        for group in pool.pool.staticTargets + discovered {
            for address in group.targets {
                switch ScrapeTarget.build(
                    address: address, group: group.labels, pool: pool.pool, relabelling: pool.relabelling)
                {
                case .target(let target):
                    if found.insert(target.identity).inserted { targets.append(target) }
                case .dropped(let labels):
                    dropped.append(DroppedTarget(discoveredLabels: labels, scrapePool: pool.pool.name))
                case .faulty(let labels, let reason):
                    changes.problems.append("\(pool.pool.name): \(labels): \(reason)")
                }
            }
        }
        return targets
    }
}
