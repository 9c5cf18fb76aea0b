public import Instrumentation
internal import MetricModel
public import Runtime
internal import Synchronization

/// Maintains the lease: sends the machine's requests to the database, and stores the last journal records there.
///
/// Any thread may read the standing. It is checked again before every action and every router operation, because a
/// process can be suspended between any two instructions. An operation that is sent too late carries an old epoch.
public final class LeaseRunner: Sendable {
    private struct Shared {
        var lease: Lease
        var handOver: HandOver?
        /// The last records of the holder, by plan, as this node has seen them while it stands by.
        var seenRecords: [String: [UInt8]] = [:]
        var fault: String?
        /// Records that are not in the database yet; at most one per plan.
        var waiting: [String: Record] = [:]
        /// The highest epoch in any journal of this node.
        var floor: UInt64 = 0
        /// Whether this node is about to give the lease back, to leave it to others.
        var isYielding = false
        /// The standing that listeners were last notified of.
        var notified = Lease.Standing.none
    }

    /// The last record of a plan.
    public struct Record: Sendable {
        /// The fencing number under which it was made.
        public var epoch: UInt64
        /// Counts the records of a plan in one process.
        public var number: UInt64
        /// Encodes it; called on the lease's thread.
        public var payload: @Sendable () -> [UInt8]
        /// Called on the lease's thread when the database has it.
        public var onStored: @Sendable () -> Void

        /// A record that is encoded when it is stored.
        public init(
            epoch: UInt64, number: UInt64, payload: @escaping @Sendable () -> [UInt8],
            onStored: @escaping @Sendable () -> Void = {}
        ) {
            self.epoch = epoch
            self.number = number
            self.payload = payload
            self.onStored = onStored
        }
    }

    private let settings: LeaseSettings
    private let logger: Logger
    private let shared: Mutex<Shared>
    private let wake = Mailbox<Void>(capacity: 1)
    private let listeners = Mutex<[@Sendable () -> Void]>([])
    private let thread = Mutex<WorkerThread?>(nil)

    /// A lease that is neither requested nor held before ``start()``.
    public init(_ settings: LeaseSettings, logger: Logger, registry: Registry) {
        self.settings = settings
        self.logger = logger.with("component", "lease")
        shared = Mutex(
            Shared(lease: Lease(holder: settings.holder, duration: Milliseconds(rawValue: settings.milliseconds))))
        let holder = registry.gauge(
            "tribune_lease_holder", "Whether this node holds the lease and may send operations to routers.")
        let alone = registry.gauge(
            "tribune_lease_alone", "Whether the lease could not be renewed in time, so that only rollbacks continue.")
        let epoch = registry.gauge("tribune_lease_epoch", "The last epoch of the lease that this node knows.")
        registry.onSnapshot { [weak self] in
            guard let self else { return }
            let standing = standing
            if case .none = standing { holder.set(0) } else { holder.set(1) }
            if case .alone = standing { alone.set(1) } else { alone.set(0) }
            epoch.set(Double(status.epoch))
        }
    }

    /// The current permissions of this node.
    public var standing: Lease.Standing { shared.withLock { $0.lease.standing(at: SystemClock.bootNanoseconds()) } }

    /// The state that this node found when it took the lease; `nil` before it has.
    public var handOver: HandOver? { shared.withLock(\.handOver) }

    /// The last journal record of `plan` by another node that holds the lease, for display; `nil` while this node holds
    /// it, or none has been seen.
    public func recordOfLeader(_ plan: String) -> [UInt8]? {
        let now = SystemClock.bootNanoseconds()
        return shared.withLock { $0.lease.standing(at: now) == .none ? $0.seenRecords[plan] : nil }
    }

    /// The state of the lease, for display.
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

    /// Calls `listener` whenever the standing may have changed. Call it before ``start()``, or for a new plan.
    public func listen(_ listener: @escaping @Sendable () -> Void) {
        listeners.withLock { $0.append(listener) }
    }

    /// Reports that a journal of this node contains `epoch`. The next epoch of this node must be higher.
    public func knows(epoch: UInt64) {
        shared.withLock { $0.floor = max($0.floor, epoch) }
    }

    /// Queues `record` of `plan` for the database. A later record replaces it.
    public func keep(_ record: Record, of plan: String) {
        shared.withLock { $0.waiting[plan] = record }
        wake.send(())
    }

    /// Starts the thread. Call it once.
    public func start() throws(WorkerThread.StartError) {
        let worker = try WorkerThread("lease") { [self] in run() }
        thread.withLock { $0 = worker }
    }

    /// Stores the queued records and releases the lease, if the database responds.
    public func stop() {
        wake.close()
        thread.withLock { $0.take() }?.join()
        release()
    }

    /// This node's disk is broken: gives the lease back for others to take. This node takes it again only if nobody
    /// else does.
    public func yield() {
        shared.withLock { shared in
            shared.isYielding = true
            shared.lease.isReluctant = true
        }
        wake.send(())
    }

    /// Ends ``yield()``: this node is as good as the others again.
    public func compete() {
        shared.withLock { shared in
            shared.isYielding = false
            shared.lease.isReluctant = false
        }
        wake.send(())
    }

