import Glibc
import Hiredis
import Instrumentation
import JSON
import MetricModel
import Runtime
import TestSupport
import Testing

@testable import History

/// A real Redis for the test, on a Unix socket.
private final class RedisServer {
    private let directory = TemporaryDirectory()
    private var process: ChildProcess?

    static let isInstalled = access("/usr/bin/redis-server", X_OK) == 0

    var address: RedisConnection.Address { .unix(path: directory.file("redis.sock")) }

    init() throws { try start() }

    deinit { stop() }

    func start() throws {
        process = try ChildProcess([
            "/usr/bin/redis-server", "--port", "0", "--unixsocket", directory.file("redis.sock"), "--save", "",
            "--appendonly", "no", "--requirepass", "hunter2", "--dir", directory.path,
        ])
        let isUp = Loopback.eventually { (try? RedisConnection(address)) != nil }
        #expect(isUp)
    }

    func stop() {
        process?.stop()
        process = nil
    }

    func connect() throws -> RedisConnection {
        let connection = try RedisConnection(address)
        try connection.command(["AUTH", "hunter2"])
        return connection
    }
}

@Suite(.serialized, .enabled(if: RedisServer.isInstalled, "redis-server is not installed"))
struct HotCacheTests {
    private let server: RedisServer
    private let registry = Registry()
    private let labels: Labels = ["__name__": "up", "service": "auth"]

    init() throws {
        server = try RedisServer()
    }

    private func cache(password: String = "hunter2") throws -> HotCache {
        try HotCache(
            HotCacheConfiguration(address: server.address, password: .init(password)), logger: .silent,
            registry: registry)
    }

    private func value(_ name: String) -> Double {
        guard let family = registry.snapshot().first(where: { $0.name == name }),
            case .number(let value)? = family.members.first?.value
        else { return -1 }
        return value
    }

    private func measurement(_ milliseconds: Int64, _ value: Double) -> Measurement {
        Measurement(labels: labels, timestamp: Timestamp(milliseconds: milliseconds), value: value)
    }

