import CurlHTTP
import Glibc
import Instrumentation
import JSON
import MetricModel
import Receivers
import Runtime
import Synchronization
import TestSupport
import Testing
import YAML

@testable import OnCall
@testable import OnCallRunner

/// Requests in place of a network.
private final class Wire: DeliveryTransport {
    let paths = Mutex<[String]>([])
    let bodies = Mutex<[JSON]>([])
    let failing = Mutex<Set<String>>([])

    func send(_ request: HTTPRequest) throws(HTTPFailure) -> HTTPResponse {
        let path = String(request.url.split(separator: "/").last ?? "")
        if failing.withLock({ $0.contains(path) }) { return HTTPResponse(status: 503) }
        bodies.withLock { $0.append((try? JSON(parsing: request.body)) ?? .null) }
        paths.withLock { $0.append(path) }
        return HTTPResponse(status: 200)
    }

    func send(_ mail: Mail) throws(HTTPFailure) {}

    var heard: [String] { paths.withLock { $0 } }
}

/// Pages that another node keeps, and a lease that a test moves.
private final class SharedPages: PageStore {
    struct State {
        var entries: [String: PageBook.Entry] = [:]
        var writtenBy: Int64 = 0
        var isDown = false
    }

    let state = Mutex(State())
    let own = Mutex<Int64?>(1)

    var epoch: Int64? { own.withLock { $0 } }

    func pages() throws(PageStoreFault) -> (record: PageBook.Record, epoch: Int64) {
        let state = self.state.withLock { $0 }
        if state.isDown { throw PageStoreFault("down") }
        let entries = Array(state.entries.values)
        return (PageBook.Record(entries: entries, at: .distantPast, epoch: state.writtenBy), state.writtenBy)
    }

    func keep(_ record: PageBook.Record) throws(PageStoreFault) -> Bool {
        guard let epoch else { return false }
        let isDown = state.withLock { state in
            if state.isDown { return true }
            for entry in record.entries { state.entries[entry.page.id] = entry }
            for id in record.forgotten { state.entries[id] = nil }
            state.writtenBy = epoch
            return false
        }
        if isDown { throw PageStoreFault("down") }
        return true
    }
}

@Suite struct OnCallRunnerTests {
    private let directory = TemporaryDirectory()
    private let wire = Wire()

    private func configuration(_ policy: String = "steps: [{notify: [{receiver: one}]}]") throws
        -> OnCallRunner.Configuration
    {
        let text = "policies:\n- name: p\n  \(policy)\n"
        let file = try OnCallConfiguration(YAML.parse(Array(text.utf8), file: "oncall.yml")[0], file: "oncall.yml")
        var receivers: [String: Receiver] = [:]
        for (name, urls) in [("one", ["one"]), ("two", ["two"]), ("both", ["one", "two"])] {
            let hooks = urls.map { "{url: 'http://127.0.0.1:1/\($0)'}" }.joined(separator: ", ")
            let node = try YAML.parse(Array("{name: \(name), webhook_configs: [\(hooks)]}".utf8), file: "a.yml")[0]
            let reader = ReceiverReader(global: GlobalSettings(), file: "a.yml", directory: "/")
            receivers[name] = try reader.receiver(node, path: "")
        }
        return OnCallRunner.Configuration(file, receivers: receivers, templates: .defaults)
    }

    private func runner(
        _ policy: String = "steps: [{notify: [{receiver: one}]}]", store: SharedPages? = nil,
        mayAct: @escaping @Sendable () -> Bool = { true }, sinks: OnCallRunner.Sinks = .init(),
        registry: Registry = Registry()
    ) throws -> OnCallRunner {
        var settings = OnCallRunner.Settings(
            directory: directory.path, externalURL: "http://here", registry: registry)
        settings.transport = wire
        settings.store = store
        settings.mayAct = mayAct
        let runner = try OnCallRunner(configuration(policy), settings: settings, sinks: sinks)
        try runner.start()
        return runner
    }

