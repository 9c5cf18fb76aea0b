public import Hiredis
public import Instrumentation
public import JSON
internal import MetricModel
public import Runtime
internal import Synchronization

/// The settings of the hot cache.
public struct HotCacheConfiguration: Sendable {
    /// The server.
    public var address: RedisConnection.Address
    /// The password, if it wants one.
    public var password: Secret?
    /// Put before every key.
    public var prefix = "tribune:"

    /// A cache on the server at `address`.
    public init(address: RedisConnection.Address, password: Secret? = nil) {
        self.address = address
        self.password = password
    }

    /// A cache at `text`: `host:port`, `[address]:port` or the path of a Unix socket; `nil` otherwise.
    public init?(parsing text: String, password: Secret? = nil) {
        if text.hasPrefix("/") {
            self.init(address: .unix(path: text), password: password)
            return
        }
        guard let colon = text.lastIndex(of: ":"), let port = Int(text[text.index(after: colon)...]),
            (1...65_535).contains(port)
        else { return nil }
        var host = text[..<colon]
        if host.hasPrefix("["), host.hasSuffix("]") {
            host = host.dropFirst().dropLast()
        } else if host.contains(":") {
            return nil
        }
        guard !host.isEmpty else { return nil }
        self.init(address: .tcp(host: String(host), port: port), password: password)
    }

    /// A text that is never printed.
    public struct Secret: Sendable, CustomStringConvertible, CustomReflectable {
        let text: String

        /// Stores `text`.
        public init(_ text: String) {
            self.text = text
        }

        /// `<secret>`.
        public var description: String { "<secret>" }
        /// Empty.
        public var customMirror: Mirror { Mirror(self, children: []) }
    }
}

/// The latest measurements in Redis, for dashboards and neighbours that want them without asking Tribune.
///
/// ```text
/// PREFIX latest:SERIES     {"timestamp":…,"value":"…"}                  for 5 minutes
/// PREFIX series:SERIES     sorted set by time, members TIMESTAMP:VALUE    for 24 hours
/// PREFIX archive:ID        the entry's JSON                               for 1, 2 or 4 hours by its score
/// ```
///
/// A convenience that may vanish at any time: one thread talks to Redis, callers never wait for it, and what cannot be
/// written is dropped and counted. Nothing of Tribune reads from it.
public final class HotCache: Sendable {
    private enum Request: Sendable {
        case measurements([Measurement])
        case archive(id: String, text: String, seconds: Int64)
    }

    /// How long the latest value is kept, in seconds.
    static let latestSeconds: Int64 = 300
    /// How long a series is kept, in seconds.
    static let seriesSeconds: Int64 = 86_400

    private let configuration: HotCacheConfiguration
    private let requests = Mailbox<Request>(capacity: 256)
    private let thread = Mutex<WorkerThread?>(nil)
    private let logger: Logger
    private let written: Counter
    private let dropped: Counter
    private let up: Gauge

    /// Starts the thread. Does not wait for the server.
    public init(
        _ configuration: HotCacheConfiguration, logger: Logger, registry: Registry
    ) throws(WorkerThread.StartError) {
        self.configuration = configuration
        self.logger = logger.with("component", "hot-cache")
        written = registry.counter("tribune_hot_cache_written_total", "Values written to Redis.")
        dropped = registry.counter(
            "tribune_hot_cache_dropped_total", "Values not written because Redis was away or slow.")
        up = registry.gauge("tribune_hot_cache_up", "Whether Redis answered last time.")
        let worker = try WorkerThread("hot-cache") { [self] in run() }
        thread.withLock { $0 = worker }
    }

    /// Offers measurements. Never blocks.
    public func put(_ measurements: [Measurement]) {
        if !requests.send(.measurements(measurements)) { dropped.add(Double(measurements.count)) }
    }

    /// Offers an entry of the archive of improvements: the better its score (0 to 1), the longer it stays. Never
    /// blocks.
    public func put(archive id: String, _ entry: JSON, score: Double) {
        let request = Request.archive(id: id, text: entry.canonical, seconds: Self.archiveSeconds(score: score))
        if !requests.send(request) { dropped.add() }
    }

    /// 1 hour below a score of 0.5, 2 hours below 0.8, else 4.
    static func archiveSeconds(score: Double) -> Int64 {
        if score >= 0.8 { return 4 * 3600 }
        return score >= 0.5 ? 2 * 3600 : 3600
    }

    /// Ends the thread after what is offered already.
    public func stop() {
        requests.close()
        thread.withLock { $0.take() }?.join()
    }

    private func run() {
        var connection: RedisConnection?
        var retryAt: Int64 = .min
        var isAway = false
        while case .message(let request) = requests.receive() {
            let commands = commands(of: request)
            let now = SystemClock.monotonicNanoseconds()
            do throws(RedisError) {
                let open: RedisConnection
                if let connection {
                    open = connection
                } else if now >= retryAt {
                    open = try connect()
                } else {
                    dropped.add(Double(commands.count))
                    continue
                }
                connection = open
                try write(commands, to: open)
                isAway = false
            } catch {
                connection = nil
                // Counted from the end of the attempt: a server that hangs must not cost one timeout per request.
                retryAt = SystemClock.monotonicNanoseconds() + 1_000_000_000
                dropped.add(Double(commands.count))
                if !isAway { logger.warn("Redis unavailable", ["err": error.message]) }
                isAway = true
                up.set(0)
            }
        }
    }

    private func connect() throws(RedisError) -> RedisConnection {
        let connection = try RedisConnection(configuration.address)
        if let password = configuration.password { try connection.command(["AUTH", password.text]) }
        up.set(1)
        logger.info("Redis connected")
        return connection
    }

    private func write(_ commands: [[[String]]], to connection: RedisConnection) throws(RedisError) {
        for reply in try connection.pipeline(commands.flatMap { $0 }) {
            if case .error(let message) = reply { throw RedisError(code: .command, message: message) }
        }
        written.add(Double(commands.count))
    }

    /// The commands that write a request, one group per value.
    private func commands(of request: Request) -> [[[String]]] {
        switch request {
        case .archive(let id, let text, let seconds):
            return [[["SET", "\(configuration.prefix)archive:\(id)", text, "EX", String(seconds)]]]
        case .measurements(let measurements):
            return measurements.map { measurement in
                let time = measurement.timestamp.milliseconds
                let value = FloatText.json(measurement.value)
                let latest: JSON = ["timestamp": .integer(time), "value": .string(value)]
                let series = "\(configuration.prefix)series:\(measurement.labels)"
                return [
                    [
                        "SET", "\(configuration.prefix)latest:\(measurement.labels)", latest.encoded, "EX",
                        String(Self.latestSeconds),
                    ],
                    ["ZADD", series, String(time), "\(time):\(value)"],
                    ["ZREMRANGEBYSCORE", series, "-inf", "(\(time - Self.seriesSeconds * 1000)"],
                    ["EXPIRE", series, String(Self.seriesSeconds)],
                ]
            }
        }
    }
}
