internal import CurlHTTP
internal import Glibc
internal import Runtime
internal import Synchronization

/// Sends requests to one URL from a few threads at a constant rate, and counts the responses.
final class LoadGenerator: Sendable {
    /// The counts so far.
    struct Count: Equatable, Sendable {
        /// Responses with status 200, by the version that sent them.
        var answers: [String: Int] = [:]
        /// Requests without a response.
        var broken = 0
        /// Responses with another status.
        var refused = 0

        /// All requests.
        var total: Int { answers.values.reduce(0, +) + broken + refused }
    }

    private let url: String
    private let counted = Mutex(Count())
    private let isStopped = Atomic<Bool>(false)
    private let threads = Mutex<[WorkerThread]>([])
    private let client = HTTPClient()

    /// A generator for `url` that has not been started.
    init(url: String) {
        self.url = url
    }

    /// The counts so far.
    var count: Count { counted.withLock { $0 } }

    /// Starts `threads` senders that together send about `perSecond` requests a second.
    func start(threads count: Int, perSecond: Int) throws(WorkerThread.StartError) {
        let pause = UInt32(1_000_000 * count / max(perSecond, 1))
        for number in 0..<count {
            let started = try WorkerThread("load-\(number)") {
                while !self.isStopped.load(ordering: .relaxed) {
                    self.sendOne()
                    usleep(pause)
                }
            }
            threads.withLock { $0.append(started) }
        }
    }

    /// Stops the senders after the requests in progress.
    func stop() {
        isStopped.store(true, ordering: .relaxed)
        let running = threads.withLock { threads in
            defer { threads = [] }
            return threads
        }
        for thread in running { thread.join() }
    }

    private func sendOne() {
        var request = HTTPRequest(url: url)
        request.timeoutMilliseconds = 10_000
        let response: HTTPResponse?
        do throws(HTTPFailure) {
            response = try client.send(request)
        } catch {
            response = nil
        }
        counted.withLock { count in
            switch response {
            case nil: count.broken += 1
            case .some(let response) where response.status == 200:
                count.answers[response["X-Version"] ?? "?", default: 0] += 1
            case .some: count.refused += 1
            }
        }
    }
}