    @Test func `every type of answer is read, and a refused command is an error without what was sent`() throws {
        let connection = try server.connect()
        #expect(try connection.command(["SET", "k", "é\n"]) == .status("OK"))
        #expect(try connection.command(["GET", "k"]).text == "é\n")
        #expect(try connection.command(["GET", "none"]) == .null)
        #expect(try connection.command(["INCR", "n"]) == .integer(1))
        #expect(try connection.command(["MGET", "n", "none"]) == .array([.bytes([0x31]), .null]))
        #expect { try connection.command(["GET"]) } throws: { ($0 as? RedisError)?.code == .command }
        #expect(try connection.pipeline([["NOPE"], ["PING"]]).last == .status("PONG"))
        #expect { try RedisConnection(server.address).command(["AUTH", "wrong-secret"]) } throws: {
            !"\($0)".contains("wrong-secret")
        }
    }

    @Test func `the latest values and the last day of a service stay for their time`() throws {
        let cache = try cache()
        let now: Int64 = 1_700_000_000_000
        let other: Labels = ["__name__": "p99", "service": "auth"]
        cache.put([measurement(now - 90_000_000, 1)])
        cache.put([
            Measurement(labels: other, timestamp: Timestamp(milliseconds: now - 60_000), value: .infinity),
            Measurement(labels: ["__name__": "up"], timestamp: Timestamp(milliseconds: now), value: 1),
        ])
        cache.put([measurement(now, 0.5)])
        let series = "up{service=\"auth\"}"
        #expect(Loopback.eventually { cache.current("auth")?.values[series] == 0.5 })
        #expect(cache.current("auth")?.values == [series: 0.5, "p99{service=\"auth\"}": .infinity])
        #expect(cache.current("auth")?.milliseconds == now && cache.current("ac") == nil)
        cache.stop()
        let connection = try server.connect()
        let key = "dgm:metrics:auth:current"
        #expect(
            try connection.command(["GET", key]).text
                == #"{"p99{service=\"auth\"}":"+Inf","up{service=\"auth\"}":0.5,"timestamp":"2023-11-14T22:13:20Z","#
                + #""cache_key":"dgm:metrics:auth:current"}"#)
        #expect(try lifetime(key, connection) == 5)
        #expect(try lifetime("dgm:metrics:auth:timeseries", connection) == 24 * 60)
        let members = try connection.command(["ZRANGE", "dgm:metrics:auth:timeseries", "0", "-1", "WITHSCORES"])
        #expect(
            members
                == .array(
                    [
                        #"{"p99{service=\"auth\"}":"+Inf","timestamp":"2023-11-14T22:12:20Z"}"#, "1699999940",
                        #"{"up{service=\"auth\"}":0.5,"timestamp":"2023-11-14T22:13:20Z"}"#, "1700000000",
                    ].map { .bytes(Array($0.utf8)) }))
        #expect(value("tribune_hot_cache_written_total") == 3)
        #expect(value("tribune_hot_cache_dropped_total") == 0)
        #expect(value("tribune_hot_cache_hits_total") > 0 && value("tribune_hot_cache_misses_total") > 0)
    }

    @Test func `analyses stay as long as the platform's rule says`() throws {
        let cache = try cache()
        func analysis(_ id: String, _ verdicts: [String], compliance: JSON) -> JSON {
            let others = verdicts.map { verdict -> JSON in ["metric": "latency", "verdict": .string(verdict)] }
            let first: JSON = ["metric": "compliance", "verdict": "pass", "candidate": ["median": compliance]]
            return ["id": .string(id), "metrics": .array([first] + others)]
        }
        cache.put(analysis: analysis("a", ["fail"], compliance: 0.95))
        cache.put(analysis: analysis("b", ["pass", "fail"], compliance: 1))
        cache.put(analysis: analysis("c", ["pass"], compliance: 0.9))
        cache.put(analysis: analysis("d", ["pass"], compliance: 0.95))
        cache.put(analysis: analysis("e", ["pass"], compliance: .null))
        cache.stop()
        let connection = try server.connect()
        #expect(
            try ["a", "b", "c", "d", "e"].map { try lifetime("dgm:archive:\($0)", connection) }
                == [60, 120, 120, 240, 240])
    }

    @Test func `a Redis that is away or hangs costs a reader its hit and little time`() throws {
        let cache = try cache()
        server.stop()
        for _ in 0..<100 { #expect(cache.current("auth") == nil) }
        #expect(value("tribune_hot_cache_misses_total") == 100)
        cache.stop()
    }

    private func lifetime(_ key: String, _ connection: RedisConnection) throws -> Int64 {
        guard case .integer(let seconds) = try connection.command(["TTL", key]) else { return -3 }
        return (seconds + 59) / 60
    }

    @Test func `an outage is counted, holds nobody up, and ends by itself`() throws {
        let cache = try cache()
        cache.put([measurement(1, 1)])
        #expect(Loopback.eventually { value("tribune_hot_cache_written_total") == 1 })
        server.stop()
        for number in 0..<1000 { cache.put([measurement(Int64(number), 1)]) }
        #expect(Loopback.eventually { value("tribune_hot_cache_dropped_total") == 1000 })
        #expect(value("tribune_hot_cache_up") == 0)
        try server.start()
        #expect(
            Loopback.eventually {
                cache.put([measurement(5, 5)])
                return value("tribune_hot_cache_up") == 1
            })
        cache.stop()
        #expect(try server.connect().command(["EXISTS", "dgm:metrics:auth:current"]) == .integer(1))
    }

    @Test func `a wrong password is an outage, and the password is never printed`() throws {
        let cache = try cache(password: "wrong-secret")
        cache.put([measurement(1, 1)])
        cache.stop()
        #expect(value("tribune_hot_cache_dropped_total") == 1)
        let configuration = HotCacheConfiguration(address: server.address, password: .init("wrong-secret"))
        var dumped = ""
        dump(configuration, to: &dumped)
        #expect(!dumped.contains("wrong-secret") && !"\(configuration)".contains("wrong-secret"))
    }
}

@Suite struct HotCacheConfigurationTests {
    @Test(arguments: [
        ("127.0.0.1:6379", RedisConnection.Address.tcp(host: "127.0.0.1", port: 6379)),
        ("redis:1", .tcp(host: "redis", port: 1)), ("[::1]:6379", .tcp(host: "::1", port: 6379)),
        ("/run/redis.sock", .unix(path: "/run/redis.sock")),
    ]) func addressesAreRead(text: String, address: RedisConnection.Address) {
        #expect(HotCacheConfiguration(parsing: text)?.address == address)
    }

    @Test(arguments: ["", "redis", "redis:", ":6379", "redis:0", "redis:65536", "redis:x", "::1:6379", "[]:1"])
    func otherTextsAreNone(text: String) {
        #expect(HotCacheConfiguration(parsing: text)?.address == nil)
    }
}
