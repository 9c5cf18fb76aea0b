internal import Runtime
internal import Synchronization

/// The thread that reads from the database, so that a slow query delays no record.
final class HistoryReader: Sendable {
    /// Queries the database, or passes on the connection failure. Returns false if the query failed; the failure is
    /// passed on only at the last attempt, or if it is an error of the ledger.
    private typealias Request = @Sendable (_ store: Result<LedgerStore, HistoryError>, _ isLast: Bool) -> Bool

    /// Half of the web server's handlers: the others stay free while a slow query keeps these waiting.
    private let requests = Mailbox<Request>(capacity: 15)
    private let thread = Mutex<WorkerThread?>(nil)

    init(_ configuration: HistoryConfiguration) throws(WorkerThread.StartError) {
        let requests = requests
        let worker = try WorkerThread("history-read") { HistoryReader.run(requests, configuration) }
        thread.withLock { $0 = worker }
    }

    /// Runs `body` with a connection on the thread and waits for its result.
    func perform<Answer: Sendable>(
        _ body: @escaping @Sendable (LedgerStore) throws(HistoryError) -> Answer
    ) throws(HistoryError) -> Answer {
        let reply = Mailbox<Result<Answer, HistoryError>>(capacity: 1)
        let accepted = requests.send { store, isLast in
            do throws(HistoryError) {
                reply.send(.success(try body(try store.get())))
                return true
            } catch {
                let isAnswer = error.code == .notFound || error.code == .tooMuch
                if isLast || isAnswer { reply.send(.failure(error)) }
                return isAnswer
            }
        }
        guard accepted, case .message(let answer) = reply.receive() else {
            throw HistoryError(.unreachable, "the history is stopped, or too many queries are waiting")
        }
        return try answer.get()
    }

    func stop() {
        requests.close()
        thread.withLock { $0.take() }?.join()
    }

    private static func run(_ requests: Mailbox<Request>, _ configuration: HistoryConfiguration) {
        var store: LedgerStore?
        while case .message(let request) = requests.receive() {
            // The server may have been restarted since the last query: a second attempt is made.
            if let open = store, request(.success(open), false) { continue }
            store = nil
            do throws(HistoryError) {
                let fresh = try configuration.openReadingStore()
                if request(.success(fresh), true) { store = fresh }
            } catch {
                _ = request(.failure(error), true)
            }
        }
    }
}
