import ConfigurationFields
import Instrumentation
import MetricModel
import PromQL
import Runtime
import Synchronization
import TestSupport
import Testing
import YAML

@testable import RemoteQuery

/// What a server may answer, over a real connection.
@Suite struct QueryServersTests {
    private let registry = Registry()
    private let time = Timestamp(milliseconds: 1_700_000_000_250)

    private static func vector(_ value: String, more: String = "", time: String = "1700000000.250") -> String {
        #"{"status":"success","data":{"resultType":"vector","result":[{"metric":{"job":"x"},"#
            + #""value":[\#(time),"\#(value)"]}]}\#(more)}"#
    }

    private func servers(_ port: Int, _ fields: String = "") throws -> QueryServers {
        let text = "query: {url: 'http://127.0.0.1:\(port)/base/?tenant=1', \(fields)}"
        let servers = QueryServers(registry: registry)
        servers.reload(try Self.settings(text))
        return servers
    }

    private static func settings(_ text: String) throws -> [QueryServerSettings] {
        let node = try #require(try YAML.document(Array(text.utf8), file: "t.yml"))
        var fields = try FieldReader(node, path: "", file: "t.yml")
        let list = try QueryServerSettings.list(&fields, reserved: "own", directory: "/etc")
        try fields.finish()
        return list
    }

    private func ask(
        _ fields: String = "", _ answer: @escaping @Sendable (LoopbackServer.Request) -> LoopbackServer.Reply
    ) throws -> Result<QueryValue, QueryFault> {
        let server = LoopbackServer(answer)
        defer { server.stop() }
        let servers = try servers(server.port, fields)
        return Result { () throws(QueryFault) in try servers.value("up == 1", at: time, of: "default") }
    }

    private func fault(
        _ fields: String = "", _ answer: @escaping @Sendable (LoopbackServer.Request) -> LoopbackServer.Reply
    ) throws -> QueryFault {
        switch try ask(fields, answer) {
        case .success(let value):
            Issue.record("answered \(value)")
            return QueryFault(.shape, "")
        case .failure(let fault): return fault
        }
    }

