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
    /// The password, if required.
    public var password: Secret?
    /// Prepended to every key.
    public var prefix = "dgm:"

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

/// The latest measurements in Redis, under the names that the platform gives them.
///
/// ```text
/// dgm:metrics:SERVICE:current      {"SERIES":0.97,…,"timestamp":"…","cache_key":"…"}   for 5 minutes
/// dgm:metrics:SERVICE:timeseries   sorted set by seconds, members {"SERIES":0.97,…,"timestamp":"…"}   for 24 hours
/// dgm:archive:ID                   an analysis                       for 1, 2 or 4 hours by its scores
/// ```
///
/// A convenience that may vanish at any time: one thread writes to Redis, another reads, callers never wait longer than
/// 50 ms, and what cannot be written is dropped and counted. What is read here is in the database, too.
public final class HotCache: Sendable {
    private enum Request: Sendable {
        case measurements([Measurement])
        case archive(id: String, text: String, seconds: Int64)
    }

    /// How long the latest values are kept, in seconds.
    static let latestSeconds: Int64 = 300
    /// How long the values of a service are kept, in seconds.
    static let seriesSeconds: Int64 = 86_400

    private let configuration: HotCacheConfiguration
    private let requests = Mailbox<Request>(capacity: 256)
    private let thread = Mutex<WorkerThread?>(nil)
    private let reader: HotCacheReader
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
            "tribune_hot_cache_dropped_total", "Values not written because Redis was unavailable or slow.")
        up = registry.gauge("tribune_hot_cache_up", "Whether the last request to Redis succeeded.")
        reader = try HotCacheReader(configuration, registry: registry)
        let worker = try WorkerThread("hot-cache") { [self] in run() }
        thread.withLock { $0 = worker }
    }

    /// Offers measurements. Never blocks.
    public func put(_ measurements: [Measurement]) {
        if !requests.send(.measurements(measurements)) { dropped.add(Double(measurements.count)) }
    }

    /// Offers an analysis: the better its scores, the longer it stays. Who asked for it is left out. Never blocks.
    public func put(analysis: JSON) {
        guard let id = analysis["id"]?.text, let members = analysis.members else { return }
        let text = JSON.object(members.filter { $0.name != "actor" }).canonical
        let request = Request.archive(id: id, text: text, seconds: Self.archiveSeconds(ArchiveScores(analysis)))
        if !requests.send(request) { dropped.add() }
    }

    /// 4 hours for an accuracy above 0.8 and a compliance above 0.9, 2 for an accuracy above 0.6, else 1, as the
    /// platform has it.
    static func archiveSeconds(_ scores: ArchiveScores) -> Int64 {
        if scores.accuracy > 0.8, scores.compliance > 0.9 { return 4 * 3600 }
        return scores.accuracy > 0.6 ? 2 * 3600 : 3600
    }

    /// The latest measurements of `service`; `nil` where Redis has none or does not answer in time.
    public func current(_ service: String) -> ServiceMetrics? {
        reader.text(at: currentKey(service)).flatMap { ServiceMetrics(cached: $0) }
    }

    private func currentKey(_ service: String) -> String { "\(configuration.prefix)metrics:\(service):current" }

    /// Ends the threads after what is offered already.
    public func stop() {
        requests.close()
        thread.withLock { $0.take() }?.join()
        reader.stop()
    }

    private func run() {
        var connection: RedisConnection?
        var retryAt: Int64 = .min
        var isAway = false
        var latest = LatestMetrics()
        while case .message(let request) = requests.receive() {
            let commands = commands(of: request, &latest)
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
                if !isAway { logger.warn("Redis unavailable", ["error": error.message]) }
                isAway = true
                up.set(0)
            }
        }
    }

    private func connect() throws(RedisError) -> RedisConnection {
        let connection = try configuration.connect()
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

    /// The commands that write a request, one group per service or analysis.
    private func commands(of request: Request, _ latest: inout LatestMetrics) -> [[[String]]] {
        switch request {
        case .archive(let id, let text, let seconds):
            return [[["SET", "\(configuration.prefix)archive:\(id)", text, "EX", String(seconds)]]]
        case .measurements(let measurements):
            var groups: [[[String]]] = []
            for (service, batch) in latest.add(measurements).sorted(by: { $0.key < $1.key }) {
                let key = currentKey(service)
                let current = latest.current(service, age: Self.latestSeconds * 1000)
                let series = "\(configuration.prefix)metrics:\(service):timeseries"
                let seconds = batch.milliseconds / 1000
                let time: JSON.Member = .init("timestamp", .string(RFC3339.text(milliseconds: batch.milliseconds)))
                groups.append([
                    ["SET", key, current.cached(under: key).encoded, "EX", String(Self.latestSeconds)],
                    ["ZADD", series, String(seconds), JSON.object((batch.json.members ?? []) + [time]).encoded],
                    ["ZREMRANGEBYSCORE", series, "-inf", "(\(seconds - Self.seriesSeconds)"],
                    ["EXPIRE", series, String(Self.seriesSeconds)],
                ])
            }
            return groups
        }
    }
}

extension HotCacheConfiguration {
    /// A connection that may be used.
    func connect() throws(RedisError) -> RedisConnection {
        let connection = try RedisConnection(address)
        if let password { try connection.command(["AUTH", password.text]) }
        return connection
    }
}
