internal import Instrumentation
internal import Rollback
internal import Runtime
internal import Synchronization

/// The thread that writes the journal of one plan, so that nothing else waits for the disk.
///
/// Each record has the whole state, so only the last one that waits is written. After a failure the whole state is
/// written to a new file, again and again until that succeeds.
final class JournalWriter: Sendable {
    /// The outcome of records.
    enum Outcome: Sendable {
        /// The record with this number is on disk, so that no earlier one is needed.
        case stored(UInt64)
        /// The first failure after a success.
        case failed(String)
    }

    /// The journal until the thread has it, which closes it at its end.
    private let start: Mutex<Journal?>
    private let logger: Logger
    private let duration: Histogram
    private let tell: @Sendable (Outcome) -> Void
    private let afterStep: (@Sendable (String) -> Void)?
    private let next = Mutex<JournalRecord?>(nil)
    private let wake = Mailbox<Void>(capacity: 1)
    private let end = Mailbox<Void>(capacity: 1)
    private let thread = Mutex<WorkerThread?>(nil)

    /// A writer of `journal`, which no other code may use from now on. Nothing is written before ``run()``.
    ///
    /// - Parameter tell: called from the writer's thread.
    init(
        _ journal: Journal, logger: Logger, duration: Histogram, afterStep: (@Sendable (String) -> Void)? = nil,
        tell: @escaping @Sendable (Outcome) -> Void
    ) {
        start = Mutex(journal)
        self.logger = logger
        self.duration = duration
        self.afterStep = afterStep
        self.tell = tell
    }

    /// Starts the thread. Must be called once.
    func run() throws(WorkerThread.StartError) {
        guard let journal = start.withLock({ $0.take() }) else { return }
        let worker = try WorkerThread("journal") { [self] in
            run(journal)
            end.send(())
        }
        thread.withLock { $0 = worker }
    }

    /// Has `record` written. Never blocks.
    func write(_ record: JournalRecord) {
        next.withLock { $0 = record }
        wake.send(())
    }

    /// Ends the thread when the last record is written, has failed, or has taken `seconds`: a disk that hangs must not
    /// keep the process from ending. The thread is then left alone.
    func stop(seconds: Int64 = 5) {
        wake.close()
        guard let thread = thread.withLock({ $0.take() }) else { return }
        let deadline = SystemClock.monotonicNanoseconds() + seconds * 1_000_000_000
        guard case .message = end.receive(deadline: deadline) else {
            return logger.error("the disk does not answer, the last record may not be in the journal", [:])
        }
        thread.join()
    }

    private func run(_ journal: Journal) {
        while true {
            if let record = next.withLock({ $0.take() }) {
                guard write(record, to: journal) || writeAgain(record, to: journal) else { return }
                continue
            }
            guard case .message = wake.receive() else { break }
        }
    }

    /// Writes the last record to a new file until that succeeds. Returns false if the thread has to end before.
    private func writeAgain(_ failed: JournalRecord, to journal: Journal) -> Bool {
        var record = failed
        var pause: Int64 = 250_000_000
        while true {
            let deadline = SystemClock.monotonicNanoseconds() + pause
            // Records that arrive do not shorten the pause.
            while case .message = wake.receive(deadline: deadline) {}
            if let newer = next.withLock({ $0.take() }) { record = newer }
            if write(record, to: journal, isAgain: true) { return true }
            if wake.isClosed { return false }
            pause = min(2 * pause, 5_000_000_000)
        }
    }

    private func write(_ record: JournalRecord, to journal: Journal, isAgain: Bool = false) -> Bool {
        afterStep?("before journal \(record.step)")
        do throws(JournalError) {
            let start = SystemClock.monotonicNanoseconds()
            let payload = record.payload
            if isAgain { try journal.beginAgain(with: payload) } else { try journal.append(payload) }
            duration.observe(Double(SystemClock.monotonicNanoseconds() - start) / 1e9)
        } catch {
            if !isAgain {
                logger.error("journal not written, only rollbacks go on", ["error": error])
                tell(.failed(error.message))
            }
            return false
        }
        if isAgain { logger.info("journal written again, in a new file", ["step": record.step]) }
        tell(.stored(record.number))
        afterStep?("after journal \(record.step)")
        return true
    }
}