    @Test func aWholeAnswerIsTheValue() throws {
        let seen = Mutex<LoopbackServer.Request?>(nil)
        let answer = try ask("basic_auth: {username: u, password: p}, http_headers: {X-Scope-OrgID: {values: [shop]}}")
        {
            request in
            seen.withLock { $0 = request }
            return .ok(Self.vector("+Inf"), type: "application/json")
        }
        guard case .vector(let elements) = try answer.get() else {
            Issue.record("no vector")
            return
        }
        #expect(elements == [VectorElement(labels: ["job": "x"], timestamp: time, value: .infinity)])
        let request = try #require(seen.withLock { $0 })
        #expect(request.line == "POST /base/api/v1/query?tenant=1 HTTP/1.1")
        #expect(
            String(decoding: request.body, as: UTF8.self)
                == "query=up+%3D%3D+1&time=1700000000.250&timeout=10000ms&partial_response=false&deny_partial_response=1&nocache=1"
        )
        #expect(request.headers["authorization"] == "Basic dTpw")
        #expect(request.headers["x-scope-orgid"] == "shop")
        #expect(value(of: "tribune_query_server_queries_total", "ok") == 1)
    }

    private func value(of name: String, _ label: String) -> Double? {
        let family = registry.snapshot().first { $0.name == name }
        guard
            case .number(let value)? = family?.members.first(where: { $0.labels.contains { $0.value == label } })?.value
        else {
            return nil
        }
        return value
    }

    @Test func parametersAndMethodAreThoseOfTheConfiguration() throws {
        let seen = Mutex("")
        _ = try ask("http_method: GET, params: {nocache: '0', step: 15s}") { request in
            seen.withLock { $0 = request.line }
            return .ok(Self.vector("1"))
        }
        let line = seen.withLock { $0 }
        #expect(line.hasPrefix("GET /base/api/v1/query?tenant=1&query=up+%3D%3D+1&time="))
        #expect(line.contains("&nocache=0&step=15s "))
        #expect(!line.contains("nocache=1"))
    }

    @Test(
        "an answer that is not whole is none",
        arguments: [
            (#","isPartial":true"#, "isPartial"),
            (#","warnings":["No StoreAPIs matched for this query"]"#, "No StoreAPIs matched"),
            (#","warnings":["PromQL warning: x","one store is down"]"#, "one store is down"),
        ])
    func partial(more: String, reason: String) throws {
        let fault = try fault { _ in .ok(Self.vector("1", more: more)) }
        #expect(fault.code == .partial)
        #expect(fault.description.hasPrefix("query server default: the answer "))
        #expect(fault.description.contains(reason))
        #expect(value(of: "tribune_query_server_queries_total", "partial") == 1)
    }

    @Test func remarksOfTheLanguageAreNoFault() throws {
        let more = #","warnings":["PromQL warning: metric might not be a counter"],"infos":["x"],"isPartial":false"#
        #expect(throws: Never.self) { try ask { _ in .ok(Self.vector("1", more: more)) }.get() }
    }

    @Test(
        "what is no answer of the query API is none",
        arguments: [
            "", "<html>", "[]", "{", #"{"status":"success"}"#, #"{"status":"error","error":"bad"}"#,
            #"{"status":"success","data":{"resultType":"streams","result":[]}}"#,
            #"{"status":"success","data":{"resultType":"vector","result":{}}}"#,
            #"{"status":"success","data":{"resultType":"vector","result":[{"metric":{}}]}}"#,
            #"{"status":"success","data":{"resultType":"vector","result":[{"value":[1700000000.25,"1"]}]}}"#,
            #"{"status":"success","data":{"resultType":"vector","result":[{"metric":{"a":1},"value":[1700000000.25,"1"]}]}}"#,
            #"{"status":"success","data":{"resultType":"vector","result":[{"metric":{"a":"1","a":"2"},"value":[1700000000.25,"1"]}]}}"#,
            #"{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[1700000000.25,1]}]}}"#,
            #"{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[1700000000.25,"x"]}]}}"#,
            #"{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[1e300,"1"]}]}}"#,
            #"{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":["1"]}]}}"#,
            #"{"status":"success","data":{"resultType":"vector","result":[{"metric":{"a":"b"},"histogram":[1700000000.25,{}]}]}}"#,
            #"{"status":"success","data":{"resultType":"matrix","result":[{"metric":{},"values":[[2,"1"],[1,"1"]]}]}}"#,
        ])
    func wrongShape(body: String) throws {
        #expect(try fault { _ in .ok(body) }.code == .shape)
    }

    @Test func anAnswerOfAnotherTimeIsNone() throws {
        let fault = try fault { _ in .ok(Self.vector("1", time: "1699999970")) }
        #expect(fault.code == .shape)
        #expect(fault.description.contains("instead of"))
        #expect(throws: Never.self) { try ask { _ in .ok(Self.vector("1", time: "1700000000")) }.get() }
    }

    @Test(arguments: [
        (
            "400 Bad Request", #"{"status":"error","errorType":"bad_data","error":"parse\nerror"}"#,
            "status 400: bad_data: parse error"
        ),
        ("422 Unprocessable Entity", #"{"status":"error","error":"too many samples"}"#, "status 422: too many samples"),
        ("401 Unauthorized", "no", "status 401"), ("503 Service Unavailable", "", "status 503"),
        ("302 Found", "", "status 302"),
    ])
    func statuses(status: String, body: String, text: String) throws {
        let fault = try fault("follow_redirects: false") { _ in .ok(body, status: status) }
        #expect(fault.code == .status)
        #expect(fault.description == "query server default: \(text)")
    }

    @Test func aServerThatIsSlowLargeOrGoneGivesNoAnswer() throws {
        #expect(try fault("timeout: 200ms") { _ in .hang }.code == .timeout)
        let head = Array("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".utf8)
        let chunk = Array("400\r\n".utf8) + [UInt8](repeating: 0x20, count: 1024) + Array("\r\n".utf8)
        #expect(try fault("body_size_limit: 64KB") { _ in .endless(head: head, chunk: chunk) }.code == .size)
        #expect(
            try fault { _ in .bytesThenClose(Array("HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{".utf8)) }.code
                == .connection)
        let servers = try servers(Loopback.freePort())
        #expect(throws: QueryFault.self) { try servers.value("up", at: time, of: "default") }
        #expect(throws: QueryFault.self) { try servers.value("up", at: time, of: "other") }
        // The time of the evaluation is over: nothing is sent.
        do throws(QueryFault) {
            _ = try servers.value("up", at: time, of: "default", until: SystemClock.monotonicNanoseconds())
        } catch {
            #expect(error.code == .timeout)
        }
    }

    @Test func theWaitEndsWhenItIsCancelled() throws {
        let server = LoopbackServer { _ in .hang }
        defer { server.stop() }
        let servers = try servers(server.port, "timeout: 5m")
        do throws(QueryFault) {
            _ = try servers.value("up", at: time, of: "default", isCancelled: { true })
            Issue.record("answered")
        } catch {
            #expect(error.code == .cancelled)
        }
    }

    @Test func troublesAreToldUntilEveryAskerIsAnswered() throws {
        let clock = Mutex(Timestamp(milliseconds: 1000))
        let servers = QueryServers(registry: registry, now: { clock.withLock { $0 } })
        servers.reload([QueryServerSettings(name: "a", url: "http://x")])
        servers.finished(asker: "g1", of: "a", failure: "one")
        clock.withLock { $0 = Timestamp(milliseconds: 2000) }
        servers.finished(asker: "g2", of: "a", failure: "two")
        servers.finished(asker: "g1", of: "a", failure: "three")
        servers.finished(asker: "g1", of: "unknown", failure: "x")
        #expect(
            servers.troubles == [.init(server: "a", since: Timestamp(milliseconds: 1000), reason: "three", askers: 2)])
        #expect(value(of: "tribune_query_server_unanswered", "a") == 2)
        servers.finished(asker: "g1", of: "a", failure: nil)
        #expect(
            servers.troubles == [.init(server: "a", since: Timestamp(milliseconds: 2000), reason: "two", askers: 1)])
        servers.reload([])
        #expect(servers.troubles.isEmpty)
    }

    // MARK: Configuration

    @Test(
        "faults name the field",
        arguments: [
            ("query: {}", "query: the field \"url\" is required"),
            ("query: {url: ftp://x}", "1:14: query.url: expected a URL of http or https"),
            ("query: {url: 'http://'}", "query.url: expected a URL"),
            ("query: {url: 'http://u:secret@x'}", "query.url: must contain no user and no password"),
            ("query: {url: 'http://x', nonsense: 1}", "query.nonsense: unknown field"),
            ("query: {url: 'http://x', timeout: 1ms}", "query.timeout: must be a duration"),
            ("query: {url: 'http://x', concurrency: 0}", "query.concurrency: must be from 1 to 64"),
            ("query: {url: 'http://x', http_method: PUT}", "query.http_method: expected one of POST, GET"),
            ("query: {url: 'http://x', params: {time: '1'}}", "query.params.time: time is set for each query"),
            ("query: {url: 'http://x', body_size_limit: 1}", "query.body_size_limit"),
            ("query: {url: 'http://x', bearer_token: a, basic_auth: {}}", "query: at most one of basic_auth"),
            ("query_servers: [{url: 'http://x'}]", "query_servers[0]: the field \"name\" is required"),
            ("query_servers: [{name: own, url: 'http://x'}]", "query_servers[0].name: \"own\" stands for"),
            ("query_servers: [{name: a, url: 'http://x'}, {name: a, url: 'http://y'}]", "query_servers[1].name"),
        ])
    func configurationFaults(text: String, message: String) {
        do {
            _ = try Self.settings(text)
            Issue.record("read")
        } catch {
            let shown = "\(error)"
            #expect(shown.contains(message))
            #expect(!shown.contains("secret"))
        }
    }

    @Test func settingsAreRead() throws {
        let list = try Self.settings(
            """
            query: {url: 'https://thanos.example/', query_offset: 30s, timeout: 5s, concurrency: 2}
            query_servers:
            - {name: mimir, url: 'http://m/prometheus', bearer_token_file: token, body_size_limit: 1MB}
            """)
        #expect(list.map(\.name) == ["default", "mimir"])
        #expect(list[0].queryOffset == .seconds(30))
        #expect(list[1].http.authentication == .credentials(scheme: "Bearer", .file("/etc/token")))
        #expect(list[1].maximumBytes == 1 << 20)
    }
}
