internal import Durable
internal import Glibc
internal import Runtime
internal import Synchronization

/// A queue on disk between the engines and the database. Any thread may append.
///
/// One thread writes and syncs the records, many at once. Nothing is dropped because the spool is long or the disk is
/// full: records that cannot be written wait in memory and are retried, and ``State`` shows it.
final class Spool: Sendable {
    struct State: Equatable, Sendable {
        /// The last record on disk.
        var durable: UInt64 = 0
        /// The last record accepted.
        var accepted: UInt64 = 0
        /// Bytes in memory that wait for the disk.
        var pendingBytes = 0
        /// First sequences of the segments, ascending.
        var segments: [UInt64] = []
        /// Bytes on disk, segments not yet discarded.
        var bytes = 0
        /// The error of the last write; `nil` after a successful one.
        var failure: String?
    }

    fileprivate struct Shared {
        var state = State()
        /// Encoded records that are not on disk; those before `written` are.
        var pending: [[UInt8]] = []
        var written = 0
        /// Failed attempts since the failure was logged.
        var repeats = 0
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
        // Passed to the thread, which owns it from then on.
        nonisolated(unsafe) let writer = SpoolWriter(directory: directory, segmentBytes: segmentBytes, device: device)
        let recovery = unsafe try writer.recover()
        self.directory = directory
        self.logger = logger
        self.onDurable = onDurable
        lost = recovery.lost
        if recovery.cut > 0 { logger.warn("torn record cut off the spool", ["bytes": recovery.cut]) }
        shared = Mutex(
            Shared(
                state: State(
                    durable: recovery.next - 1, accepted: recovery.next - 1, segments: recovery.segments,
                    bytes: recovery.bytes)))
        do throws(WorkerThread.StartError) {
            let started = try WorkerThread("spool") { [self] in unsafe run(writer) }
            thread.withLock { $0 = started }
        } catch {
            throw HistoryError(error)
        }
    }

    /// Positions and sizes.
    var state: State { shared.withLock { $0.state } }

    /// The first broken invariant of the state in memory; `nil` while all hold.
    var invariantProblem: String? { shared.withLock(\.problem) }

    /// Accepts a record and returns its sequence; `nil` after the spool is closed. Never blocks on the disk.
    @discardableResult
    func append(_ payload: [UInt8], reply: Mailbox<Bool>? = nil) -> UInt64? {
        let sequence = shared.withLock { shared -> UInt64? in
            if shared.isClosed { return nil }
            let sequence = shared.state.accepted + 1
            let record = RecordFrame.encode(payload, sequence: sequence)
            shared.state.accepted = sequence
            shared.state.pendingBytes += record.count
            shared.pending.append(record)
            if let reply { shared.waiting.append((sequence, reply)) }
            return sequence
        }
        wake.send(())
        return sequence
    }

    /// Accepts records that belong together, in order. Returns false after the spool is closed. Never blocks on the
    /// disk.
    func append(_ payloads: [[UInt8]]) -> Bool {
        let isOpen = shared.withLock { shared -> Bool in
            if shared.isClosed { return false }
            for payload in payloads {
                shared.state.accepted += 1
                let record = RecordFrame.encode(payload, sequence: shared.state.accepted)
                shared.state.pendingBytes += record.count
                shared.pending.append(record)
            }
            return true
        }
        wake.send(())
        return isOpen
    }

    /// Deletes old segments without a record after `sequence`. The newest one stays, because its name has the next
    /// sequence, and so do the newest `kept` bytes of the others, to repair a database that lost their records.
    func discard(through sequence: UInt64, keeping kept: Int = 0) {
        directory.delivered.store(sequence, ordering: .relaxed)
        let segments = state.segments
        let applied = zip(segments, segments.dropFirst()).prefix { $0.1 <= sequence + 1 }.map(\.0)
        if applied.isEmpty { return }
        var room = kept
        var obsolete = 0
        for (index, size) in applied.map(size(ofSegment:)).enumerated().reversed() {
            room -= size
            if room < 0 {
                obsolete = index + 1
                break
            }
        }
        for first in applied.prefix(obsolete) {
            let size = size(ofSegment: first)
            // A segment that cannot be removed is found at the next start; its records are known to be applied.
            unsafe unlink(directory.path(ofSegment: first))
            shared.withLock { shared in
                shared.state.bytes -= size
                shared.state.segments.removeAll { $0 == first }
            }
        }
    }

