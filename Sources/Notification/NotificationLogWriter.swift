internal import Runtime
internal import Synchronization

/// Writes the notification log on a thread of its own, so that no notification waits for the disk. May be called from
/// any thread.
final class NotificationLogWriter: Sendable {
    private let log: Mutex<NotificationLog>
    private let all: @Sendable () -> [NotificationLogEntry]
    /// Changes that are not written yet; the last of each group.
    private let waiting = Mutex<[NotificationLogEntry.Change.Place: NotificationLogEntry.Change]>([:])
    private let wake = Mailbox<Void>(capacity: 1)
    private let thread = Mutex<WorkerThread?>(nil)

    /// A writer of `log`. `all` returns everything that the log must hold.
    init(_ log: sending NotificationLog, all: @escaping @Sendable () -> [NotificationLogEntry]) {
        self.log = Mutex(log)
        self.all = all
    }

    /// Starts the thread. To be called once.
    func start() throws(WorkerThread.StartError) {
        let worker = try WorkerThread("notify-log") { [self] in run() }
        thread.withLock { $0 = worker }
    }

    /// Writes the remaining changes and ends the thread.
    func stop() {
        wake.close()
        thread.withLock { $0.take() }?.join()
    }

    /// The content of the file. Waits for the disk.
    func read() -> [NotificationLogEntry] { log.withLock { $0.read() } }

    /// Rewrites the file with `entries`. Waits for the disk.
    func rewrite(_ entries: [NotificationLogEntry]) {
        log.withLock { log in
            waiting.withLock { $0 = [:] }
            log.rewrite(entries)
        }
    }

    /// Adds changes. Does not wait.
    func keep(_ changes: [NotificationLogEntry.Change]) {
        guard !changes.isEmpty else { return }
        waiting.withLock { waiting in
            for change in changes { waiting[change.place] = change }
        }
        wake.send(())
    }

    private func run() {
        while true {
            let reception = wake.receive(deadline: nil)
            log.withLock { log in
                let changes = waiting.withLock { waiting in
                    defer { waiting = [:] }
                    return Array(waiting.values)
                }
                log.append(changes, all: all)
            }
            if case .closed = reception { return }
        }
    }
}
