import CurlHTTP
import JSON
import RolloutRunner
import Synchronization
import Testing
import WebCore
import WebFixture

@testable import Rollback
@testable import TribuneAPI

/// The bodies of Flagger's webhooks, and what is sent back.
@Suite struct VerdictsAPITests {
    private static let released = #"""
        {"name":"podinfo","namespace":"test","phase":"Progressing","checksum":"85d557f47b","metadata":{"timeout":"3s"}}
        """#

    @Test(
        "a webhook names its release and its type",
        arguments: [
            (released, "rollback", "rollback test/podinfo@85d557f47b -"),
            // Before checksums.
            (
                #"{"name":"podinfo","namespace":"test","phase":"Progressing"}"#, "confirm-rollout",
                "confirm-rollout test/podinfo -"
            ),
            // Later versions send the type.
            (
                #"{"name":"a","namespace":"b","phase":"Succeeded","checksum":"c","buildId":"","type":"post-rollout","failedChecks":0,"canaryWeight":0,"iterations":0,"remainingTime":540000000000,"metadata":{"phase":"Succeeded"}}"#,
                "", "post-rollout b/a@c Succeeded"
            ),
            (#"{"name":"a","namespace":"b","phase":"Failed","checksum":"c","type":""}"#, "", "rollout b/a@c Failed"),
            (
                #"{"name":"a","namespace":"b","phase":"Waiting","checksum":"c","type":"event"}"#, "event",
                "event b/a@c -"
            ),
        ])
    func bodies(body: String, type: String, wanted: String) throws {
        let hook = try FlaggerHook(Array(body.utf8), type: type)
        #expect("\(hook.sense.rawValue) \(hook.release) \(hook.outcome ?? "-")" == wanted)
    }

    @Test(
        "a body that is none says what is wrong",
        arguments: [
            ("", "rollback", "the body is not JSON"), ("[]", "rollback", "the body is not a JSON object"),
            (#"{"name":"a","namespace":"b"}"#, "rollback", "the body has no text \"phase\""),
            (#"{"name":1,"namespace":"b","phase":"c"}"#, "rollback", "the body has no text \"name\""),
            (#"{"name":"a","namespace":"b","phase":"c"}"#, "", "the type of the webhook is not known: add ?type="),
            (
                #"{"name":"a","namespace":"b","phase":"c","type":"rollback"}"#, "confirm-rollout",
                "the address says type \"confirm-rollout\", the body \"rollback\""
            ),
            (
                #"{"name":"a","namespace":"b","phase":"c","type":"skip"}"#, "",
                "does not answer webhooks of type \"skip\""
            ),
            (#"{"name":"a","namespace":"b","phase":"c"}"#, "verdict", "does not answer webhooks of type \"verdict\""),
            (
                #"{"name":"a","namespace":"b","phase":"c","checksum":"\#(String(repeating: "x", count: 300))"}"#,
                "rollback", "longer than 300 bytes together"
            ),
            (String(repeating: " ", count: 70_000), "rollback", "the body is longer than 65536 bytes"),
        ])
    func faults(body: String, type: String, text: String) throws {
        let error = #expect(throws: APIError.self) { try FlaggerHook(Array(body.utf8), type: type) }
        #expect(error?.message.contains(text) == true, "\(error?.message ?? "")")
        #expect((error?.kind.status ?? 0) > 202)
    }

    private final class Asked: Sendable {
        let questions = Mutex<[VerdictQuestion]>([])
    }

    private func fixture(_ asked: Asked, isYes: Bool = false) throws -> WebFixture {
        try WebFixture(sources: { sources in
            sources.tribune.verdicts = VerdictSources(
                ask: { (name, question) throws(RollbackRunner.VerdictFault) in
                    if name == "gone" { throw .unknown }
                    if name == "hung" { throw .silent }
                    asked.questions.withLock { $0.append(question) }
                    return VerdictReply(
                        isYes: isYes, text: "because",
                        standing: VerdictStanding(
                            name: name, verdict: .unknown, reasons: ["no data"], rules: [], release: nil,
                            at: Instant(nanoseconds: 0)))
                })
        })
    }

    private func send(_ fixture: WebFixture, _ path: String, body: String = released) throws -> HTTPResponse {
        try fixture.send(path, method: "POST", headers: [("Content-Type", "application/json")], body: body)
    }

    @Test("yes is 200, and everything else is above 202, which Flagger takes as no")
    func statuses() throws {
        let asked = Asked()
        let (no, yes) = (try fixture(asked), try fixture(asked, isYes: true))
        let refused = try send(no, "/api/v1/verdicts/web/flagger?type=rollback")
        #expect(refused.status == 409 && String(decoding: refused.body, as: UTF8.self) == "because\n")
        #expect(try send(yes, "/api/v1/verdicts/web/flagger?type=rollback").status == 200)
        #expect(asked.questions.withLock { $0.map(\.release) } == Array(repeating: "test/podinfo@85d557f47b", count: 2))
        #expect(try send(yes, "/api/v1/verdicts/gone/flagger?type=rollback").status == 404)
        #expect(try send(yes, "/api/v1/verdicts/hung/flagger?type=rollback").status == 503)
        #expect(try send(yes, "/api/v1/verdicts/web/flagger").status == 400)
        #expect(try send(yes, "/api/v1/verdicts/web/flagger?type=rollback", body: "x").status == 400)
    }

    @Test("Argo Rollouts finds the verdict below data, and a release that is given must have a name")
    func verdict() throws {
        let asked = Asked()
        let fixture = try fixture(asked)
        let data = try fixture.data("/api/v1/verdicts/web?release=5f6f8b8d5c")
        #expect(data["verdict"]?.text == "unknown" && data["reasons"]?.elements?.first?.text == "no data")
        #expect(asked.questions.withLock { $0.map(\.release) } == ["5f6f8b8d5c"])
        #expect(try fixture.send("/api/v1/verdicts/web?release=").status == 400)
        #expect(try fixture.send("/api/v1/verdicts/web").status == 200)
        #expect(asked.questions.withLock { $0.last?.release } == nil)
    }
}