    private func size(ofSegment first: UInt64) -> Int {
        var information = stat()
        return unsafe stat(directory.path(ofSegment: first), &information) == 0 ? Int(information.st_size) : 0
    }

    /// The last record that is in a database.
    var delivered: UInt64 { directory.delivered.load(ordering: .relaxed) }

    /// Writes the accepted records, if the disk accepts them, and ends the thread.
    func close() {
        shared.withLock { $0.isClosed = true }
        wake.close()
        thread.withLock { $0.take() }?.join()
        directory.keepDelivered()
    }

    /// The time between two writes, in which records are collected for the second one.
    private static let collectionNanoseconds: Int64 = 3_000_000

    private func run(_ writer: SpoolWriter) {
        var retryAt: Int64?
        var writtenAt: Int64 = .min / 2
        while true {
            switch wake.receive(deadline: retryAt) {
            case .message, .timedOut:
                let wait = writtenAt + Self.collectionNanoseconds - SystemClock.monotonicNanoseconds()
                if wait > 0 { usleep(UInt32(wait / 1000)) }
                retryAt = flush(writer) ? nil : SystemClock.monotonicNanoseconds() + 500_000_000
                writtenAt = SystemClock.monotonicNanoseconds()
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

    /// Limits of the bytes in one write; smaller after a failure, so that a disk with little space accepts some
    /// records.
    private static let writeLimits = (usual: 4 << 20, afterFailure: 64 << 10)

    /// Writes all pending records to disk. Returns false if the disk refuses.
    private func flush(_ writer: SpoolWriter) -> Bool {
        while true {
            let (bytes, count, state) = shared.withLock { shared -> ([UInt8], Int, State) in
                let limit = shared.state.failure == nil ? Self.writeLimits.usual : Self.writeLimits.afterFailure
                var bytes: [UInt8] = []
                var index = shared.written
                while index < shared.pending.count, bytes.isEmpty || bytes.count + shared.pending[index].count <= limit
                {
                    bytes += shared.pending[index]
                    index += 1
                }
                return (bytes, index - shared.written, shared.state)
            }
            if count == 0 { return true }
            do {
                let begun = try writer.write(bytes, first: state.durable + 1)
                settle(count, bytes.count, begun: begun)
                if state.failure != nil { logger.info("the spool can be written again") }
                onDurable()
            } catch {
                report(error)
                return false
            }
        }
    }

    private func settle(_ count: Int, _ bytes: Int, begun: UInt64?) {
        let settled = shared.withLock { shared -> [Mailbox<Bool>] in
            shared.written += count
            if shared.written == shared.pending.count || shared.written > 4096 {
                shared.pending.removeFirst(shared.written)
                shared.written = 0
            }
            shared.state.pendingBytes -= bytes
            shared.state.durable += UInt64(count)
            shared.state.failure = nil
            shared.state.bytes += bytes + (begun == nil ? 0 : SpoolSegment.headerByteCount)
            if let begun, shared.state.segments.last != begun { shared.state.segments.append(begun) }
            let settled = shared.waiting.prefix { $0.sequence <= shared.state.durable }
            shared.waiting.removeFirst(settled.count)
            assert(shared.problem == nil, shared.problem ?? "")
            return settled.map(\.reply)
        }
        for reply in settled { reply.send(true) }
    }

    /// Logs a failure once, and how often it came again when it changes.
    private func report(_ error: HistoryError) {
        let (isNews, repeats) = shared.withLock { shared in
            let isNews = shared.state.failure != error.message
            defer {
                shared.state.failure = error.message
                shared.repeats = isNews ? 0 : shared.repeats + 1
            }
            return (isNews, shared.repeats)
        }
        guard isNews else { return }
        if repeats > 0 { logger.warn("previous spool failure repeated", ["count": repeats]) }
        logger.error("spool not written, retrying", ["error": error.message])
    }
}

extension Spool.Shared {
    /// The first broken invariant; `nil` while all hold.
    fileprivate var problem: String? { state.problem(pending: pending.count - written) }
}
