internal import Hiredis
internal import Instrumentation
internal import Runtime
internal import Synchronization

/// The thread that reads from Redis for callers. A slow or unavailable server counts as a miss.
final class HotCacheReader: Sendable {
    private struct Request: Sendable {
        var key: String
        var reply: Mailbox<String?>
    }

    /// The longest wait for an answer.
    private static let patience: Int64 = 50 * 1_000_000

    private let requests = Mailbox<Request>(capacity: 64)
    private let thread = Mutex<WorkerThread?>(nil)
    private let hits: Counter
    private let misses: Counter
    private let duration: Histogram

    init(_ configuration: HotCacheConfiguration, registry: Registry) throws(WorkerThread.StartError) {
        hits = registry.counter("tribune_hot_cache_hits_total", "Reads that Redis answered with a value.")
        misses = registry.counter(
            "tribune_hot_cache_misses_total", "Reads that Redis had no value for, or did not answer in time.")
        duration = registry.histogram(
            "tribune_hot_cache_read_seconds", "Duration of one read from Redis, in seconds.")
        let requests = requests
        let worker = try WorkerThread("hot-cache-read") { Self.run(requests, configuration) }
        thread.withLock { $0 = worker }
    }

    /// The text at `key`; `nil` where there is none, and where Redis does not answer in time.
    func text(at key: String) -> String? {
        let start = SystemClock.monotonicNanoseconds()
        let reply = Mailbox<String?>(capacity: 1)
        var found: String?
        if requests.send(Request(key: key, reply: reply)),
            case .message(let text) = reply.receive(deadline: start + Self.patience)
        {
            found = text
        }
        duration.observe(Double(SystemClock.monotonicNanoseconds() - start) / 1e9)
        (found == nil ? misses : hits).add()
        return found
    }

    func stop() {
        requests.close()
        thread.withLock { $0.take() }?.join()
    }

    private static func run(_ requests: Mailbox<Request>, _ configuration: HotCacheConfiguration) {
        var connection: RedisConnection?
        var retryAt: Int64 = .min
        while case .message(let request) = requests.receive() {
            do throws(RedisError) {
                let open: RedisConnection
                if let connection {
                    open = connection
                } else if SystemClock.monotonicNanoseconds() >= retryAt {
                    open = try configuration.connect()
                } else {
                    request.reply.send(nil)
                    continue
                }
                connection = open
                request.reply.send(try open.command(["GET", request.key]).text)
            } catch {
                // The writer of the cache reports that Redis is away.
                connection = nil
                retryAt = SystemClock.monotonicNanoseconds() + 1_000_000_000
                request.reply.send(nil)
            }
        }
    }
}
