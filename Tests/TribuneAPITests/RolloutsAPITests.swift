import CurlHTTP
import JSON
import MetricModel
import Synchronization
import Testing
import WebCore
import WebFixture
import WebServer

@testable import History
@testable import Rollback
@testable import RolloutRunner
@testable import TribuneAPI

@Suite struct RolloutsAPITests {
    private static let plan: RolloutPlan = {
        let text = "plan: acgs\nstages: [10, 100]\nservices: [{name: auth, routes: [{exec: {shift: [s], read: [r]}}]}]"
        do { return try RolloutPlan(parsing: text, file: "p.yml") } catch { fatalError("\(error)") }
    }()

    /// A rollout with a candidate at 10 % and, if wanted, a rollback.
    private static func snapshot(rollback: RollbackRecord? = nil) -> RolloutSnapshot {
        var state = RolloutState()
        state.generation = 3
        state.phase = .promoting
        var service = ServiceRollout()
        service.split = TrafficSplit(candidate: 10)!
        service.frozen = "no \"blue\""
        state.services = ["auth": service]
        state.rollback = rollback
        return RolloutSnapshot(RolloutController(plan: plan, state: state), at: Instant(nanoseconds: 0))
    }

    private final class Orders: Sendable {
        let taken = Mutex<[(command: RolloutCommand, plan: String)]>([])
    }

    private func fixture(
        token: String? = nil, _ outcome: CommandOutcome = .accepted
    ) throws -> (WebFixture, Orders) {
        let orders = Orders()
        let fixture = try WebFixture({ $0.commandToken = token }) { sources in
            sources.rollouts = { [Self.snapshot()] }
            sources.command = { command, plan in
                orders.taken.withLock { $0.append((command, plan)) }
                return outcome
            }
        }
        return (fixture, orders)
    }

    @Test func pastRolloutsAndTheirReportsAreReadFromTheLedger() throws {
        var record = RollbackRecord(
            id: "acgs-2-1", generation: 2, number: 1, causes: [.command(by: "ann", reason: "slow")], services: ["auth"])
        record.step = .finished
        record.verdict = .init(isValid: true, detail: "well")
        record.add("decided", nil, "ordered by ann: slow", at: Instant(nanoseconds: 2_000_000_000))
        let bodies: [(LedgerEvent.Kind, JSON)] = [
            (
                .deployment,
                [
                    "plan": "acgs", "generation": 2, "step": "command", "command": "start", "by": "ann",
                    "reason": "v2", "outcome": "accepted",
                ]
            ),
            (.rollbackStep, ["plan": "acgs", "generation": 2, "step": "reported", "epoch": 5, "record": record.json]),
        ]
        let queries = Mutex<[LedgerQuery]>([])
        let fixture = try WebFixture(sources: { sources in
            sources.rollouts = { [Self.snapshot()] }
            sources.ledger.events = { (query, _) throws(HistoryError) in
                queries.withLock { $0.append(query) }
                let entries = bodies.filter { query.kinds.contains($0.0) }.map { kind, body in
                    LedgerEntry(
                        sequence: 1,
                        event: LedgerEvent(milliseconds: 1000, kind: kind, subject: "acgs", body: body, incident: nil),
                        actor: nil, leaf: "", hash: "")
                }
                return EventPage(source: .database, entries: entries, next: nil)
            }
        })
        #expect(
            try fixture.data("/api/v1/rollouts/acgs/history").encoded
                == #"{"rollouts":[{"generation":2,"began":"1970-01-01T00:00:01Z","by":"ann","promoted":null,"#
                + #""orders":[{"time":"1970-01-01T00:00:01Z","command":"start","by":"ann","reason":"v2"}],"#
                + #""rollbacks":[{"id":"acgs-2-1","time":"1970-01-01T00:00:02Z","services":["auth"],"#
                + #""causes":["ordered by ann: slow"],"valid":true,"validation":"well","open_tasks":5}]}]}"#)
        #expect(queries.withLock { $0.map(\.subject) } == ["acgs", "acgs"])
        #expect(queries.withLock { $0.map(\.text) } == [nil, "reported"])
        let report = try fixture.data("/api/v1/rollouts/acgs/report?rollback=acgs-2-1")["markdown"]?.text
        #expect(report == RollbackReport(plan: "acgs", epoch: 5, rollback: record).markdown)
        #expect(
            try fixture.error("/api/v1/rollouts/acgs/report?rollback=x")
                == #"404 not_found: the ledger has no report of the rollback "x""#)
    }

