internal import Discovery
internal import Instrumentation
internal import MetricModel
internal import MetricStore
internal import Runtime
internal import Synchronization

/// The list of targets, owned by the runner's thread `scrape-targets`.
struct TargetRoster {
    /// The minimum time between two reads of discovery. Many changes in a row cause one read.
    private static let restNanoseconds: Int64 = 500_000_000

    private let runner: ScrapeRunner
    /// When discovery is read; `nil` if there are no changes.
    private var nextLook: Int64?
    private var lastLook = Int64.min / 2
    private var catalogue = TargetCatalogue()
    private var running: [ScrapeTarget.Identity: RunningTarget] = [:]
    /// Removed targets whose series have not ended.
    private var leaving: [ScrapeTarget.Identity: RunningTarget] = [:]

    init(runner: ScrapeRunner) {
        self.runner = runner
    }

    /// Runs until the commands are closed.
    mutating func run() {
        while true {
            switch runner.commands.receive(deadline: nextLook) {
            case .closed: return
            case .timedOut: look()
            case .message(.discovered):
                runner.notice.received()
                plan(after: 0)
            case .message(.ended(let target)): leaving[target.identity] = nil
            case .message(.configure(let pools, let reply)): reply.send(configure(pools))
            case .message(.probe(let pulse)): pulse.answer()
            }
        }
    }

    /// Schedules a read of discovery in `nanoseconds`, but not before the minimum time after the last one.
    private mutating func plan(after nanoseconds: Int64) {
        let moment = max(SystemClock.monotonicNanoseconds() + nanoseconds, lastLook + Self.restNanoseconds)
        nextLook = min(nextLook ?? .max, moment)
    }

    private mutating func look() {
        nextLook = nil
        lastLook = SystemClock.monotonicNanoseconds()
        if let changes = catalogue.refresh(runner.discovery.finding) { apply(changes) }
    }

    private mutating func configure(_ pools: [ScrapePool]) -> RelabelError? {
        do throws(RelabelError) {
            var compiled: [RunningPool] = []
            for pool in pools { compiled.append(try RunningPool(pool, previous: catalogue.pool(pool.name))) }
            runner.discovery.reload(pools.flatMap(\.discovery))
            apply(catalogue.configure(compiled, runner.discovery.finding))
            return nil
        } catch {
            return error
        }
    }

    private mutating func apply(_ changes: TargetCatalogue.Changes) {
        for problem in changes.problems {
            runner.metrics.discoveryProblems.add()
            runner.logger.warn("discovered target rejected", ["error": problem])
        }
        for identity in changes.removed {
            guard let target = running.removeValue(forKey: identity) else { continue }
            leaving[identity] = target
            runner.post(target.step { $0.targetRemoved(at: .now) }, target)
        }
        for (target, pool) in changes.kept { update(target, pool) }
        for (target, pool) in changes.added { add(target, pool) }
        let published = PublishedTargets.Content(targets: Array(running.values), dropped: catalogue.dropped)
        runner.published.content.withLock { $0 = published }
        // A lane that is being closed becomes free within seconds.
        if catalogue.mayChange { plan(after: 4 * Self.restNanoseconds) }
    }

    private func update(_ target: ScrapeTarget, _ pool: RunningPool) {
        guard let known = running[target.identity] else { return }
        let timing = target.timing(catalogue.moments)
        let actions = known.state.withLock { state in
            state.configure(target, pool)
            return state.loop.timingChanged(timing, at: .now)
        }
        runner.post(actions, known)
    }

    /// The same thread in every run.
    private func home(of target: ScrapeTarget) -> ScrapeInbox {
        runner.inboxes[Int(target.identity.hash % UInt64(runner.inboxes.count))]
    }

    private mutating func add(_ target: ScrapeTarget, _ pool: RunningPool) {
        if let known = leaving[target.identity], known.state.withLock({ $0.loop.state }) != .ended {
            leaving[target.identity] = nil
            running[target.identity] = known
            runner.post(known.step { $0.targetReturned(at: .now) }, known)
            return update(target, pool)
        }
        do throws(StoreError) {
            let lane = try runner.store.openLane(target.laneName)
            let writer = TargetWriter(
                lane: lane, constitutionalHash: runner.settings.constitutionalHash,
                seriesCap: runner.settings.maximumSeriesPerTarget)
            let fresh = RunningTarget(
                target, target.timing(catalogue.moments), pool: pool, home: home(of: target), writer: writer)
            running[target.identity] = fresh
            runner.post(fresh.step { $0.started(at: .now) }, fresh)
        } catch {
            // The lane may still be closing.
            catalogue.forget(target.identity)
            runner.logger.warn(
                "cannot create a lane for the target, retrying",
                ["target": target.identity.url, "error": error.description])
        }
    }
}
