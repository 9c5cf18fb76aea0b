internal import Durable
public import Instrumentation
internal import JSON
internal import MetricModel
public import Runtime
internal import Synchronization

/// The shell around ``SilenceSet``: stores it in a file and reports every change.
///
/// May be called from any thread. Changes wait for the disk; reads do not.
public final class SilenceRunner: Sendable {
    /// An event about a silence, for the record.
    public enum Report: Sendable {
        /// It was active or pending when this process started.
        case kept(Silence)
        /// It changed. `actor` is the user who changed it; `nil` if it ended.
        case changed(SilenceSet.Change, actor: String?)
    }

    private let path: String
    private let logger: Logger
    private let report: @Sendable (Report) -> Void
    private let current: Mutex<SilenceSet>
    /// Locked while the file is written, so that it never returns to an older state.
    private let writing = Mutex<Void>(())
    private let failures: Counter
    private let localChange = ReplaceableClosure<Void> {}
    /// Shared silences that could not be read, with the time of their change.
    private let refused = Mutex<[String: Int64]>([:])

    /// Reads the file at `path`. A file without valid silences is renamed with a log message, and there are none.
    ///
    /// - Parameter report: called for each change after it is effective, on the thread that made it; may wait.
    public init(
        path: String, limits: SilenceSet.Limits = .init(), logger: Logger, registry: Registry,
        report: @escaping @Sendable (Report) -> Void
    ) {
        self.path = path
        self.logger = logger.with("component", "silences")
        self.report = report
        failures = registry.counter(
            "tribune_silences_write_failures_total",
            "Changes of silences that were refused because their file was not written.")
        let kept = Self.read(path, limits, self.logger)
        current = Mutex(kept)
        let gauges = Silence.State.allCases.map { state in
            (state, registry.gauge("tribune_silences", "Silences by state.", labels: ["state": state.rawValue]))
        }
        registry.onSnapshot { [weak self] in
            guard let self else { return }
            let now = Self.now
            let all = silences.all
            for (state, gauge) in gauges { gauge.set(Double(all.count { $0.state(at: now) == state })) }
        }
        for silence in kept.all.sorted(by: { $0.id < $1.id }) where silence.state(at: Self.now) != .expired {
            report(.kept(silence))
        }
    }

    /// The current silences.
    public var silences: SilenceSet { current.withLock { $0 } }

    /// Adds or changes a silence; see ``SilenceSet/set(_:newID:at:)``. Returns its id when it is on disk.
    public func set(_ wanted: Silence, by actor: String) -> Result<String, SilenceError> {
        change(by: actor) { (set, now) throws(SilenceError) in try set.set(wanted, newID: Self.newID(), at: now) }
    }

    /// Ends a silence. Returns when it is on disk.
    public func expire(_ id: String, by actor: String) -> Result<String, SilenceError> {
        change(by: actor) { (set, now) throws(SilenceError) in (id, try set.expire(id, at: now)) }
    }

    /// Time has passed. Call it about every second.
    public func advance() {
        var next = silences
        _ = next.advanced(to: Self.now)
        guard next != silences else { return }
        _ = change(by: nil) { (set, now) throws(SilenceError) in ("", set.advanced(to: now)) }
    }

    private func change(
        by actor: String?,
        _ step: (inout SilenceSet, Timestamp) throws(SilenceError) -> (id: String, changes: [SilenceSet.Change])
    ) -> Result<String, SilenceError> {
        let outcome: Result<(id: String, changes: [SilenceSet.Change]), SilenceError> = writing.withLock { _ in
            let before = silences
            var next = before
            do throws(SilenceError) {
                let done = try step(&next, Self.now)
                if next != before {
                    do throws(DurableError) {
                        try DurableFile.replace(path, by: next.stored.encoded)
                    } catch {
                        failures.add()
                        throw SilenceError(.storage, error.description)
                    }
                    current.withLock { $0 = next }
                }
                return .success(done)
            } catch {
                return .failure(error)
            }
        }
        switch outcome {
        case .success(let done):
            for change in done.changes { report(.changed(change, actor: actor)) }
            if actor != nil, !done.changes.isEmpty { localChange() }
            return .success(done.id)
        case .failure(let error):
            if error.code == .storage { logger.error("cannot change silence", ["error": error.reason]) }
            return .failure(error)
        }
    }

    // MARK: Sharing

    /// Has `action` called after each change that a user made here. It must not wait.
    func onLocalChange(_ action: @escaping @Sendable () -> Void) { localChange.replace(by: action) }

    /// Takes over silences of other nodes that are newer than those here. They are not reported: the node where a user
    /// changed them has done so.
    func merge(_ entries: [SilenceSet.Entry]) {
        _ = change(by: nil) { (set, _) throws(SilenceError) in
            for entry in entries { set.merge(entry) }
            return ("", [])
        }
    }

    /// Whether the shared silence was unreadable when it was last changed.
    func isRefused(_ id: String, _ updated: Int64) -> Bool { refused.withLock { $0[id] == updated } }

    /// Notes that a shared silence is unreadable.
    func refuse(_ id: String, _ updated: Int64, _ reason: String) {
        refused.withLock { $0[id] = updated }
        logger.error("cannot read a silence of another node", ["id": id, "error": reason])
    }

    static var now: Timestamp { Timestamp(milliseconds: SystemClock.wallMilliseconds()) }

    private static func read(_ path: String, _ limits: SilenceSet.Limits, _ logger: Logger) -> SilenceSet {
        guard Paths.exists(path) else { return SilenceSet(limits: limits) }
        let reason: String
        do {
            return try SilenceSet(stored: JSON(parsing: FileText.bytes(path, limit: 256 << 20)), limits: limits)
        } catch {
            reason = "\(error)"
        }
        let aside = "\(path).damaged"
        Paths.move(path, to: aside)
        logger.error("cannot read silences, starting without any", ["error": reason, "kept": aside])
        return SilenceSet(limits: limits)
    }

    /// A random UUID (version 4), which clients of Alertmanager expect.
    private static func newID() -> String {
        var high = UInt64.random(in: 0 ... .max)
        var low = UInt64.random(in: 0 ... .max)
        high = high & ~0xf000 | 0x4000
        low = low & ~(0b11 << 62) | 0b10 << 62
        func hex(_ value: UInt64, _ digits: Int) -> String {
            let text = String(value, radix: 16)
            return String(repeating: "0", count: digits - text.count) + text
        }
        return [
            hex(high >> 32, 8), hex(high >> 16 & 0xffff, 4), hex(high & 0xffff, 4), hex(low >> 48, 4),
            hex(low & 0xffff_ffff_ffff, 12),
        ].joined(separator: "-")
    }
}
