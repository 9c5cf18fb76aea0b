internal import Runtime
internal import Synchronization

/// The thread that reads from the database for whoever asks, so that a slow question delays no record.
final class HistoryReader: Sendable {
    private let requests = Mailbox<@Sendable (Result<any LedgerStore, HistoryError>) -> Bool>(capacity: 64)
    private let thread = Mutex<WorkerThread?>(nil)

    init(_ configuration: HistoryConfiguration) {
        let requests = requests
        thread.withLock {
            $0 = WorkerThread("history-read") { HistoryReader.run(requests, configuration) }
        }
    }

    /// Runs `body` with a connection on the thread and waits for what it returns.
    func perform<Answer: Sendable>(
        _ body: @escaping @Sendable (any LedgerStore) throws(HistoryError) -> Answer
    ) throws(HistoryError) -> Answer {
        let reply = Mailbox<Result<Answer, HistoryError>>(capacity: 1)
        let accepted = requests.send { store in
            do throws(HistoryError) {
                reply.send(.success(try body(try store.get())))
                return true
            } catch {
                reply.send(.failure(error))
                return false
            }
        }
        guard accepted, case .message(let answer) = reply.receive() else {
            throw HistoryError(.unreachable, "the history is stopped, or too many questions wait for it")
        }
        return try answer.get()
    }

    func stop() {
        requests.close()
        thread.withLock { $0.take() }?.join()
    }

    private static func run(
        _ requests: Mailbox<@Sendable (Result<any LedgerStore, HistoryError>) -> Bool>,
        _ configuration: HistoryConfiguration
    ) {
        var store: (any LedgerStore)?
        while case .message(let request) = requests.receive() {
            do throws(HistoryError) {
                let open: any LedgerStore
                if let store { open = store } else { open = try configuration.openReadingStore() }
                // After a failure the connection may be of no more use.
                store = request(.success(open)) ? open : nil
            } catch {
                _ = request(.failure(error))
            }
        }
    }
}