    /// Releases the lease if every journal record is in the database. Otherwise it expires.
    private func release() {
        guard case .leading(let epoch) = standing else { return }
        flush()
        guard shared.withLock({ $0.waiting.isEmpty }) else { return }
        do throws(LeaseFault) {
            try settings.store.release(holder: settings.holder, epoch: epoch)
        } catch {
            logger.warn("lease not released; other nodes wait until it expires", ["error": error])
        }
    }

    /// Gives the lease back if this node yields it. Without its last records in the database it just stops renewing
    /// it, so that the next holder knows that records are missing.
    private func yieldIfAsked() {
        let isAsked = shared.withLock { shared in
            defer { shared.isYielding = false }
            return shared.isYielding
        }
        guard isAsked, standing != .none else { return }
        release()
        let now = SystemClock.bootNanoseconds()
        shared.withLock { $0.lease.received(.refused, requestedAt: now, at: now) }
        notifyListeners()
    }

    // MARK: the thread

    private func run() {
        while true {
            // An expiry that was not noticed is reported before the lease is renewed.
            notifyListeners()
            yieldIfAsked()
            sendRequest()
            notifyListeners()
            flush()
            let now = SystemClock.bootNanoseconds()
            // A lease that can be taken is taken immediately, but an unavailable database is polled with pauses.
            let pause = shared.withLock { shared in
                shared.fault == nil && shared.lease.isUrgent(at: now) ? 0 : shared.lease.interval
            }
            let deadline = SystemClock.monotonicNanoseconds() + pause
            while true {
                switch wake.receive(deadline: deadline) {
                case .message:
                    yieldIfAsked()
                    flush()
                    continue
                case .timedOut: break
                case .closed: return
                }
                break
            }
        }
    }

    private func sendRequest() {
        let asked = SystemClock.bootNanoseconds()
        let (request, floor) = shared.withLock { ($0.lease.request(at: asked), $0.floor) }
        var handOver: HandOver?
        var seen: [String: [UInt8]] = [:]
        var fault: String?
        let reply: Lease.Reply
        do throws(LeaseFault) {
            switch request {
            case .look:
                let sighting = try settings.store.look()
                if !sighting.holder.isEmpty { seen = try settings.store.records() }
                reply = .seen(sighting)
            case .renew(let epoch):
                let isOurs = try settings.store.renew(
                    holder: settings.holder, epoch: epoch, milliseconds: settings.milliseconds)
                reply = isOurs ? .ours(epoch: epoch) : .refused
            case .take(let sighting):
                let epoch = try settings.store.take(
                    sighting, holder: settings.holder, milliseconds: settings.milliseconds, above: floor)
                if let epoch {
                    // Without the previous holder's records nothing may be done, so they are requested again.
                    handOver = HandOver(
                        records: try settings.store.records(),
                        leader: sighting.holder.isEmpty ? nil : sighting.epoch)
                    reply = .ours(epoch: epoch)
                } else {
                    reply = .refused
                }
            }
        } catch {
            reply = .unreachable
            fault = error.description
        }
        let isNew = shared.withLock { shared in
            shared.lease.received(reply, requestedAt: asked, at: SystemClock.bootNanoseconds())
            if let handOver { shared.handOver = handOver }
            // While the database is away, what was seen last is shown.
            if reply != .unreachable { shared.seenRecords = seen }
            defer { shared.fault = fault }
            return fault != nil && shared.fault == nil
        }
        if isNew { logger.warn("lease database does not respond", ["error": fault ?? ""]) }
    }

    /// Notifies the listeners if the standing has changed.
    private func notifyListeners() {
        let standing = standing
        let isNew = shared.withLock { shared in
            defer { shared.notified = standing }
            return shared.notified != standing
        }
        guard isNew else { return }
        switch standing {
        case .none: logger.warn("lease not held, standing by", [:])
        case .alone(let epoch): logger.warn("lease not renewed, only rollbacks continue", ["epoch": epoch])
        case .leading(let epoch): logger.info("lease held", ["epoch": epoch])
        }
        for listener in listeners.withLock({ $0 }) { listener() }
        settings.onChange(standing)
    }

    /// Stores the queued records in the database. Failed ones are retried in the next round.
    private func flush() {
        guard case .leading(let current) = standing else { return }
        for (plan, record) in shared.withLock(\.waiting) {
            guard record.epoch == current else {
                // From an earlier term of this node: a later leader may have written a newer one.
                drop(plan, record)
                continue
            }
            do throws(LeaseFault) {
                let isKept = try settings.store.keep(
                    record.payload(), plan: plan, holder: settings.holder, epoch: record.epoch)
                guard isKept else { return }
                drop(plan, record)
                record.onStored()
            } catch {
                return
            }
        }
    }

    private func drop(_ plan: String, _ record: Record) {
        shared.withLock { shared in
            if let waiting = shared.waiting[plan], waiting.number == record.number, waiting.epoch == record.epoch {
                shared.waiting[plan] = nil
            }
        }
    }
}
