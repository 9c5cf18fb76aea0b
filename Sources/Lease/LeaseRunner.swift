public import Instrumentation
internal import MetricModel
public import Runtime
internal import Synchronization

/// Keeps the lease: asks the database what the machine wants to know, and brings it the last journal records.
///
/// Any thread may ask what may be done at this moment. That is asked again before every action and every operation,
/// since a process can be stopped between any two of its instructions; what slips through carries its epoch.
public final class LeaseRunner: Sendable {
    private struct Shared {
        var lease: Lease
        var handOver: HandOver?
        var fault: String?
        /// Records that the database has not got yet; one per plan.
        var waiting: [String: (payload: [UInt8], epoch: UInt64)] = [:]
        /// The highest epoch of any journal of this node.
        var floor: UInt64 = 0
        /// Whether this node wants the lease no longer.
        var isResigned = false
        /// What was told to those who listen.
        var told = Lease.Standing.none
    }

    private let settings: LeaseSettings
    private let logger: Logger
    private let shared: Mutex<Shared>
    private let wake = Mailbox<Void>(capacity: 1)
    private let listeners = Mutex<[@Sendable () -> Void]>([])
    private let thread = Mutex<WorkerThread?>(nil)

    /// A lease that is neither asked for nor held before ``start()``.
    public init(_ settings: LeaseSettings, logger: Logger, registry: Registry) {
        self.settings = settings
        self.logger = logger.with("component", "lease")
        shared = Mutex(
            Shared(lease: Lease(holder: settings.holder, duration: Milliseconds(rawValue: settings.milliseconds))))
        let holder = registry.gauge(
            "tribune_lease_holder", "Whether this node holds the lease and may give orders to routers.")
        let alone = registry.gauge(
            "tribune_lease_alone", "Whether the lease could not be renewed in time, so that only rollbacks go on.")
        let epoch = registry.gauge("tribune_lease_epoch", "The last epoch of the lease that this node knows.")
        registry.onSnapshot { [weak self] in
            guard let self else { return }
            let standing = standing
            if case .none = standing { holder.set(0) } else { holder.set(1) }
            if case .alone = standing { alone.set(1) } else { alone.set(0) }
            epoch.set(Double(status.epoch))
        }
    }

    /// What this node may do now.
    public var standing: Lease.Standing { shared.withLock { $0.lease.standing(at: SystemClock.bootNanoseconds()) } }

    /// What the present holder found when it took the lease; `nil` before this node has.
    public var handOver: HandOver? { shared.withLock(\.handOver) }

    /// How things stand, for people.
    public var status: LeaseStatus {
        let now = SystemClock.bootNanoseconds()
        return shared.withLock { shared in
            let seen = shared.lease.seen
            switch shared.lease.standing(at: now) {
            case .leading(let epoch):
                return LeaseStatus(standing: "leading", holder: settings.holder, epoch: epoch, fault: shared.fault)
            case .alone(let epoch):
                return LeaseStatus(standing: "alone", holder: settings.holder, epoch: epoch, fault: shared.fault)
            case .none:
                return LeaseStatus(
                    standing: seen == nil ? "unknown" : "standby", holder: seen?.holder ?? "", epoch: seen?.epoch ?? 0,
                    fault: shared.fault)
            }
        }
    }

    /// Has `listener` called whenever the standing may have changed; to be called before ``start()``, or for a new
    /// plan.
    public func listen(_ listener: @escaping @Sendable () -> Void) {
        listeners.withLock { $0.append(listener) }
    }

    /// A journal of this node goes up to `epoch`: what this node takes must be above it.
    public func knows(epoch: UInt64) {
        shared.withLock { $0.floor = max($0.floor, epoch) }
    }

    /// Brings `record` of `plan` to the database, sooner or later; a later record takes its place.
    public func keep(_ payload: [UInt8], of plan: String, epoch: UInt64) {
        shared.withLock { $0.waiting[plan] = (payload, epoch) }
        wake.send(())
    }

    /// Starts the thread. To be called once.
    public func start() throws(WorkerThread.StartError) {
        let worker = try WorkerThread("lease") { [self] in run() }
        thread.withLock { $0 = worker }
    }

    /// Brings what is left to the database and gives the lease back, if the database answers.
    public func stop() {
        wake.close()
        thread.withLock { $0.take() }?.join()
        release()
    }

    /// This node can act no more before it is started again: another one is to take its place.
    public func resign() {
        shared.withLock { $0.isResigned = true }
        wake.send(())
    }

