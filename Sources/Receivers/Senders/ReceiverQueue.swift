internal import Glibc
internal import Runtime
internal import Synchronization

/// The queue of one receiver, with threads that start and end as needed, so that a slow receiver does not delay others.
/// May be shared between threads.
///
/// One thread does all jobs of a fast receiver, over one connection. While jobs wait, the number of threads is doubled
/// every 50 ms up to the limit.
public final class ReceiverQueue<Job: Sendable>: Sendable {
    private struct State {
        var running = 0
        var idle = 0
        var threads: [Int: WorkerThread] = [:]
        var finished: [Int] = []
        var next = 0
        /// Whether a thread of ``ReceiverQueue/reinforce(_:)`` runs.
        var isReinforcing = false

        /// Counts a new worker and returns its number.
        mutating func addWorker() -> Int {
            running += 1
            next += 1
            return next
        }
    }

    /// An idle thread ends after this time.
    private static var idleNanoseconds: Int64 { 10_000_000_000 }
    /// How long jobs wait before there are more threads.
    private static var patienceMicroseconds: UInt32 { 50_000 }
    private let concurrency: Int
    private let jobs: Mailbox<Job>
    private let state = Mutex(State())
    private let perform: @Sendable (Job) -> Void

    /// A queue that runs at most `concurrency` jobs at once.
    public init(capacity: Int, concurrency: Int, perform: @escaping @Sendable (Job) -> Void) {
        jobs = Mailbox(capacity: capacity)
        self.concurrency = concurrency
        self.perform = perform
    }

    /// The number of waiting jobs.
    public var count: Int { jobs.count }

    /// Adds a job. Returns false if the queue is full.
    public func send(_ job: Job) -> Bool {
        guard jobs.send(job) else { return false }
        let (worker, reinforcement, finished) = state.withLock { state -> (Int?, Int?, [WorkerThread]) in
            let finished = state.finished.compactMap { state.threads.removeValue(forKey: $0) }
            state.finished = []
            if state.running == 0 { return (state.addWorker(), nil, finished) }
            guard state.idle < jobs.count, state.running < concurrency, !state.isReinforcing else {
                return (nil, nil, finished)
            }
            state.isReinforcing = true
            state.next += 1
            return (nil, state.next, finished)
        }
        for thread in finished { thread.join() }
        if let worker { start(worker) }
        if let reinforcement, !start("notify-more", reinforcement, { [self] in reinforce(reinforcement) }) {
            state.withLock { $0.isReinforcing = false }
        }
        return true
    }

    /// Starts a worker. If the system has no thread left, the job waits until the next job is sent.
    private func start(_ worker: Int) {
        guard !start("notify-send", worker, { [self] in work(worker) }) else { return }
        state.withLock { $0.running -= 1 }
    }

    private func start(_ name: String, _ number: Int, _ body: @escaping @Sendable () -> Void) -> Bool {
        do throws(WorkerThread.StartError) {
            let thread = try WorkerThread(name, body)
            state.withLock { $0.threads[number] = thread }
            return true
        } catch {
            return false
        }
    }

    /// Adds workers until no job waits or the limit is reached.
    private func reinforce(_ number: Int) {
        while true {
            usleep(Self.patienceMicroseconds)
            let workers = state.withLock { state -> [Int] in
                let count = min(jobs.count - state.idle, max(1, state.running), concurrency - state.running)
                if count > 0 { return (0..<count).map { _ in state.addWorker() } }
                state.isReinforcing = false
                state.finished.append(number)
                return []
            }
            if workers.isEmpty { return }
            for worker in workers { start(worker) }
        }
    }

    private func work(_ number: Int) {
        while true {
            state.withLock { $0.idle += 1 }
            let reception = jobs.receive(deadline: SystemClock.monotonicNanoseconds() + Self.idleNanoseconds)
            state.withLock { $0.idle -= 1 }
            guard case .message(let job) = reception else { break }
            perform(job)
        }
        state.withLock { state in
            state.running -= 1
            state.finished.append(number)
        }
        // A job may have been added between the last check and the end. The next job or the end also runs it.
        if jobs.count > 0 { restart() }
    }

    private func restart() {
        let number = state.withLock { state -> Int? in
            state.running == 0 ? state.addWorker() : nil
        }
        if let number { start(number) }
    }

    /// Closes the queue after all running and waiting jobs.
    public func close() { jobs.close() }

    /// Waits for the threads.
    public func join() {
        while true {
            let threads = state.withLock { state in
                defer { state.threads = [:] }
                return Array(state.threads.values)
            }
            if threads.isEmpty { return }
            for thread in threads { thread.join() }
        }
    }
}
