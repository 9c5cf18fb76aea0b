import CurlHTTP
import JSON
import MetricModel
import Synchronization
import Testing
import WebCore
import WebFixture
import WebServer

@testable import History
@testable import TribuneAPI

@Suite struct LedgerAPITests {
    /// A ledger with one entry and one page.
    private final class Ledger: Sendable {
        let query = Mutex<LedgerQuery?>(nil)
        let cursor = Mutex<EventCursor?>(nil)

        @Sendable func answer(_ query: LedgerQuery, _ cursor: EventCursor?) throws(HistoryError) -> EventPage {
            self.query.withLock { $0 = query }
            self.cursor.withLock { $0 = cursor }
            let event = LedgerEvent(
                milliseconds: 1000, kind: .violation, subject: "Low", body: ["value": 0.5], incident: "i-1",
                service: "auth")
            let entry = LedgerEntry(sequence: 7, event: event, actor: ["method": "oidc"], leaf: "", hash: "ab")
            return EventPage(source: .database, entries: [entry], next: .entry(7))
        }
    }

    @Test func `events are asked for and shown`() throws {
        let ledger = Ledger()
        let fixture = try WebFixture(sources: { $0.ledger.events = ledger.answer })
        #expect(
            try fixture.data(
                "/api/v1/history/events?kind=rollback_step&kind=violation&kind=rollback_step&start=1&limit=5000"
            ).encoded
                == #"{"source":"database","events":[{"index":7,"time":"1970-01-01T00:00:01Z","kind":"violation","#
                + #""subject":"Low","service":"auth","incident":"i-1","actor":{"method":"oidc"},"body":{"value":0.5},"#
                + #""hash":"ab","proof":"/api/v1/history/proof/7"}],"next":"e7"}"#)
        #expect(
            ledger.query.withLock { $0 }
                == LedgerQuery(kinds: [.rollbackStep, .violation], from: 1000, limit: 1000))
        _ = try fixture.data(
            "/api/v1/history/events?subject=Low&service=auth&incident=i-1&text=too+slow&end=2&cursor=r12")
        var wanted = LedgerQuery(subject: "Low", service: "auth", incident: "i-1", through: 2000)
        wanted.text = "too slow"
        #expect(ledger.query.withLock { $0 } == wanted)
        #expect(ledger.cursor.withLock { $0 } == .record(12))
    }

    @Test(arguments: [
        ("kind=x", "kind"), ("cursor=x1", "cursor"), ("cursor=e0", "cursor"), ("cursor=e-1", "cursor"),
        ("start=now", "start"), ("limit=-1", "limit"), ("from=1", "from"), ("Kind=alert", "Kind"),
    ]) func `a wrong or unknown parameter is refused by name`(query: String, name: String) throws {
        let fixture = try WebFixture(sources: { $0.ledger.events = Ledger().answer })
        let error = try fixture.error("/api/v1/history/events?\(query)")
        #expect(error.hasPrefix("400 bad_data: invalid parameter \"\(name)\""), "\(error)")
    }

    @Test func `a pack is a file with the name of its period`() throws {
        let scopes = Mutex<[EvidenceScope]>([])
        let fixture = try WebFixture(sources: { sources in
            sources.ledger.pack = { (scope, name) throws(HistoryError) in
                scopes.withLock { $0.append(scope) }
                if scope.service == "large" { throw HistoryError(.tooMuch, "choose a shorter period") }
                return Array("PK \(name)".utf8)
            }
        })
        let answer = try fixture.send("/api/v1/history/pack?start=86400&end=172800&service=auth")
        #expect(answer.status == 200)
        #expect(String(decoding: answer.body, as: UTF8.self) == "PK tribune-evidence-1970-01-02-1970-01-03")
        #expect(answer.head["Content-Type"] == "application/zip")
        #expect(
            answer.head["Content-Disposition"]
                == "attachment; filename=\"tribune-evidence-1970-01-02-1970-01-03.zip\"")
        let asked = try #require(scopes.withLock { $0.first })
        #expect((asked.from, asked.through) == (86_400_000, 172_800_000))
        #expect(asked.service == "auth")
        for (query, text) in [
            ("end=1", "start"), ("start=2&end=1", "is after the end"), ("start=x", "start"),
            ("start=1&service=large", "choose a shorter period"),
        ] {
            let refusal = try fixture.send("/api/v1/history/pack?\(query)")
            #expect(refusal.status == 400)
            #expect(String(decoding: refusal.body, as: UTF8.self).contains(text), "\(query)")
        }
    }

    @Test(arguments: ["/login", "/login/callback"])
    func `a login that waits for its issuer does not keep probes waiting`(path: String) throws {
        let fixture = try WebFixture(sources: { _ in })
        let request = HTTPServerRequest(path: path)
        #expect(fixture.apis.dispatcher.probeResponse(to: request) == nil, "the polling thread does not answer it")
        #expect(fixture.apis.dispatcher.response(to: request).status != 200)
    }

    @Test func `events that are not in the database have neither number nor proof`() throws {
        let fixture = try WebFixture(sources: { sources in
            sources.ledger.events = { (_, _) in
                let event = LedgerEvent(milliseconds: 1000, kind: .alert, subject: "Low", body: [:])
                return EventPage(source: .spool, entries: [LedgerEntry(sequence: 0, event: event, leaf: "", hash: "")])
            }
        })
        #expect(
            try fixture.data("/api/v1/history/events").encoded
                == #"{"source":"spool","events":[{"time":"1970-01-01T00:00:01Z","kind":"alert","subject":"Low","#
                + #""body":{}}]}"#)
    }

    @Test func `a ledger that cannot be read is unavailable, and what it lacks is not found`() throws {
        let fixture = try WebFixture(sources: { sources in
            sources.ledger.events = { (_, _) throws(HistoryError) in throw HistoryError(.unreachable, "secret") }
            sources.ledger.proof = { (entry) throws(HistoryError) in throw HistoryError(.notFound, "no \(entry)") }
            sources.ledger.checkpoint = { () throws(HistoryError) in throw HistoryError(.notFound, "none yet") }
        })
        #expect(
            try fixture.error("/api/v1/history/events")
                == "503 temporarily_unavailable: the history database cannot be read now; retry")
        #expect(try fixture.error("/api/v1/history/proof/9") == "404 not_found: no 9")
        #expect(try fixture.error("/api/v1/history/proof/x").hasPrefix("404 not_found"))
        #expect(try fixture.send("/api/v1/history/checkpoint").status == 404)
        #expect(try fixture.error("/api/v1/history/status").hasPrefix("503"))
        #expect(try fixture.error("/api/v1/history/consistency?to=-1").hasPrefix("400 bad_data"))
    }

    @Test func `tiles have the addresses of C2SP tlog-tiles`() throws {
        func tile(_ path: String) -> TilePath? { TilePath(path.split(separator: "/").map(String.init)) }
        var whole = try #require(tile("0/000"))
        #expect((whole.level, whole.index, whole.width) == (0, 0, 256))
        whole = try #require(tile("1/x001/x234/067"))
        #expect((whole.level, whole.index, whole.width) == (1, 1_234_067, 256))
        whole = try #require(tile("2/x001/234.p/8"))
        #expect((whole.level, whole.index, whole.width) == (2, 1234, 8))
        for path in [
            "0/1", "8/000", "0/001/002", "0/x000/001", "0/000.p/256", "0/000.p/0", "0/000.p/08", "a/000", "0/x01/001",
        ] {
            #expect(tile(path) == nil, "\(path)")
        }
        let fixture = try WebFixture(sources: { sources in
            sources.ledger.tile = { (level, index) in
                [UInt8](repeating: UInt8(level), count: index == 0 ? 32 * 256 : 32 * 10)
            }
        })
        #expect(try fixture.send("/api/v1/history/tile/1/000").body == [UInt8](repeating: 1, count: 32 * 256))
        #expect(try fixture.send("/api/v1/history/tile/0/001").status == 404)
        #expect(try fixture.send("/api/v1/history/tile/0/001.p/10").body.count == 320)
        #expect(try fixture.send("/api/v1/history/tile/0/001.p/11").status == 404)
        #expect(try fixture.send("/api/v1/history/tile/0/x001/000.p/3").body.count == 96)
    }

    @Test func `the status shows the last verification and the first bad entry`() throws {
        let fixture = try WebFixture(sources: { sources in
            sources.ledger.status = {
                var status = HistoryStatus(
                    database: "sqlite", isConnected: true, spooled: 0, spooledBytes: 0, isBehind: false, size: 12,
                    root: "r", epoch: 1, signedSize: 10, publicKey: "k")
                status.selfCheck.finishedAt = 1000
                status.selfCheck.entries = 12
                status.selfCheck.problems = 1
                status.selfCheck.firstBadEntry = 5
                status.selfCheck.message = "entry 5: altered"
                return status
            }
        })
        let data = try fixture.data("/api/v1/history/status")
        #expect(data["entries"]?.integer == 12 && data["signedEntries"]?.integer == 10 && data["halted"] == .null)
        #expect(
            data["verification"]?.encoded
                == #"{"finishedAt":"1970-01-01T00:00:01Z","entries":12,"problems":1,"firstBadEntry":5,"#
                + #""message":"entry 5: altered"}"#)
    }

    @Test func `days of services are asked for and shown`() throws {
        let asked = Mutex<[String]>([])
        let fixture = try WebFixture(sources: {
            $0.ledger.days = { (from, through, service) throws(HistoryError) in
                asked.withLock { $0.append("\(from) \(through) \(service ?? "-")") }
                if service == "many" { throw HistoryError(.tooMuch, "choose a shorter period") }
                var day = ServiceDay(day: 86_400_000, service: "auth")
                day.violations = 2
                day.rollbacks = 1
                day.metrics = [.init(name: "m", samples: 3, average: 0.5, minimum: 0, maximum: 1)]
                return [day]
            }
        })
        #expect(
            try fixture.data("/api/v1/history/days?start=86400&end=172800&service=auth").encoded
                == #"[{"day":"1970-01-02","service":"auth","violations":2,"rollbacks":1,"metrics":"#
                + #"[{"name":"m","samples":3,"average":0.5,"minimum":0,"maximum":1}]}]"#)
        _ = try fixture.data("/api/v1/history/days?end=2592000")
        #expect(asked.withLock { $0 } == ["86400000 172800000 auth", "0 2592000000 -"])
        for wrong in ["start=2&end=1", "start=0&end=95040001", "service=many", "metric=x"] {
            #expect(try fixture.error("/api/v1/history/days?\(wrong)").hasPrefix("400"), "\(wrong)")
        }
    }
}