    @Test func tasksOfRollbacksAreReadFromTheLedgerAndChangedThere() throws {
        var record = RollbackRecord(
            id: "acgs-2-1", generation: 2, number: 1, causes: [.command(by: "ann", reason: "slow")], services: ["auth"])
        record.step = .finished
        let change = RollbackTask.Change(rollback: "acgs-2-1", service: "auth", kind: .rootCause, state: .done)
        let events: [(Int64, LedgerEvent.Kind, JSON)] = [
            (
                1000, .rollbackStep,
                ["plan": "acgs", "generation": 2, "step": "reported", "epoch": 5, "record": record.json]
            ),
            (2000, .deployment, change.body(plan: "acgs", generation: 2, by: "bob")),
        ]
        let changes = Mutex<[String]>([])
        let takes = Mutex(true)
        let fixture = try WebFixture(sources: { sources in
            sources.rollouts = { [Self.snapshot()] }
            sources.ledger.events = { (query, _) throws(HistoryError) in
                let entries = events.filter { query.kinds.contains($0.1) }.map { at, kind, body in
                    LedgerEntry(
                        sequence: 1,
                        event: LedgerEvent(milliseconds: at, kind: kind, subject: "acgs", body: body, incident: nil),
                        actor: nil, leaf: "", hash: "")
                }
                return EventPage(source: .database, entries: entries, next: nil)
            }
            sources.changeTask = { change, report, principal in
                changes.withLock { $0.append("\(report.rollback.id) \(change.body(plan: "", generation: 2, by: ""))") }
                return takes.withLock { $0 }
            }
        })
        let tasks = "/api/v1/rollouts/acgs/tasks"
        let listed = try fixture.data(tasks)["rollbacks"]?.elements?.first
        #expect(listed?["id"] == "acgs-2-1")
        #expect(
            listed?["tasks"]?.elements?.map { "\($0["task"]?.text ?? "") \($0["state"]?.text ?? "")" } == [
                "root_cause done", "debugging open", "fix open", "retry_plan open", "lessons open",
            ])
        #expect(listed?["tasks"]?.elements?.first?["changed_by"] == "bob")
        #expect(try fixture.data("\(tasks)?state=done")["rollbacks"]?.elements?.first?["tasks"]?.elements?.count == 1)
        #expect(try fixture.data("\(tasks)?rollback=x")["rollbacks"] == [])

