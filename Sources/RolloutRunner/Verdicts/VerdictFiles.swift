internal import Durable
internal import Instrumentation
internal import JSON
internal import Rollback
internal import Runtime
internal import Synchronization

/// The files of the verdicts, `NAME.verdict` in the directory of the journals, and the thread that writes them. Each
/// has the whole state, so only the last one that waits is written.
final class VerdictFiles: Sendable {
    /// A state that has to be written, and those who wait for that.
    private struct Waiting: Sendable {
        var machine: VerdictMachine
        var replies: [Reply<Void>]
    }

    private let directory: String
    private let logger: Logger
    private let next = Mutex<[String: Waiting]>([:])
    private let wake = Mailbox<Void>(capacity: 1)
    private let end = Mailbox<Void>(capacity: 1)
    private let thread = Mutex<WorkerThread?>(nil)

    init(directory: String, logger: Logger) {
        self.directory = directory
        self.logger = logger
    }

    private func path(_ name: String) -> String { "\(directory)/\(name).verdict" }

    /// The state that the last process stored of a verdict; `nil` if there is nothing that can be read.
    func read(_ name: String) -> JSON? {
        guard Paths.exists(path(name)) else { return nil }
        do {
            return try JSON(parsing: FileText.bytes(path(name), limit: 64 << 20))
        } catch {
            // Nothing is known then, which is not health.
            logger.error("state of a verdict not read, it is unknown", ["verdict": name, "error": "\(error)"])
            return nil
        }
    }

    func run() throws(WorkerThread.StartError) {
        let worker = try WorkerThread("verdict files") { [self] in
            while case .message = wake.receive() { writeAll() }
            writeAll()
            end.send(())
        }
        thread.withLock { $0 = worker }
    }

    /// Has the state of `machine` written. Never blocks.
    ///
    /// - Returns: where it is told that the state is on disk.
    func write(_ machine: VerdictMachine) -> Reply<Void> {
        let reply = Reply<Void>()
        next.withLock { next in
            let replies = next[machine.name]?.replies ?? []
            next[machine.name] = Waiting(machine: machine, replies: replies + [reply])
        }
        wake.send(())
        return reply
    }

    /// Ends the thread when the last state is written, or has taken `seconds`: the thread is then left alone.
    func stop(seconds: Int64 = 5) {
        wake.close()
        guard let thread = thread.withLock({ $0.take() }) else { return }
        let deadline = SystemClock.monotonicNanoseconds() + seconds * 1_000_000_000
        guard case .message = end.receive(deadline: deadline) else {
            return logger.error("the disk does not answer, the last state of a verdict may not be stored", [:])
        }
        thread.join()
    }

    private func writeAll() {
        let waiting = next.withLock { next in
            defer { next = [:] }
            return next
        }
        for (name, state) in waiting {
            do throws(DurableError) {
                try DurableFile.replace(path(name), by: state.machine.json.encoded)
            } catch {
                logger.error("state of a verdict not stored", ["verdict": name, "error": "\(error)"])
            }
            for reply in state.replies { reply.give(()) }
        }
    }
}
