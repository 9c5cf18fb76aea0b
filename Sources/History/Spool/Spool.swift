internal import Glibc
internal import Runtime
internal import Synchronization

/// A queue on disk between those who have something to record and the database. Any thread may append.
///
/// Records are written and synced by one thread, as many at once as have gathered. Nothing is dropped because the spool is long
/// or the disk full: what cannot be written waits in memory and is tried again, and ``State`` says so.
final class Spool: Sendable {
    struct State: Equatable, Sendable {
        /// The last record on disk.
        var durable: UInt64 = 0
        /// The last record accepted.
        var accepted: UInt64 = 0
        /// Bytes that wait in memory for the disk.
        var pendingBytes = 0
        /// First sequences of the segments, ascending.
        var segments: [UInt64] = []
        /// Bytes on disk, segments not yet discarded.
        var bytes = 0
        /// Why the last write failed; `nil` after one that succeeded.
        var failure: String?
    }

    private struct Shared {
        var state = State()
        var pending: [UInt8] = []
        var waiting: [(sequence: UInt64, reply: Mailbox<Bool>)] = []
        var isClosed = false
    }

    let directory: SpoolDirectory
    /// Records that were damaged on disk before this start.
    let lost: [ClosedRange<UInt64>]
    private let shared: Mutex<Shared>
    private let wake = Mailbox<Void>(capacity: 1)
    private let thread = Mutex<WorkerThread?>(nil)
    private let logger: Logger
    private let onDurable: @Sendable () -> Void

    /// Opens the spool in `directory`.
    ///
    /// - Parameter onDurable: called on the spool's thread after records have reached the disk.
    init(
        directory: SpoolDirectory, segmentBytes: Int, device: SpoolDevice = .system, logger: Logger,
        onDurable: @escaping @Sendable () -> Void
    ) throws(HistoryError) {
        // Handed to the thread, which owns it from then on.
        nonisolated(unsafe) let writer = SpoolWriter(directory: directory, segmentBytes: segmentBytes, device: device)
        let recovery = unsafe try writer.recover()
        self.directory = directory
        self.logger = logger
        self.onDurable = onDurable
        lost = recovery.lost
        if recovery.cut > 0 { logger.warn("the spool ended in a torn record, now cut off", ["bytes": recovery.cut]) }
        shared = Mutex(
            Shared(
                state: State(
                    durable: recovery.next - 1, accepted: recovery.next - 1, segments: recovery.segments,
                    bytes: recovery.bytes)))
        let started = WorkerThread("spool") { [self] in unsafe run(writer) }
        guard started.didStart else { throw HistoryError(.file, "the system has no thread for the spool") }
        thread.withLock { $0 = started }
    }

    /// How things stand.
    var state: State { shared.withLock { $0.state } }

    /// Takes a record and returns its sequence; `nil` once the spool is closed. Never blocks on the disk.
    @discardableResult
    func append(_ payload: [UInt8], reply: Mailbox<Bool>? = nil) -> UInt64? {
        let sequence = shared.withLock { shared -> UInt64? in
            if shared.isClosed { return nil }
            let sequence = shared.state.accepted + 1
            shared.pending += SpoolSegment.encode(payload, sequence: sequence)
            shared.state.accepted = sequence
            shared.state.pendingBytes = shared.pending.count
            if let reply { shared.waiting.append((sequence, reply)) }
            return sequence
        }
        wake.send(())
        return sequence
    }

    /// Deletes segments that hold no record after `sequence`. The newest stays, for its name carries the sequence on.
    func discard(through sequence: UInt64) {
        let obsolete = shared.withLock { shared -> [UInt64] in
            let segments = shared.state.segments
            let count = zip(segments, segments.dropFirst()).prefix { $0.1 <= sequence + 1 }.count
            shared.state.segments.removeFirst(count)
            return Array(segments.prefix(count))
        }
        for first in obsolete {
            let path = directory.path(ofSegment: first)
            var information = stat()
            let size = unsafe stat(path, &information) == 0 ? Int(information.st_size) : 0
            // One that stays is found again at the next start, and its records are known to be applied.
            unsafe unlink(path)
            shared.withLock { $0.state.bytes -= size }
        }
    }

    /// Writes what was accepted, as far as the disk takes it, and ends the thread.
    func close() {
        shared.withLock { $0.isClosed = true }
        wake.close()
        thread.withLock { $0.take() }?.join()
    }

    private func run(_ writer: SpoolWriter) {
        var retryAt: Int64?
        while true {
            switch wake.receive(deadline: retryAt) {
            case .message, .timedOut:
                retryAt = flush(writer) ? nil : SystemClock.monotonicNanoseconds() + 500_000_000
            case .closed:
                _ = flush(writer)
                let abandoned = shared.withLock { shared in
                    defer { shared.waiting = [] }
                    return shared.waiting
                }
                for (_, reply) in abandoned { reply.send(false) }
                return
            }
        }
    }

    /// Brings everything pending to the disk. Returns false where the disk refuses.
    private func flush(_ writer: SpoolWriter) -> Bool {
        let (pending, state) = shared.withLock { ($0.pending, $0.state) }
        if pending.isEmpty { return true }
        do {
            let begun = try writer.write(pending, first: state.durable + 1)
            let settled = shared.withLock { shared -> [Mailbox<Bool>] in
                shared.pending.removeFirst(pending.count)
                shared.state.pendingBytes = shared.pending.count
                shared.state.durable = state.accepted
                shared.state.failure = nil
                shared.state.bytes += pending.count + (begun == nil ? 0 : SpoolSegment.headerByteCount)
                if let begun, shared.state.segments.last != begun { shared.state.segments.append(begun) }
                let settled = shared.waiting.prefix { $0.sequence <= state.accepted }
                shared.waiting.removeFirst(settled.count)
                return settled.map(\.reply)
            }
            if state.failure != nil { logger.info("the spool can be written again") }
            for reply in settled { reply.send(true) }
            onDurable()
            return true
        } catch {
            shared.withLock { $0.state.failure = error.message }
            if state.failure != error.message {
                logger.error("the spool cannot be written; trying again", ["err": error.message])
            }
            return false
        }
    }
}
