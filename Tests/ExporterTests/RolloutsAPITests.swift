import CurlHTTP
import History
import JSON
import MetricModel
import Synchronization
import Testing
import WebServer

@testable import Exporter

@Suite struct RolloutsAPITests {
    private static let status = RolloutStatus(
        plan: "acgs", state: "running",
        routes: [
            RolloutStatus.Route(
                service: "auth", state: "promoting", candidateWeight: 10, stable: "blue", candidate: "green",
                frozen: "no \"blue\"")
        ], timeline: [RolloutStatus.Moment(at: Timestamp(milliseconds: 1500), text: "weight 10")],
        details: ["generation": 3])

    private final class Orders: Sendable {
        let taken = Mutex<[RolloutOrder]>([])
    }

    private func fixture(
        token: String? = nil, _ outcome: RolloutOrderOutcome = .accepted
    ) throws -> (ExporterFixture, Orders) {
        let orders = Orders()
        let fixture = try ExporterFixture({ $0.commandToken = token }) { sources in
            sources.rollouts = { [Self.status] }
            sources.command = { order in
                orders.taken.withLock { $0.append(order) }
                return outcome
            }
        }
        return (fixture, orders)
    }

    @Test func rolloutsAreListedAndShown() throws {
        let (fixture, _) = try fixture()
        let expected =
            #"{"plan":"acgs","state":"running","routes":[{"service":"auth","state":"promoting","candidateWeight":10,"#
            + #""stableWeight":90,"stable":"blue","candidate":"green","frozen":"no \"blue\""}],"#
            + #""timeline":[{"time":"1970-01-01T00:00:01.500Z","text":"weight 10"}],"details":{"generation":3}}"#
        #expect(try fixture.data("/api/v1/rollouts").encoded == #"{"rollouts":[\#(expected)]}"#)
        #expect(try fixture.data("/api/v1/rollouts/acgs").encoded == expected)
        #expect(try fixture.error("/api/v1/rollouts/x") == #"404 not_found: no rollout plan "x""#)
    }

    @Test(arguments: RolloutOrder.Verb.allCases)
    func commandsReachTheController(verb: RolloutOrder.Verb) throws {
        let (fixture, orders) = try fixture()
        let response = try fixture.send(
            "/api/v1/rollouts/acgs/\(verb.rawValue)", method: "POST",
            headers: [("Content-Type", "application/x-www-form-urlencoded")], body: "reason=too+slow&actor=eve")
        #expect(response.status == 200)
        #expect(
            orders.taken.withLock { $0 }
                == [RolloutOrder(verb: verb, plan: "acgs", actor: "eve", reason: "too slow")])
    }

    @Test func aRollbackMayNameServices() throws {
        let (fixture, orders) = try fixture()
        let response = try fixture.send(
            "/api/v1/rollouts/acgs/rollback?service=ac&service=auth", method: "POST")
        #expect(response.status == 200)
        #expect(orders.taken.withLock { $0.map(\.services) } == [["ac", "auth"]])
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
        let (unknown, _) = try fixture(.unknownPlan)
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
        #expect(try fixture.send(path, method: "POST").status == 403)
        for shown in ["Bearer s3cre", "Bearer s3cretX", "Bearer S3cret", "Bearer ", "s3cret", "Basic s3cret"] {
            let response = try fixture.send(path, method: "POST", headers: [("Authorization", shown)])
            #expect(response.status == 403, "\(shown)")
        }
        #expect(try fixture.send(path, method: "POST", headers: [("Authorization", "Bearer s3cret")]).status == 200)
        #expect(orders.taken.withLock { $0.count } == 1)
    }

    @Test func secretsAreComparedWhole() {
        #expect(Sameness.isSameSecret("s3cret", "s3cret"))
        for shown in ["", "s3cre", "s3cretX", "Xs3cret", "s3creT", "S3cret"] {
            #expect(!Sameness.isSameSecret(shown, "s3cret") && !Sameness.isSameSecret("s3cret", shown), "\(shown)")
        }
    }

    @Test func withoutATokenOnlyThisMachineCommands() throws {
        let exporter = try ExporterFixture.exporter { $0.command = { _ in .accepted } }
        for (peer, status) in [("127.0.0.1", 200), ("::1", 200), ("10.0.0.9", 403), ("", 403)] {
            let request = HTTPServerRequest(method: "POST", path: "/api/v1/rollouts/acgs/abort", peer: peer)
            #expect(exporter.response(to: request).status == status, "\(peer)")
        }
    }

    @Test func pagesOfOtherSitesCannotCommand() throws {
        let (fixture, orders) = try fixture()
        let response = try fixture.send(
            "/api/v1/rollouts/acgs/promote", method: "POST", headers: [("Origin", "http://evil.example")])
        #expect(response.status == 403)
        #expect(orders.taken.withLock { $0.isEmpty })
    }

    @Test func eventsAreAskedForAndShown() throws {
        final class Box: Sendable {
            let query = Mutex<EventQuery?>(nil)
        }
        let box = Box()
        let fixture = try ExporterFixture(sources: { sources in
            sources.events = { query in
                box.query.withLock { $0 = query }
                return [
                    RecordedEvent(
                        index: 7,
                        event: LedgerEvent(milliseconds: 1000, kind: .violation, subject: "Low", body: ["value": 0.5])),
                    RecordedEvent(
                        index: nil, event: LedgerEvent(milliseconds: 0, kind: .login, subject: "eve", body: [:])),
                ]
            }
        })
        #expect(
            try fixture.data(
                "/api/v1/history/events?kind=rollback_step&kind=violation&kind=rollback_step&start=1&limit=5000"
            ).encoded
                == #"{"events":[{"index":7,"time":"1970-01-01T00:00:01Z","kind":"violation","subject":"Low","#
                + #""body":{"value":0.5}},{"time":"1970-01-01T00:00:00Z","kind":"login","subject":"eve","body":{}}]}"#)
        #expect(
            box.query.withLock { $0 }
                == EventQuery(
                    kinds: [.rollbackStep, .violation], from: Timestamp(milliseconds: 1000), through: nil, limit: 1000))
        #expect(
            try fixture.error("/api/v1/history/events?kind=x").hasPrefix("400 bad_data: invalid parameter \"kind\""))
        let down = try ExporterFixture(sources: { $0.events = { _ in nil } })
        #expect(try down.error("/api/v1/history/events").hasPrefix("500 unavailable"))
    }
}