    /// A clock that a test sets.
    private final class WallClock: Sendable {
        private let offset = Atomic<Int64>(0)
        var now: Int64 { SystemClock.wallMilliseconds() + offset.load(ordering: .relaxed) }
        func set(by hours: Int64) { offset.store(hours * 3_600_000, ordering: .relaxed) }
    }

    @Test(arguments: [2, -2] as [Int64])
    func `the second step comes after its delay, however the clock is set between the two`(hours: Int64) throws {
        let clock = WallClock()
        let registry = Registry()
        var settings = OnCallRunner.Settings(
            directory: directory.path, externalURL: "http://here", registry: registry)
        settings.transport = wire
        settings.wall = { clock.now }
        let policy = "steps: [{notify: [{receiver: one}]}, {after: 2s, notify: [{receiver: two}]}]"
        let runner = try OnCallRunner(configuration(policy), settings: settings, sinks: .init())
        try runner.start()
        defer { runner.stop() }
        let began = SystemClock.monotonicNanoseconds()
        #expect(trigger("k", on: runner))
        #expect(Loopback.eventually { wire.heard == ["one"] })
        clock.set(by: hours)
        // A signal wakes the machine; without one it looks at the clock within ten seconds.
        #expect(trigger("other", on: runner))
        #expect(Loopback.eventually { wire.heard.contains("two") })
        #expect(SystemClock.monotonicNanoseconds() - began >= 1_900_000_000, "the second step is early")
        #expect(Loopback.eventually { wire.heard.count { $0 == "two" } == 2 }, "a second step was lost")
        let order = PageOrder(.acknowledge, by: PageActor(identity: "ada", method: "token"))
        let page = try #require(runner.book.entries.values.first { $0.page.key == "k" }?.page.id)
        #expect(try runner.order(order, page: page) == .done)
        clock.set(by: 0)
        #expect(trigger("third", on: runner))
        #expect(runner.book.entries[page]?.page.state.name == "acknowledged")
        let jumps = registry.snapshot().first { $0.name == "tribune_oncall_clock_jumps_total" }?.members.first?.value
        guard case .number(let count)? = jumps else {
            Issue.record("no metric of jumps")
            return
        }
        #expect(count == 2)
    }

    private func trigger(_ key: String, on runner: OnCallRunner) -> Bool {
        let problem = Problem(key: key, title: key, source: "s", policy: "p")
        return Loopback.eventually {
            do throws(OnCallRefusal) {
                try runner.receive(.trigger(problem))
                return true
            } catch { return false }
        }
    }

    @Test func `a part of a receiver that fails is asked again, the other is not`() throws {
        wire.failing.withLock { _ = $0.insert("two") }
        let runner = try runner("steps: [{notify: [{receiver: both}]}]")
        defer { runner.stop() }
        #expect(trigger("k", on: runner))
        #expect(Loopback.eventually { runner.book.entries.values.first?.page.scheduled.first?.failures == 1 })
        wire.failing.withLock { _ = $0.remove("two") }
        #expect(Loopback.eventually { wire.heard == ["one", "two"] })
        #expect(Loopback.eventually { runner.book.entries.values.first?.page.outstanding.isEmpty == true })
    }

    @Test func `without the lease nothing is done, and the node that takes it goes on`() throws {
        let mayAct = Atomic(false)
        let store = SharedPages()
        let runner = try runner(store: store, mayAct: { mayAct.load(ordering: .relaxed) })
        defer { runner.stop() }
        let problem = Problem(key: "k", title: "k", source: "s", policy: "p")
        #expect(throws: OnCallRefusal.notLeading) { try runner.receive(.trigger(problem)) }
        // What the former holder left: a page whose call it may have sent or not.
        var book = PageBook(try configuration().onCall.roster)
        _ = book.triggered(problem, id: "left", at: Timestamp(milliseconds: SystemClock.wallMilliseconds()))
        store.state.withLock { $0.entries = book.entries }
        mayAct.store(true, ordering: .relaxed)
        #expect(Loopback.eventually { wire.heard == ["one"] })
        let order = PageOrder(.acknowledge, by: PageActor(identity: "ada", method: "token"))
        #expect(try runner.order(order, page: "left") == .done)
        #expect(store.state.withLock { $0.entries["left"]?.actor } == "ada")
        mayAct.store(false, ordering: .relaxed)
        #expect(Loopback.eventually { runner.book.entries.isEmpty })
        #expect(throws: OnCallRefusal.notLeading) { try runner.order(order, page: "left") }
    }