        let fix = "rollback=acgs-2-1&service=auth&task=fix"
        let changed = try fixture.data("\(tasks)?\(fix)&state=in_progress&owner=eve&note=", method: "POST")
        #expect(changed["state"] == "in_progress" && changed["owner"] == "eve" && changed["note"] == "")
        let bodies = changes.withLock { $0 }
        #expect(bodies.count == 1 && bodies[0].contains("in_progress") && bodies[0].hasPrefix("acgs-2-1 "))
        for (query, message) in [
            ("rollback=acgs-2-2&service=auth&task=fix&state=done", "404 not_found: the ledger has no report"),
            (
                "rollback=acgs-2-1&service=pgc&task=fix&state=done",
                #"404 not_found: the rollback acgs-2-1 has no tasks for the service "pgc""#
            ),
            (fix, "expected a new state, owner or note"), ("\(fix)&state=half", "state"),
            ("rollback=acgs-2-1&service=auth&task=holidays&state=done", "task"),
            ("\(fix)&owner=\(String(repeating: "x", count: 1001))", "expected at most 1000 characters"),
        ] {
            let refusal = try fixture.error("\(tasks)?\(query)", method: "POST")
            #expect(refusal.contains(message), "\(refusal)")
        }
        #expect(changes.withLock { $0.count } == 1)
        takes.withLock { $0 = false }
        #expect(
            try fixture.error("\(tasks)?\(fix)&state=done", method: "POST").contains("does not take the change now"))
    }

    @Test func rolloutsAreListedAndShown() throws {
        let (fixture, _) = try fixture()
        let expected =
            #"{"plan":"acgs","state":"promoting","routes":[{"service":"auth","state":"waiting","candidateWeight":10,"#
            + #""stableWeight":90,"stable":"stable","candidate":"candidate","frozen":"no \"blue\""}],"timeline":[],"#
            + #""details":"# + Self.snapshot().json.encoded + "}"
        #expect(try fixture.data("/api/v1/rollouts").encoded == #"{"rollouts":[\#(expected)]}"#)
        #expect(try fixture.data("/api/v1/rollouts/acgs").encoded == expected)
        #expect(try fixture.error("/api/v1/rollouts/x") == #"404 not_found: no rollout plan "x""#)
    }

    @Test(arguments: RolloutOrderVerb.allCases)
    func commandsReachTheController(verb: RolloutOrderVerb) throws {
        let (fixture, orders) = try fixture()
        let services = verb == .abandonRoute ? ["ac"] : []
        let more = services.map { "&service=\($0)&route=2" }.joined() + (verb == .observe ? "&for=90m" : "")
        let response = try fixture.send(
            "/api/v1/rollouts/acgs/\(verb.rawValue)", method: "POST",
            headers: [("Content-Type", "application/x-www-form-urlencoded")], body: "reason=too+slow&actor=eve\(more)")
        #expect(response.status == 200)
        let taken = orders.taken.withLock { $0 }
        #expect(taken.map(\.plan) == ["acgs"])
        #expect(
            taken.map(\.command)
                == [
                    RolloutCommand(
                        verb.command(services: services, route: 2, for: .minutes(90)), by: "eve", reason: "too slow")
                ])
    }

    @Test(arguments: [("", "service"), ("service=ac&route=0", "route"), ("service=ac&service=auth", "service")])
    func givingUpARouteNamesOne(query: String, field: String) throws {
        let (fixture, orders) = try fixture()
        let response = try fixture.send("/api/v1/rollouts/acgs/abandon-route?\(query)", method: "POST")
        #expect(response.status == 400)
        #expect(try JSON(parsing: response.body)["error"]?.text?.contains("\"\(field)\"") == true)
        #expect(orders.taken.withLock { $0.isEmpty })
    }

    @Test(arguments: ["observe", "observe?for=", "observe?for=soon", "observe?for=8d", "abort?for=1h"])
    func anObservationHasADuration(order: String) throws {
        let (fixture, orders) = try fixture()
        let response = try fixture.send("/api/v1/rollouts/acgs/\(order)", method: "POST")
        #expect(response.status == 400)
        #expect(try JSON(parsing: response.body)["error"]?.text?.contains("\"for\"") == true)
        #expect(orders.taken.withLock { $0.isEmpty })
    }

    @Test func aRollbackMayNameServices() throws {
        let (fixture, orders) = try fixture()
        let response = try fixture.send(
            "/api/v1/rollouts/acgs/rollback?service=ac&service=auth", method: "POST")
        #expect(response.status == 200)
        #expect(orders.taken.withLock { $0.map(\.command.verb) } == [.rollback(services: ["ac", "auth"])])
        let other = try fixture.send("/api/v1/rollouts/acgs/abort?service=ac", method: "POST")
        #expect(other.status == 400)
        #expect(orders.taken.withLock { $0.count } == 1)
    }

    @Test func whatHadNothingToDoIsToldAsSuch() throws {
        let (fixture, _) = try fixture(.ignored("there is no rollout to abort"))
        let response = try fixture.send("/api/v1/rollouts/acgs/abort", method: "POST")
        #expect(response.status == 200)
        let data = try JSON(parsing: response.body)["data"]
        #expect(data?["accepted"] == false && data?["ignored"] == "there is no rollout to abort")
    }

    @Test func refusalsAreTold() throws {
        let (unknown, _) = try fixture()
        #expect(try unknown.send("/api/v1/rollouts/x/abort", method: "POST").status == 404)
        let (refusing, _) = try fixture(.refused("nothing is rolling out"))
        let response = try refusing.send("/api/v1/rollouts/acgs/pause", method: "POST")
        #expect(response.status == 409)
        #expect(try JSON(parsing: response.body)["error"] == "nothing is rolling out")
        #expect(try refusing.send("/api/v1/rollouts/acgs/explode", method: "POST").status == 404)
        #expect(try refusing.send("/api/v1/rollouts/acgs/pause").status == 405)
    }

    @Test func commandsNeedTheToken() throws {
        let (fixture, orders) = try fixture(token: "s3cret")
        let path = "/api/v1/rollouts/acgs/abort"
        #expect(try fixture.send(path, method: "POST").status == 401)
        for shown in ["Bearer s3cre", "Bearer s3cretX", "Bearer S3cret", "Bearer ", "s3cret", "Basic s3cret"] {
            let response = try fixture.send(path, method: "POST", headers: [("Authorization", shown)])
            #expect(response.status == 401, "\(shown)")
        }
        #expect(try fixture.send(path, method: "POST", headers: [("Authorization", "Bearer s3cret")]).status == 200)
        #expect(orders.taken.withLock { $0.count } == 1)
    }

    @Test func withoutATokenOnlyThisMachineCommands() throws {
        let apis = try WebFixture.apis { sources in
            sources.rollouts = { [Self.snapshot()] }
            sources.command = { _, _ in .accepted }
        }
        for (peer, status) in [("127.0.0.1", 200), ("::1", 200), ("10.0.0.9", 401), ("", 401)] {
            let request = HTTPServerRequest(method: "POST", path: "/api/v1/rollouts/acgs/abort", peer: peer)
            #expect(apis.dispatcher.response(to: request).status == status, "\(peer)")
        }
    }

    @Test func pagesOfOtherSitesCannotCommand() throws {
        let (fixture, orders) = try fixture()
        let response = try fixture.send(
            "/api/v1/rollouts/acgs/promote", method: "POST", headers: [("Origin", "http://evil.example")])
        #expect(response.status == 403)
        #expect(orders.taken.withLock { $0.isEmpty })
    }
}