    /// Gives the lease back when everything that was journalled is in the database; otherwise it runs out.
    private func release() {
        guard case .leading(let epoch) = standing else { return }
        flush()
        guard shared.withLock({ $0.waiting.isEmpty }) else { return }
        do throws(LeaseFault) {
            try settings.store.release(holder: settings.holder, epoch: epoch)
        } catch {
            logger.warn("the lease could not be given back; others wait until it is over", ["error": error])
        }
    }

    /// Ends this node's part in the lease, if it wants so. Returns whether it does.
    private func leave() -> Bool {
        guard shared.withLock(\.isResigned) else { return false }
        release()
        let now = SystemClock.bootNanoseconds()
        shared.withLock { $0.lease.answered(.refused, asked: now, at: now) }
        tell()
        return true
    }

    // MARK: the thread

    private func run() {
        while true {
            // What ran out while nobody looked is told before it is renewed.
            tell()
            if leave() { return }
            ask()
            tell()
            flush()
            let now = SystemClock.bootNanoseconds()
            // What can be taken is taken at once, but a database that does not answer is not asked without a pause.
            let pause = shared.withLock { shared in
                shared.fault == nil && shared.lease.isUrgent(at: now) ? 0 : shared.lease.interval
            }
            let deadline = SystemClock.monotonicNanoseconds() + pause
            while true {
                switch wake.receive(deadline: deadline) {
                case .message:
                    if leave() { return }
                    flush()
                    continue
                case .timedOut: break
                case .closed: return
                }
                break
            }
        }
    }

    private func ask() {
        let asked = SystemClock.bootNanoseconds()
        let (question, floor) = shared.withLock { ($0.lease.question(at: asked), $0.floor) }
        var handOver: HandOver?
        var fault: String?
        let answer: Lease.Answer
        do throws(LeaseFault) {
            switch question {
            case .look: answer = .seen(try settings.store.look())
            case .renew(let epoch):
                let isOurs = try settings.store.renew(
                    holder: settings.holder, epoch: epoch, milliseconds: settings.milliseconds)
                answer = isOurs ? .ours(epoch: epoch) : .refused
            case .take(let sighting):
                let epoch = try settings.store.take(
                    sighting, holder: settings.holder, milliseconds: settings.milliseconds, above: floor)
                if let epoch {
                    // Without what the one before left nothing may be done: then it is taken once more.
                    handOver = HandOver(
                        records: try settings.store.records(),
                        leader: sighting.holder.isEmpty ? nil : sighting.epoch)
                    answer = .ours(epoch: epoch)
                } else {
                    answer = .refused
                }
            }
        } catch {
            answer = .unreachable
            fault = error.description
        }
        let isNews = shared.withLock { shared in
            shared.lease.answered(answer, asked: asked, at: SystemClock.bootNanoseconds())
            if let handOver { shared.handOver = handOver }
            defer { shared.fault = fault }
            return fault != nil && shared.fault == nil
        }
        if isNews { logger.warn("the lease's database does not answer", ["error": fault ?? ""]) }
    }

    /// Tells those who listen when the standing has changed.
    private func tell() {
        let standing = standing
        let isNews = shared.withLock { shared in
            defer { shared.told = standing }
            return shared.told != standing
        }
        guard isNews else { return }
        switch standing {
        case .none: logger.warn("this node does not hold the lease: it only watches", [:])
        case .alone(let epoch): logger.warn("the lease cannot be renewed: only rollbacks go on", ["epoch": epoch])
        case .leading(let epoch): logger.info("this node holds the lease", ["epoch": epoch])
        }
        for listener in listeners.withLock({ $0 }) { listener() }
        settings.onChange(standing)
    }

    /// Brings the records that wait to the database. What fails waits for the next round.
    private func flush() {
        guard case .leading(let current) = standing else { return }
        for (plan, record) in shared.withLock(\.waiting) {
            guard record.epoch == current else {
                // Of an earlier term of this node: whoever led since may have written something newer.
                drop(plan, record)
                continue
            }
            do throws(LeaseFault) {
                let isKept = try settings.store.keep(
                    record.payload, plan: plan, holder: settings.holder, epoch: record.epoch)
                guard isKept else { return }
                drop(plan, record)
            } catch {
                return
            }
        }
    }

    private func drop(_ plan: String, _ record: (payload: [UInt8], epoch: UInt64)) {
        shared.withLock { shared in
            if let waiting = shared.waiting[plan], waiting.payload == record.payload, waiting.epoch == record.epoch {
                shared.waiting[plan] = nil
            }
        }
    }
}