    @Test func `a database that is away stops no call, and has everything when it is back`() throws {
        let store = SharedPages()
        let runner = try runner(store: store)
        defer { runner.stop() }
        #expect(trigger("first", on: runner))
        store.state.withLock { $0.isDown = true }
        #expect(trigger("second", on: runner))
        #expect(Loopback.eventually { wire.heard == ["one", "one"] })
        #expect(store.state.withLock { $0.entries.count } == 1)
        store.state.withLock { $0.isDown = false }
        #expect(Loopback.eventually { store.state.withLock { $0.entries.count } == 2 })
    }

    @Test func `metrics say who is on call, and forget who no longer is`() throws {
        let registry = Registry()
        let runner = try runner(registry: registry)
        defer { runner.stop() }
        func shown() -> Set<String> {
            Set(
                registry.snapshot().filter {
                    $0.name == "tribune_oncall_person" || $0.name == "tribune_oncall_gap_seconds"
                }
                .flatMap(\.members).map { $0.labels.map(\.value).joined(separator: " ") })
        }
        func reload(_ schedules: String) throws {
            let text = "people: [{name: ada, contacts: [{receiver: one}]}, {name: bob, contacts: [{receiver: one}]}]\n"
            var changed = try configuration()
            changed.onCall = try OnCallConfiguration(
                YAML.parse(Array((text + schedules).utf8), file: "oncall.yml")[0], file: "oncall.yml")
            runner.reload(changed)
        }
        func schedule(_ name: String, _ person: String) -> String {
            "- {name: \(name), layers: [{people: [\(person)], from: \"2026-01-05 09:00\"}]}\n"
        }
        try reload("schedules:\n" + schedule("a", "ada") + schedule("b", "bob"))
        #expect(Loopback.eventually { shown() == ["a", "a ada", "b", "b bob"] }, "\(shown())")
        try reload("schedules:\n" + schedule("a", "bob"))
        #expect(Loopback.eventually { shown() == ["a", "a bob"] }, "\(shown())")
    }

    @Test func `a digest goes to its receiver, with a line for each page and the counts`() throws {
        let runner = try runner()
        defer { runner.stop() }
        var book = PageBook(try configuration().onCall.roster)
        for key in ["Disk", "Load"] {
            let problem = Problem(key: key, title: key, source: "s", policy: "p")
            _ = book.triggered(problem, id: key, at: Timestamp(milliseconds: 0))
        }
        let digest = Digest(name: "daily", receiver: "two", zone: .utc, period: .hourly)
        let entries = ["Disk", "Load"].compactMap { book.entries[$0] }
        runner.send(DigestContent(digest: digest, entries: entries, until: Timestamp(milliseconds: 3_600_000)))
        #expect(Loopback.eventually { wire.heard == ["two"] })
        let body = try #require(wire.bodies.withLock { $0.first })
        #expect(body["alerts"]?.elements?.compactMap { $0["annotations"]?["page"]?.text } == ["Disk", "Load"])
        #expect(body["commonAnnotations"]?["digest"]?.text == "2 pages, 2 open: Disk 1, Load 1")
    }

    @Test func `a reload changes who is called, and keeps pages and their order`() throws {
        let runner = try runner("steps: [{notify: [{receiver: one}]}, {after: 1s, notify: [{receiver: one}]}]")
        defer { runner.stop() }
        #expect(trigger("k", on: runner))
        #expect(Loopback.eventually { wire.heard == ["one"] })
        runner.reload(try configuration("steps: [{notify: [{receiver: one}]}, {after: 1s, notify: [{receiver: two}]}]"))
        #expect(Loopback.eventually { wire.heard.count == 2 })
        #expect(wire.heard == ["one", "two"])
    }
}
